"""What can be extended, by name: what ships with Proofbook and what other packages register as entry points."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Generic, TypeVar
from weakref import WeakSet

from proofbook.errors import ExtensionError, UnknownName

Item = TypeVar("Item")


class Registry(Generic[Item]):
    """Objects by name. A name is known without importing the module that holds its object, which is loaded at first use.

    Args:
        kind: what one of them is called in a message, such as `collector`.
        group: the group of entry points by which other packages add theirs, such as `proofbook.collectors`.
        own: those that ship with Proofbook, as name to `module:attribute`.
        wanted: the type that an object must have.
    """

    def __init__(self, kind: str, *, group: str, own: Mapping[str, str], wanted: type[Item]) -> None:
        self.kind, self.group, self.wanted = kind, group, wanted
        self._own = own
        self._loaded: dict[str, Item] = {}
        _REGISTRIES.add(self)

    @cached_property
    def _places(self) -> tuple[dict[str, importlib.metadata.EntryPoint], list[ExtensionError]]:
        """Every entry point by name, ours first, and those that cannot be used since their name is taken."""
        found = {
            name: importlib.metadata.EntryPoint(name=name, value=value, group=self.group)
            for name, value in self._own.items()
        }
        problems = []
        for entry in importlib.metadata.entry_points(group=self.group):
            taken = found.setdefault(entry.name, entry)
            if taken.value != entry.value:
                why = f"the name is taken by {_place(taken)}; give it another"
                problems.append(ExtensionError(self.kind, entry.name, place=_place(entry), why=why))
        return found, problems

    def names(self) -> list[str]:
        """Every name, ours first; nothing is loaded for that."""
        return list(self._places[0])

    def own_names(self) -> list[str]:
        """The names of what ships with Proofbook; nobody else is looked for."""
        return list(self._own)

    def __contains__(self, name: object) -> bool:
        return name in self._places[0]

    def usable(self) -> tuple[dict[str, Item], list[ExtensionError]]:
        """Every object by name, loaded, and why the others cannot be used."""
        items, problems = {}, list(self._places[1])
        for name in self.names():
            try:
                items[name] = self.get(name)
            except ExtensionError as error:
                problems.append(error)
        return items, problems

    def doubles(self) -> list[ExtensionError]:
        """Those that cannot be used since their name is taken; nothing is loaded for that."""
        return list(self._places[1])

    def unusable(self) -> list[ExtensionError]:
        """Why objects of other packages cannot be used; only those of other packages are loaded."""
        problems = self.doubles()
        for name in self.names():
            try:
                if not self.is_ours(name):
                    self.get(name)
            except ExtensionError as error:
                problems.append(error)
        return problems

    def failed(self, name: str, why: str) -> ExtensionError:
        """What to raise where the object of that name did what it must not."""
        return ExtensionError(self.kind, name, place=_place(self._places[0][name]), why=why)

    def place(self, name: str) -> str:
        """Where the object of that name comes from: its module, and its package where it is of another one."""
        return _place(self._places[0][name])

    def is_ours(self, name: str) -> bool:
        """Whether it ships with Proofbook."""
        return name in self._own

    def get(self, name: str) -> Item:
        """The object of that name, loaded when it is first asked for.

        Raises:
            UnknownName: nobody registers it. ExtensionError: it fails to import, or is of another type.
        """
        places, _ = self._places
        if name not in places:
            raise UnknownName(self.kind, name, places)
        if name not in self._loaded:
            self._loaded[name] = self._load(places[name])
        return self._loaded[name]

    def _load(self, entry: importlib.metadata.EntryPoint) -> Item:
        try:
            found = entry.load()
        # Whatever a module of somebody else raises while it is imported.
        except Exception as error:
            why = f"it cannot be imported ({type(error).__name__}: {error})"
            raise ExtensionError(self.kind, entry.name, place=_place(entry), why=why) from error
        if not isinstance(found, self.wanted):
            why = f"expected a {self.wanted.__name__}, got {type(found).__name__}"
            raise ExtensionError(self.kind, entry.name, place=_place(entry), why=why)
        return found


_REGISTRIES: WeakSet[Registry[Any]] = WeakSet()


def unusable_extensions() -> list[ExtensionError]:
    """Why extensions of other packages cannot be used, over all registries that are loaded."""
    registries = sorted(_REGISTRIES, key=lambda registry: registry.group)
    return [error for registry in registries for error in registry.unusable()]


def _place(entry: importlib.metadata.EntryPoint) -> str:
    """Where an entry point comes from: its package, where it is of one, and its module."""
    return f"{entry.value} of {entry.dist.name}" if entry.dist is not None else entry.value
