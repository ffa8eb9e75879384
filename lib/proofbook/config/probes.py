"""Probes of other packages: what `[[probe]]` of an environment may state, and which collector its `kind` names.

A collector is one object in COLLECTORS: the settings of its probes, the tables that it writes, and its steps, by which it is
planned and run. `collect.registry` asks for the steps.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, SerializeAsAny, WithJsonSchema, model_validator

from proofbook.config.fields import Name, is_secret
from proofbook.config.references import Reference, Settings
from proofbook.errors import ExtensionError
from proofbook.registry import Registry


class Probe(Settings):
    """One `[[probe]]`; the settings of a collector are a subclass. name: left out, the kind."""

    kind: str
    name: Name = ""

    @model_validator(mode="before")
    @classmethod
    def _named(cls, stated: Any) -> Any:
        if isinstance(stated, dict) and "name" not in stated and isinstance(stated.get("kind"), str):
            return {**stated, "name": stated["kind"]}
        return stated

    @classmethod
    def model_for(cls, stated: Any) -> type[BaseModel]:
        """The settings of the collector that a table names; this model where none can be used."""
        kind = stated.get("kind") if isinstance(stated, dict) else None
        return _settings_of(kind) if isinstance(kind, str) and kind in COLLECTORS else cls

    def of_before(self) -> Self | None:
        """The probe of the old revision where it still answers beside the new one; None where it does not."""
        return None


class UnusableProbe(Probe):
    """A probe whose collector cannot be used, so that nobody knows what it may state.

    Not an error of the environment: it becomes a problem of each phase, and an `error` of the run.
    """

    model_config = ConfigDict(extra="allow", frozen=True, populate_by_name=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collector:
    """How one kind of `[[probe]]` is stated, planned and run.

    Args:
        settings: a subclass of Probe.
        tables: the `evidence.table.Table`s that it writes.
        steps: gives the `collect.registry.Step`s for a `collect.registry.Task`.
            Both may be `module:attribute`, which is imported when something is recorded.
    """

    settings: type[Probe]
    tables: str | Sequence[Any]
    steps: str | Callable[..., Any]

    def written(self) -> Sequence[Any]:
        """The tables, imported now."""
        found: Sequence[Any] = _imported(self.tables)
        return found

    def planned(self) -> Callable[..., Any]:
        """The function that gives the steps, imported now."""
        found: Callable[..., Any] = _imported(self.steps)
        return found


def _imported(found: Any) -> Any:
    if not isinstance(found, str):
        return found
    module, _, attribute = found.partition(":")
    return getattr(importlib.import_module(module), attribute)


COLLECTORS = Registry("collector", group="proofbook.collectors", own={}, wanted=Collector)


def _as_probe(value: Any) -> Any:
    """What a file states, as the settings of the collector that its kind names.

    Raises:
        ValueError: no collector has that name. ValidationError: its settings say so.
    """
    if isinstance(value, Probe) or not isinstance(value, dict):
        return value
    kind = value.get("kind")
    if not isinstance(kind, str) or kind not in COLLECTORS:
        known = COLLECTORS.names()
        near = difflib.get_close_matches(str(kind), known, n=1)
        raise ValueError(
            f"expected kind to be {_one_of(known)}, got {'nothing' if kind is None else repr(kind)}"
            + (f"; did you mean {near[0]!r}?" if near else "")
        )
    return _settings_of(kind).model_validate(value)


def _settings_of(kind: str) -> type[Probe]:
    try:
        return COLLECTORS.get(kind).settings
    except ExtensionError:
        return UnusableProbe


def _one_of(known: Sequence[str]) -> str:
    return ", ".join(known) or "that of a collector (no installed package brings one)"


AnyProbe = Annotated[
    SerializeAsAny[Probe],
    BeforeValidator(_as_probe),
    WithJsonSchema({
        "type": "object",
        "properties": {"kind": {"type": "string"}, "name": {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]*$"}},
        "required": ["kind"],
    }),
]  # fmt: skip


def references(settings: BaseModel, *, secret: bool = False) -> Iterator[tuple[str, Reference, bool]]:
    """Every value that settings may name instead of writing: its key, the reference, and whether what it names is a secret.

    Secrets are what is annotated as SecretReference, and what a table of references, such as headers, names.
    """
    for name, field in type(settings).model_fields.items():
        yield from _references(name, getattr(settings, name), secret or is_secret(field))


def _references(key: str, value: Any, secret: bool) -> Iterator[tuple[str, Reference, bool]]:
    if isinstance(value, Reference):
        yield key, value, secret and value.text is None
    elif isinstance(value, BaseModel):
        yield from (
            (f"{key}.{inner}", found, kept) for inner, found, kept in references(value, secret=secret)
        )
    elif isinstance(value, dict):
        for inner, item in value.items():
            yield from _references(f"{key}.{inner}", item, True)
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from _references(f"{key}[{number}]", item, secret)
