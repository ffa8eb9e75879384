"""The shape of a log: which of all formats its lines are in, what a container runtime put around them, and what a sample tells."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from proofbook.collect.logs import keys
from proofbook.collect.logs.formats import (
    OBJECT_AFTER_NAME,
    OBJECT_FIRST,
    STRUCTURED,
    TEXT,
    TIME_FIRST,
    checked,
    usable,
)
from proofbook.collect.logs.layout import GOES_ON, Layout, has_long_messages, learn, learn_header
from proofbook.collect.logs.lines import Pieces, Rule
from proofbook.config.log_formats import AUTO, JsonFormat, LogFormat, TextFormat

_CRI_LINE = re.compile(r"(\S+ )(stdout|stderr) ([PF]) (.*)", re.DOTALL)
_DOCKER_LINE = re.compile(r'\{"log": ?"((?:[^"\\]|\\.)*)"(.*?"stream": ?"(\w+)".*)', re.DOTALL)


def _cri_pieces(line: str) -> tuple[str, str]:
    found = _CRI_LINE.match(line)
    return (found[2], found[4]) if found else ("", line)


def _docker_pieces(line: str) -> tuple[str, str]:
    found = _DOCKER_LINE.match(line)
    return (found[3], found[1]) if found else ("", line)


def _docker_joined(line: str, added: str) -> str:
    found = _DOCKER_LINE.match(line)
    return f'{{"log":"{found[1]}{added}"{found[2]}' if found else line + added


# A line of a container that is too long comes in pieces: of Docker each but the last has no end of line.
PIECES: dict[str, Pieces] = {
    "container": Pieces(
        is_open=r"^\S+ (?:stdout|stderr) P ", split=_cri_pieces, join=lambda line, added: line + added
    ),
    "docker-json": Pieces(
        is_open=r'^\{"log": ?"(?:[^"\\]|\\.)*(?:[^n"\\]|[^\\]n|\\[^n]|\\\\n)", ?"stream":',
        split=_docker_pieces,
        join=_docker_joined,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a source's lines are: a format, and the format that a container runtime put around each of them.

    snake: whether keys may be written in snake_case; looking for both takes longer. layouts: of its lines of text, learnt from
    a sample. long_messages: whether lines that are not indented belong to the entry before them too. learnt:
    where its objects keep things too, by the sample; first: where to look before all others. numbers: what its severities mean that are numbers, by the sample.
    """

    name: str
    format: LogFormat
    wrapper: str = ""
    snake: bool = True
    layouts: tuple[Layout, ...] = ()
    long_messages: bool = False
    learnt: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    first: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    numbers: Mapping[str, str] = field(default_factory=dict)

    @property
    def in_words(self) -> str:
        return f"{self.name} in {self.wrapper}" if self.wrapper else self.name

    @property
    def of_json(self) -> bool:
        return isinstance(self.format, JsonFormat)

    @property
    def pattern(self) -> str:
        """The pattern with named groups by which its lines are taken apart; empty without one."""
        return self.format.pattern if isinstance(self.format, TextFormat) else ""

    @property
    def has_time(self) -> bool:
        return not isinstance(self.format, TextFormat) or self.format.has_time

    @property
    def begins(self) -> str:
        """The pattern of a text line that begins an entry."""
        if self.pattern:
            return self.pattern
        begins = self.format.begins if isinstance(self.format, TextFormat) else ""
        layouts = (layout.begins for layout in self.layouts if layout.begins)
        return "|".join([*filter(None, [begins]), *layouts, TIME_FIRST, OBJECT_FIRST, OBJECT_AFTER_NAME])

    @property
    def rule(self) -> Rule | Pieces | None:
        """How its lines become entries; None where each is one."""
        if self.wrapper in PIECES:
            return PIECES[self.wrapper]
        if self.of_json or self.wrapper:
            return None
        return Rule(begins=self.begins, goes_on=None if self.long_messages else GOES_ON)

    @property
    def may_be_yearless(self) -> bool:
        """Whether a time in its lines of text may name no year."""
        return any(layout.form is not None and not layout.form.has_year for layout in self.layouts)

    @property
    def is_settled_whole(self) -> bool:
        """Whether some times are known only when all of a file was read: years, and those of lines that have none."""
        return isinstance(self.rule, Rule) or self.may_be_yearless

    @property
    def has_columns(self) -> bool:
        """Whether DuckDB's own reader for JSON can read a file of it."""
        return isinstance(self.format, JsonFormat) and self.format.columns and not self.wrapper

    @property
    def places(self) -> Mapping[str, tuple[str, ...]]:
        """Where a JSON object in it keeps things: in the format's own places, then in the usual ones, then where the sample does."""
        format = self.format if isinstance(self.format, JsonFormat) else JsonFormat()
        fewer = format.fewer_places
        own = format.places if self.snake or fewer is None else fewer
        if format.alone:
            return own
        found = {
            name: (*own.get(name, ()), *STRUCTURED[name], *self.learnt.get(name, ())) for name in STRUCTURED
        }
        return {
            name: tuple(dict.fromkeys((*self.first.get(name, ()), *paths))) for name, paths in found.items()
        }


def shape_of(lines: Sequence[str], *, stated: str = AUTO) -> Shape:
    """The shape of a sample of lines, by what most of them are, or by the name of a format.

    Raises:
        ExtensionError: the format of that name, of another package, cannot be used.
    """
    if stated != AUTO:
        return _of(stated, checked(stated), lines)
    objects = [item for item in map(_object, lines) if item is not None]
    if not objects and len(lines) == 1 and lines[0].startswith('{"'):
        # One entry that is longer than the sample: its first keys must do.
        objects = [dict.fromkeys(re.findall(r'"([\w@.]+)": ?', lines[0][:4000]), "")]
    known, _ = usable()
    if objects and 2 * len(objects) >= len(lines):
        name = _json_format(objects, known)
        snake = any("_" in key for item in objects for key in item)
        return _of(name, known[name], lines, objects=objects, snake=snake)
    written = [line for line in lines if line.strip() and not line[:1].isspace()]
    name = _text_format(written, known)
    return _of(name, known[name], lines)


def _of(
    name: str,
    format: LogFormat,
    lines: Sequence[str],
    *,
    objects: Sequence[dict[str, Any]] | None = None,
    snake: bool = True,
) -> Shape:
    """A shape of that format; of one that wraps lines, the shape of what it wraps."""
    if isinstance(format, JsonFormat) and format.wraps is not None:
        if objects is None:
            objects = [item for item in map(_object, lines) if item is not None]
        within = [str(item.get(format.wraps[0], "")).rstrip("\n") for item in objects]
    elif isinstance(format, TextFormat) and format.wraps:
        within = [re.sub(format.pattern, "", line) for line in lines]
    else:
        stated = isinstance(format, TextFormat) and bool(format.pattern)
        text = [line for line in lines if not line.lstrip().startswith("{")]
        shape = Shape(name=name, format=format, snake=snake, layouts=() if stated else tuple(learn(text)))
        if objects is None:
            objects = [item for item in map(_object, lines) if item is not None]
        long = has_long_messages(lines, shape.begins)
        shape = replace(shape, long_messages=long, learnt=keys.learn(objects))
        severity = keys.words_first(objects, shape.places["severity"])[:1]
        first = {"severity": severity} if severity else {}
        return replace(shape, first=first, numbers=keys.scale_of(objects, severity))
    inner = shape_of(within)
    if name == "container" and not inner.of_json and not any(_CRI_LINE.match(line) for line in lines):
        # Times before lines may be the program's own: it is text in which they stand first.
        return _of("text", TEXT, lines)
    within = [line for line in within if not line.lstrip().startswith("{")]
    # What is wrapped twice is read as text.
    return replace(inner, wrapper=name, snake=True, layouts=inner.layouts or tuple(learn_header(within)))


def _json_format(objects: Sequence[dict[str, Any]], known: Mapping[str, LogFormat]) -> str:
    """The name of the format that most of these entries have."""
    formats = {name: item for name, item in known.items() if isinstance(item, JsonFormat)}
    votes = dict.fromkeys(formats, 0)
    for entry in objects:
        votes[next((name for name, item in formats.items() if item.recognises(entry)), "json")] += 1
    # Of two that have as many, the more special one.
    return max(votes, key=lambda name: votes[name])


def _text_format(lines: Sequence[str], known: Mapping[str, LogFormat]) -> str:
    """The name of the format of text that most of these lines have."""
    for name, item in known.items():
        if lines and isinstance(item, TextFormat):
            found = re.compile(item.recognised_by or item.pattern).search
            if 2 * sum(bool(found(line[:300])) for line in lines) >= len(lines):
                return name
    return "text"


def _object(line: str) -> dict[str, Any] | None:
    if not line.lstrip().startswith("{"):
        return None
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
