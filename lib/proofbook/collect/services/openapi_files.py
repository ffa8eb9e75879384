"""Joins an API definition in several files of one origin into one document."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import quote, unquote, urldefrag, urljoin, urlsplit

# Other files stand under this key of the whole, each by its path.
KEY = "x-joined"
MOST_FILES = 50
# Of all files together, as text.
MOST_CHARACTERS = 16 * 1024 * 1024
# Gives the document at an address with the length of its text; or None and why there is none.
Fetch: TypeAlias = Callable[[str], Awaitable[tuple[Any, int, str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """The whole document, and why which files are not in it: references to them stay as they are."""

    document: Any
    problems: tuple[str, ...] = ()


async def join(document: Any, *, url: str, fetch: Fetch) -> Joined:
    """A definition and what it refers to in other files of its origin, as one; it is changed in place."""
    if not any(_is_elsewhere(holder[name]) for holder, name in _references(document)):
        return Joined(document=document)
    files = _Files(url=url, found={url: document})
    await files.fetch_all(fetch)
    files.rewrite()
    others = {_name(other): part for other, part in files.found.items() if other != url}
    if others:
        document[KEY] = {**others, **(document[KEY] if isinstance(document.get(KEY), dict) else {})}
        _put_paths_in_place(document)
    return Joined(document=document, problems=tuple(files.problems))


@dataclass(slots=True, kw_only=True)
class _Files:
    """The files of a definition by their addresses, of which `url` is the first."""

    url: str
    found: dict[str, Any]
    problems: list[str] = field(default_factory=list)

    async def fetch_all(self, fetch: Fetch) -> None:
        """Fetches what files refer to, and what those refer to, as far as they lie in the same origin."""
        waiting, asked, characters = [self.url], {self.url}, 0
        while waiting:
            here = waiting.pop(0)
            for there in self._named_in(here):
                if there in asked:
                    continue
                asked.add(there)
                if _origin(there) != _origin(self.url):
                    self.problems.append(f"{there} is of another origin, and is not asked for")
                elif len(self.found) > MOST_FILES or characters > MOST_CHARACTERS:
                    self.problems.append(f"{_path(there)} is one too many")
                else:
                    part, length, why = await fetch(there)
                    characters += length
                    if part is None:
                        self.problems.append(f"{_path(there)}: {why}")
                    else:
                        self.found[there] = part
                        waiting.append(there)

    def _named_in(self, here: str) -> list[str]:
        written = [holder[name] for holder, name in _references(self.found[here])]
        return list(dict.fromkeys(urldefrag(urljoin(here, text))[0] for text in written if _is_elsewhere(text)))  # fmt: skip

    def rewrite(self) -> None:
        """Makes every reference one within the whole, where the file that it leads to is there."""
        for here, part in self.found.items():
            for holder, name in _references(part):
                there, fragment = urldefrag(urljoin(here, holder[name]))
                if there not in self.found:
                    # As a whole address, since nobody knows any longer where it stood.
                    holder[name] = holder[name] if here == self.url else urljoin(here, holder[name])
                elif there != here or here != self.url:
                    holder[name] = self._within(there, fragment)

    def _within(self, there: str, fragment: str) -> str:
        if there == self.url:
            return f"#{fragment}"
        step = quote(_name(there).replace("~", "~0").replace("/", "~1"), safe="~")
        return f"#/{KEY}/{step}{fragment if fragment != '/' else ''}"


def _references(document: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """Every place of a document that refers to another: who holds it, and under which key."""
    waiting = [document]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            if isinstance(found.get("$ref"), str):
                yield found, "$ref"
            mapping = found.get("discriminator")
            mapping = mapping.get("mapping") if isinstance(mapping, dict) else None
            if isinstance(mapping, dict):
                yield from ((mapping, name) for name, text in mapping.items() if isinstance(text, str) and _is_address(text))  # fmt: skip
            waiting += found.values()
        elif isinstance(found, list):
            waiting += found


def _is_address(text: str) -> bool:
    """Whether a value of a mapping is an address; else it is the name of a schema."""
    return "#/" in text or urldefrag(text)[0].endswith((".json", ".yaml", ".yml"))


def _is_elsewhere(reference: str) -> bool:
    return bool(urldefrag(reference)[0])


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _name(url: str) -> str:
    """The path of a file within its origin, with its query."""
    return url.partition("://")[2].partition("/")[2]


def _path(url: str) -> str:
    return f"/{_name(url)}"


def _put_paths_in_place(document: dict[str, Any]) -> None:
    """Where a whole path stands in another file, it stands in its place: it is what operations are counted by."""
    paths = document.get("paths")
    if not isinstance(paths, dict):
        return
    for name, item in paths.items():
        reference = item.get("$ref") if isinstance(item, dict) else None
        found = _at(document, reference) if isinstance(reference, str) and reference.startswith(f"#/{KEY}/") else None  # fmt: skip
        if isinstance(found, dict):
            beside = {key: value for key, value in item.items() if key != "$ref"}
            paths[name] = {**copy.deepcopy(found), **beside}


def _at(document: Any, reference: str) -> Any:
    found = document
    for step in reference.removeprefix("#/").split("/"):
        name = unquote(step).replace("~1", "/").replace("~0", "~")
        found = found.get(name) if isinstance(found, dict) else None
    return found
