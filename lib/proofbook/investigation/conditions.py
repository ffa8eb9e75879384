"""Conditions on entries: what an analyst writes, as SQL for DuckDB, with every name checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from proofbook.config import duckdb_text
from proofbook.config.duckdb_text import quoted
from proofbook.errors import UnknownName, UsageError
from proofbook.investigation.names import NAMES, meant

WRONG = "wrong"
# Close codes by which a connection was lost: abnormally, by an error of the server, for want of room.
LOST = (1006, 1011, 1013)
_COMPARED = re.compile(r"\s*([\w.@/-]+)\s*(>=|<=|!=|==|=|>|<|~)\s*(.+?)\s*")
# Paths of which the last part says that a WebSocket is opened there.
_SOCKET_PATH = r"(?i)/(?:ws|wss|websockets?|sockets?|socket\.io|signalr|cable)/?$"
# Fewer entries than these are no error: their level says so.
ERROR = 17


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What entries must hold. about: the names that it speaks of; what is selected by them cannot be different by them."""

    sql: str
    in_words: str
    about: tuple[str, ...] = ()

    def inverted(self) -> Condition:
        """What all others hold."""
        return Condition(
            sql=f"NOT coalesce({self.sql}, false)", in_words=f"not ({self.in_words})", about=self.about
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a log has: keys of the map `fields`, which of its values a text means (`*` stands for anything), itself first, and the templates that are exceptions."""

    keys: tuple[str, ...]
    values: Callable[[str, str], Sequence[str]]
    socket_paths: tuple[str, ...] = ()
    exceptions: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """Everything that can be asked for."""
        return [*NAMES, *(self.short(key) for key in self.keys)]

    def short(self, key: str) -> str:
        """A key by its last part, where no other key and no name is called so: `client` for `labels.client`."""
        last = key.rpartition(".")[2]
        return last if last not in NAMES and self.key(last) == key else key

    def key(self, name: str) -> str | None:
        """The key that is meant, by the whole of it or by a last part that only it has; None where there is none."""
        if name in self.keys:
            return name
        ends = [key for key in self.keys if key.endswith(f".{name}")]
        return ends[0] if len(ends) == 1 else None


def of(
    text: str, values: Mapping[str, object], fields: Mapping[str, object], *, known: Known
) -> list[Condition]:
    """The conditions that a call states, all of which must hold.

    Raises:
        UnknownName: a name or a value is not in the log. UsageError: a condition cannot be read.
    """
    found = []
    for part in _parts(text):
        found.append(wrong(known) if part == WRONG else _compared(part, known=known))
    found += [_equal(name, value, known=known) for name, value in values.items()]
    found += [_equal(name, value, known=known, in_fields=True) for name, value in fields.items()]
    if not found:
        raise UsageError(
            "expected a condition, such as where(status=500), where('status>=500') or where('wrong'), got none"
        )
    return found


def as_call(verb: str, text: str, values: Mapping[str, object], fields: Mapping[str, object] | None) -> str:
    """The call that states these conditions.

    >>> as_call("where", "status>=500", {"path": "/ws"}, None)
    "where('status>=500', path='/ws')"
    """
    parts = [
        *([repr(text)] if text else []),
        *([f"fields={dict(fields)!r}"] if fields else []),
        *(f"{name}={value!r}" for name, value in values.items()),
    ]
    return f"{verb}({', '.join(parts)})"


def wrong(known: Known) -> Condition:
    """What went wrong by itself: answers of 500 and more, refused upgrades, lost connections, errors of no request (of unknown severity: exceptions)."""
    refused = refused_upgrade(known)
    lost = f" OR try_cast(fields['close_code'] AS INTEGER) IN ({', '.join(map(str, LOST))})"
    if "close_code" not in known.keys:
        lost = ""
    error = f"severity_number >= {ERROR}"
    if known.exceptions:
        # What runs without a logger, or a collector that keeps the text alone, states no severity.
        raised = ", ".join(map(quoted, known.exceptions))
        error = f"({error} OR (coalesce(severity_number, 0) = 0 AND template IN ({raised})))"
    return Condition(
        sql=f"coalesce(http_status >= 500 OR {refused}{lost} OR (http_status IS NULL AND {error}), false)",
        in_words="wrong",
        about=("status", "severity"),
    )


def refused_upgrade(known: Known) -> str:
    """SQL: whether a request for a WebSocket was answered with an error: at a path where one was upgraded, or that says what it is for."""
    sockets = [f"regexp_matches(path, {quoted(_SOCKET_PATH)})", "over_ws"]
    if known.socket_paths:
        sockets.append(f"path IN ({', '.join(map(quoted, known.socket_paths))})")
    return f"coalesce(http_status >= 400 AND ({' OR '.join(sockets)}), false)"


def expression(name: str, *, known: Known, in_fields: bool = False) -> tuple[str, bool]:
    """SQL for a thing that an entry has, and whether it is a number.

    Raises:
        UnknownName: no entry of this log has it.
    """
    stands = None if in_fields else meant(name)
    if stands is not None:
        return f'"{NAMES[stands].column}"', NAMES[stands].is_number
    if (key := known.key(name)) is not None:
        return f"fields[{quoted(key)}]", False
    raise UnknownName(
        "field",
        name,
        [*known.keys, *map(known.short, known.keys)] if in_fields else known.names,
        where="this log",
    )


def _parts(text: str) -> list[str]:
    return (
        [part.strip() for part in re.split(r"\s+and\s+", text.strip()) if part.strip()]
        if text.strip()
        else []
    )


def _compared(part: str, *, known: Known) -> Condition:
    match = _COMPARED.fullmatch(part)
    if match is None:
        raise UsageError(
            f"expected 'wrong' or a comparison such as \"status>=500\" or \"template='Decode failed: *'\", got {part!r}"
        )
    name, sign, value = match[1], match[2], match[3]
    text = value[1:-1] if len(value) > 1 and value[0] in "'\"" and value[-1] == value[0] else value
    if sign in ("=", "=="):
        return _equal(name, text, known=known)
    if sign == "!=":
        return _equal(name, text, known=known).inverted()
    sql, is_number = expression(name, known=known)
    if sign == "~":
        if problem := duckdb_text.problem(text):
            raise UsageError(
                f"expected a regular expression (RE2's: no lookaround, no backreferences), got {text!r} ({problem})"
            )
        return Condition(
            sql=f"coalesce(regexp_matches({sql}::VARCHAR, {quoted(text)}), false)",
            in_words=part,
            about=_about(name, known),
        )
    number = _number(name, text)
    compared = sql if is_number else f"try_cast({sql} AS DOUBLE)"
    return Condition(
        sql=f"coalesce({compared} {sign} {number!r}, false)", in_words=part, about=_about(name, known)
    )


def _equal(name: str, value: object, *, known: Known, in_fields: bool = False) -> Condition:
    sql, is_number = expression(name, known=known, in_fields=in_fields)
    if isinstance(value, list | tuple | set | frozenset):
        each = [_equal(name, item, known=known, in_fields=in_fields) for item in sorted(value, key=str)]
        if not each:
            raise UsageError(f"expected at least one value of {name}, got none")
        return Condition(
            sql=f"({' OR '.join(item.sql for item in each)})",
            in_words=f"{name} in {', '.join(map(str, sorted(value, key=str)))}",
            about=_about(name, known),
        )
    in_words = f"{name}={value}"
    if value is None:
        return Condition(
            sql=f"({sql} IS NULL OR {sql}::VARCHAR = '')", in_words=f"no {name}", about=_about(name, known)
        )
    if is_number:
        return Condition(
            sql=f"coalesce({sql} = {_number(name, value)!r}, false)",
            in_words=in_words,
            about=_about(name, known),
        )
    text = str(value)
    found = known.values(sql, text)
    if not found:
        raise UnknownName(name, text, known.values(sql, "*"), where="this log")
    match = f"{sql} = {quoted(text)}" if found[0] == text else like(sql, text)
    return Condition(sql=f"coalesce({match}, false)", in_words=in_words, about=_about(name, known))


def like(sql: str, text: str) -> str:
    """SQL: whether a value is like a text in which `*` stands for anything."""
    plain = text.replace("!", "!!").replace("%", "!%").replace("_", "!_").replace("*", "%")
    return f"{sql} LIKE {quoted(plain)} ESCAPE '!'"


def _number(name: str, value: object) -> float:
    try:
        found = float(str(value))
    except ValueError:
        raise UsageError(f"expected a number for {name}, got {value!r}") from None
    if found != found or found in (float("inf"), float("-inf")):
        raise UsageError(f"expected a number for {name}, got {value!r}")
    return found


def _about(name: str, known: Known) -> tuple[str, ...]:
    return (meant(name) or known.key(name) or name,)


def conjunction(conditions: Iterable[Condition]) -> str:
    """SQL for what holds where all of them do."""
    return " AND ".join(f"({item.sql})" for item in conditions) or "true"
