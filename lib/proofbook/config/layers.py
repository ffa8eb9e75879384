"""A TOML file over the one that it extends: their values together, and which file each came from."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proofbook import paths
from proofbook.errors import ConfigurationError
from proofbook.files import read_text

EXTENDS = "extends"
Table = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """What a file states, with all that it extends.

    values: without `extends`. origins: the file of every value, by its dotted key; replaced: the file whose value it took the
    place of. files: the file itself, then what it extends, nearest first.
    """

    values: Table
    files: tuple[Path, ...]
    origins: Mapping[str, Path] = field(default_factory=dict)
    replaced: Mapping[str, Path] = field(default_factory=dict)

    def stated_in(self, key: str) -> Path:
        """The file that states a value, or the table around it; the file itself where none does."""
        while key and key not in self.origins:
            key = key[: max(key.rfind("."), key.rfind("["), 0)]
        return self.origins.get(key, self.files[0])


def alone(path: Path) -> Layers:
    """The values of a file of a kind that extends none.

    Raises:
        ConfigurationError: it is absent, or not TOML.
    """
    return Layers(values=_read(path, by=None), files=(path,))


def read(path: Path) -> Layers:
    """The values of a file over those of the file that it extends: tables are merged by key.

    In an array whose tables all have a name, those of one name are merged, and others are added; any other array replaces
    the one below.

    Raises:
        ConfigurationError: a file is absent or not TOML, or one extends itself by way of others.
    """
    below: list[tuple[Path, Table]] = []
    files: list[Path] = []
    current = path
    while True:
        values = _read(current, by=files[-1] if files else None)
        extended = values.pop(EXTENDS, None)
        files.append(current)
        below.append((current, values))
        if extended is None:
            break
        if not isinstance(extended, str) or not extended:
            raise ConfigurationError(paths.shown(current), [(EXTENDS, f"expected the path of a TOML file, got {extended!r}")])  # fmt: skip
        current = _normal(current.parent / extended)
        if current in map(_normal, files):
            circle = " → ".join(paths.shown(item) for item in [*files, current])
            raise ConfigurationError(paths.shown(files[-1]), [(EXTENDS, f"expected files that do not extend each other in a circle, got {circle}")])  # fmt: skip
    merged: Table = {}
    origins: dict[str, Path] = {}
    replaced: dict[str, Path] = {}
    for file, values in reversed(below):
        if len(files) > 1:
            _check_distinct(values, file)
        merged = _merged(merged, values)
        _note(merged, values, file, origins, replaced)
    return Layers(values=merged, files=tuple(files), origins=origins, replaced=replaced)


def _check_distinct(values: Table, file: Path) -> None:
    """Returns where no file calls two tables of an array by one name: merging would make one of them, and lose what the first says.

    Raises:
        ConfigurationError: it does.
    """
    tables = {"": values, **{f"{key}.": value for key, value in values.items() if isinstance(value, dict)}}
    for before, table in tables.items():
        for key, value in table.items():
            names = [item["name"] for item in value] if _are_named(value) else []
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise ConfigurationError(paths.shown(file), [(f"{before}{key}", f"expected different names, got {twice!r} twice")])  # fmt: skip


def _normal(path: Path) -> Path:
    return path.absolute().resolve()


def _read(path: Path, *, by: Path | None) -> Table:
    """What one TOML file holds. by: the file that extends it."""
    name = paths.shown(path)
    try:
        return tomllib.loads(read_text(path))
    except FileNotFoundError:
        if by is not None:
            raise ConfigurationError(
                paths.shown(by), [(EXTENDS, f"expected a TOML file at {name}, found nothing; the path is relative to the file that extends it")]
            ) from None  # fmt: skip
        why = "expected a TOML file, found nothing; check the name"
    except UnicodeDecodeError as error:
        why = f"expected UTF-8 text, got byte 0x{error.object[error.start]:02x} at offset {error.start}; save the file as UTF-8"
    except OSError as error:
        why = f"cannot be read ({error.strerror})"
    except RecursionError:
        why = "expected TOML, got values that are nested too deeply"
    except tomllib.TOMLDecodeError as error:
        why = f"expected TOML, got a syntax error: {error}"
    raise ConfigurationError(name, [("", why)])


def _merged(below: Table, above: Table) -> Table:
    found = dict(below)
    for key, value in above.items():
        under = found.get(key)
        if isinstance(value, dict) and isinstance(under, dict):
            found[key] = _merged(under, value)
        elif isinstance(under, list) and _are_named(value) and _are_named(under):
            found[key] = _merged_by_name(under, value)
        else:
            found[key] = value
    return found


def _are_named(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(item, dict) and isinstance(item.get("name"), str) for item in value)
    )


def _merged_by_name(below: list[Table], above: list[Table]) -> list[Table]:
    found = {item["name"]: item for item in below}
    for item in above:
        found[item["name"]] = _merged(found.get(item["name"], {}), item)
    return list(found.values())


def _note(
    merged: Table, values: Table, file: Path, origins: dict[str, Path], replaced: dict[str, Path]
) -> None:
    """Notes that a file states these values, at the places that they have among those of all files, and what it takes the place of."""
    for key in _keys(values, merged, ""):
        for below in [name for name in origins if name == key or name.startswith((f"{key}.", f"{key}["))]:
            replaced[key] = origins.pop(below)
        origins[key] = file


def _keys(value: Any, place: Any, key: str) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from _keys(item, place[name], f"{key}.{name}" if key else name)
    elif _are_named(value):
        at = {item["name"]: number for number, item in enumerate(place)}
        for item in value:
            number = at[item["name"]]
            yield from _keys(item, place[number], f"{key}[{number}]")
    else:
        yield key
