"""The shape of a log: which of all formats its lines are in, what a container runtime put around them, and what a sample tells."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from proofbook.collect.logs import columns as in_columns
from proofbook.collect.logs import keys, requests, times, zones
from proofbook.collect.logs.columns import Columns
from proofbook.collect.logs.formats import (
    OBJECT_AFTER_NAME,
    OBJECT_FIRST,
    OBJECT_IN_SYSLOG,
    STRUCTURED,
    TEXT,
    TIME_FIRST,
    WHOSE,
    checked,
    usable,
)
from proofbook.collect.logs.layout import (
    GOES_ON,
    Layout,
    has_long_messages,
    learn,
    learn_header,
    say_nothing_themselves,
    with_containers,
)
from proofbook.collect.logs.lines import Pieces, Rule
from proofbook.collect.logs.pieces import CRI_LINE, PIECES
from proofbook.collect.logs.requests import RequestForm
from proofbook.collect.logs.times import TimeForm
from proofbook.config.log_formats import AUTO, DETAILS, ColumnFormat, JsonFormat, LogFormat, TextFormat

# What Docker itself says of a line.
OF_DOCKER = frozenset(["log", "stream", "time", "attrs"])
# Names of keys that a refusal shows.
MOST_KEYS = 20
_PAIR = re.compile(r"(?:^|\s)[A-Za-z_][\w.@/-]*=\S")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a source's lines are: a format, and the format that a container runtime put around each of them.

    outer: where what stands around a line says whose it is; outer_parents: the steps to what it says beside, none where it says nothing.
    opened: the steps to the text that is an object in most objects, whose keys are read as if they stood beside it. whose: the pattern of how its lines begin, where that says of which instance and service they are. snake: whether keys may be written in snake_case; looking for both takes longer. layouts: of its lines of text, learnt from
    a sample. long_messages: whether lines that are not indented belong to the entry before them too. learnt:
    where its objects keep things too, by the sample; first: where to look before all others. numbers: what its severities mean that are numbers, by the sample.
    columns: of a file in columns, where the shape is that of its messages.
    stated_begins: the pattern of a line that begins an entry, where it is stated. keys: the names of the sample's keys.
    held: where the sample's objects keep what has a column of its own; parents: the steps to where they hold other objects.
    request: how its lines of text write requests. has_pairs: whether they are pairs of names and values. traced: whether they
    name their trace in brackets. zones: what zones the times of its objects name, an empty one where they name none.
    time: the form of those times, where it is none of the usual ones of objects. names: of all keys in the sample.
    assumed: a time of those that may be of another day, with the day that it is taken for.
    """

    name: str
    format: LogFormat
    wrapper: str = ""
    outer: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    outer_parents: tuple[tuple[str, ...], ...] = ()
    opened: tuple[str, ...] = ()
    whose: str = ""
    snake: bool = True
    layouts: tuple[Layout, ...] = ()
    long_messages: bool = False
    learnt: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    first: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    numbers: Mapping[str, str] = field(default_factory=dict)
    columns: Columns | None = None
    stated_begins: str = ""
    keys: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    parents: tuple[tuple[str, ...], ...] = ()
    request: RequestForm = requests.FORMS[0]
    has_pairs: bool = False
    traced: bool = False
    zones: tuple[str, ...] = ()
    time: TimeForm | None = None
    names: frozenset[str] = frozenset()
    assumed: Mapping[str, str] = field(default_factory=dict)

    @property
    def in_words(self) -> str:
        """Its formats, the innermost first."""
        inner = self.name if self.columns is None or self.columns.body else ""
        around = self.wrapper or ("json" if self.opened else "")
        return " in ".join(filter(None, [inner, around, self.columns.kind if self.columns else ""]))

    @property
    def of_json(self) -> bool:
        return isinstance(self.format, JsonFormat)

    @property
    def pattern(self) -> str:
        """The pattern with named groups by which its lines are taken apart; empty without one."""
        return self.format.pattern if isinstance(self.format, TextFormat) else ""

    @property
    def has_time(self) -> bool:
        return self.columns is not None or not isinstance(self.format, TextFormat) or self.format.has_time

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
        if self.columns is None and self.wrapper in PIECES:
            return PIECES[self.wrapper]
        if self.of_json or self.wrapper:
            return None
        if self.stated_begins:
            return Rule(begins=self.stated_begins, goes_on=None)
        return Rule(begins=self.begins, goes_on=None if self.long_messages else GOES_ON)

    @property
    def may_be_yearless(self) -> bool:
        """Whether a time in its lines of text may name no year."""
        return any(layout.form is not None and not layout.form.has_year for layout in self.layouts)

    @property
    def places_in_lines(self) -> tuple[str, ...]:
        """The names such as Europe/Berlin of zones in its lines of text, by the sample."""
        return tuple(dict.fromkeys(place for layout in self.layouts for place in layout.places))

    @property
    def places_in_objects(self) -> tuple[str, ...]:
        """Those in its objects."""
        return zones.places_in(self.zones)

    def has_places(self, zone: str | None) -> bool:
        """Whether times may be by the clock of a place, which can be put back; zone: of times that name none."""
        return zones.is_place(zone) or bool(self.places_in_lines or self.places_in_objects)

    @property
    def assumed_dates(self) -> dict[str, str]:
        """Times that may be of another day, by the sample, with the days that they are taken for: one for each form of time."""
        of_layouts = [layout.assumed for layout in self.layouts]
        of_rows = [self.columns.assumed] if self.columns else []
        return {
            written: day for found in (*of_rows, self.assumed, *of_layouts) for written, day in found.items()
        }

    @property
    def is_settled_whole(self) -> bool:
        """Whether some times are known only when all of a file was read: years, and those of lines that have none."""
        return isinstance(self.rule, Rule) or self.may_be_yearless or self.columns is not None

    @property
    def is_objects(self) -> bool:
        """Whether most lines are objects, and nothing is put around them."""
        return self.of_json and not self.wrapper and self.columns is None

    @property
    def may_be_typed(self) -> bool:
        """Whether DuckDB's own reader for JSON can read a file of it."""
        return (
            self.is_objects
            and not self.opened
            and isinstance(self.format, JsonFormat)
            and self.format.columns
        )

    @property
    def places(self) -> Mapping[str, tuple[str, ...]]:
        """Where a JSON object in it keeps things: in the format's own places, then in the usual ones, then where the sample does."""
        format = self.format if isinstance(self.format, JsonFormat) else JsonFormat()
        fewer = format.fewer_places
        own = format.places if self.snake or fewer is None else fewer
        if format.alone:
            found = dict(own)
        else:
            names = dict.fromkeys((*STRUCTURED, *DETAILS, *self.learnt))
            found = {
                name: (*own.get(name, ()), *STRUCTURED.get(name, ()), *self.learnt.get(name, ()))
                for name in names
            }
        return {
            name: tuple(dict.fromkeys((*self.first.get(name, ()), *found.get(name, ()))))
            for name in dict.fromkeys((*found, *self.first))
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What a source states of its entries, each part empty where it is found out.

    Args:
        format: its name, or `auto`. pattern: of a line that begins an entry. time: the form of its times. levels: its words for
            severities. begins: of a line that begins an entry. places: the key or column of each thing that an entry has.
    """

    format: str = AUTO
    pattern: str = ""
    time: TimeForm | None = None
    levels: Mapping[str, str] = field(default_factory=dict)
    begins: str = ""
    places: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_in_columns(self) -> bool | None:
        """Whether it is said to be in columns; None where nothing is said."""
        if self.pattern or self.begins:
            return False
        return None if self.format == AUTO else isinstance(checked(self.format), ColumnFormat)


def of_source(stated: Stated, lines: Sequence[str]) -> Shape:
    """The shape of a sample of lines, with what is stated of it.

    Raises:
        ExtensionError: the format of that name, of another package, cannot be used.
    """
    if stated.pattern:
        shape = Shape(name="pattern", format=TextFormat(pattern=stated.pattern))
    else:
        shape = shape_of(lines, stated=stated.format, time=stated.time, closed=tuple(stated.places.values()))
    return with_stated(shape, stated)


def with_stated(shape: Shape, stated: Stated) -> Shape:
    """The shape, with the parts of it that are stated."""
    format = replace(
        shape.format,
        time_form=stated.time.name if stated.time else shape.format.time_form,
        severities={**shape.format.severities, **stated.levels},
    )
    first = {**shape.first, **{place: (path,) for place, path in stated.places.items()}}
    held = tuple(dict.fromkeys((*shape.held, *stated.places.values())))
    return replace(shape, format=format, first=first, held=held, stated_begins=stated.begins)


def of_columns(columns: Columns, text: str) -> Shape:
    """The shape of a file in columns, of which this is the beginning: that of its messages."""
    place = columns.names.index(columns.body) if columns.body else None
    rows = [row for row in in_columns.sample(columns, text) if len(row) == len(columns.names)]
    messages = [line for row in rows for line in row[place].splitlines()[:1]] if place is not None else []
    inner = shape_of(messages) if messages else Shape(name="text", format=TEXT)
    if not inner.of_json and not inner.wrapper:
        # The columns date an entry, so what its message begins with need be no time.
        inner = replace(inner, layouts=inner.layouts or tuple(learn_header(messages)))
    numbers = {**inner.numbers, **columns.numbers}
    format = replace(inner.format, severities={**inner.format.severities, **columns.severities})
    return replace(inner, format=format, snake=True, columns=columns, numbers=numbers, zones=columns.zones)


def shape_of(
    lines: Sequence[str], *, stated: str = AUTO, time: TimeForm | None = None, closed: Sequence[str] = ()
) -> Shape:
    """The shape of a sample of lines, by what most of them are, or by the name of a format.

    time: the form of their times, where it is stated. closed: keys of which it is stated what they hold.

    Raises:
        ExtensionError: the format of that name, of another package, cannot be used.
    """
    if stated != AUTO:
        return _of(stated, checked(stated), lines, time=time)
    objects = [item for item in map(keys.object_in, lines) if item is not None]
    if not objects and len(lines) == 1 and lines[0].startswith('{"'):
        # One entry that is longer than the sample: its first keys must do.
        objects = [dict.fromkeys(re.findall(r'"([\w@.]+)": ?', lines[0][:4000]), "")]
    known, _ = usable()
    if objects and 2 * len(objects) >= len(lines):
        name = _json_format(objects, known)
        texts = keys.objects_in_texts(objects)
        inner = {steps: found for steps, found in texts.items() if ".".join(steps) not in closed}
        if inner and not (name == "docker-json" and keys.names_at_top(objects) <= OF_DOCKER):
            return _opened(objects, *next(iter(inner.items())), known=known, time=time)
        snake = any("_" in key for item in objects for key in item)
        return _of(name, known[name], lines, objects=objects, snake=snake, time=time)
    written = [line for line in lines if line.strip() and not line[:1].isspace()]
    name = _text_format(written, known)
    return replace(_of(name, known[name], lines, time=time), whose=_whose(written))


def _whose(lines: Sequence[str]) -> str:
    """The pattern by which most of the lines say whose they are; empty where none does."""
    for pattern in WHOSE:
        found = [match["instance"] for line in lines if (match := re.match(pattern, line))]
        if 2 * sum(not keys.LEVEL_WORDS.fullmatch(name) for name in found) > len(lines):
            return pattern
    return ""


def _opened(
    objects: Sequence[Mapping[str, Any]],
    steps: tuple[str, ...],
    inner: Sequence[Mapping[str, Any]],
    *,
    known: Mapping[str, LogFormat],
    time: TimeForm | None,
) -> Shape:
    """The shape of objects that hold what a program wrote, itself an object, as a text."""
    merged = [keys.merged(item, steps) for item in objects]
    name = _json_format(merged, known)
    said = keys.flat(inner)
    learnt = keys.learn(said)
    # What collects entries states a severity of its own, often the same of all.
    severity = keys.words_first(said, (*STRUCTURED["severity"], *learnt.get("severity", ())))
    lines = [json.dumps(item) for item in merged]
    shape = _of(name, known[name], lines, objects=merged, time=time, severity=severity)
    # An object that says nothing in words is its own message.
    there = {path for item in said for path in item}
    body = [path for path in (*STRUCTURED["body"], *learnt.get("body", ())) if path in there]
    text = ".".join(steps)
    return replace(
        shape,
        opened=steps,
        first={**shape.first, "body": (*dict.fromkeys(body), text)},
        held=tuple(dict.fromkeys((*shape.held, text, *body[:1]))),
    )


def _of(
    name: str,
    format: LogFormat,
    lines: Sequence[str],
    *,
    objects: Sequence[Mapping[str, Any]] | None = None,
    snake: bool = True,
    time: TimeForm | None = None,
    severity: Sequence[str] = (),
) -> Shape:
    """A shape of that format; of one that wraps lines, the shape of what it wraps. severity: where it is looked for before all other places."""
    if isinstance(format, JsonFormat) and format.wraps is not None:
        if objects is None:
            objects = [item for item in map(keys.object_in, lines) if item is not None]
        within = [str(item.get(format.wraps[0], "")).rstrip("\n") for item in objects]
    elif isinstance(format, TextFormat) and format.wraps:
        within = [re.sub(format.pattern, "", line) for line in lines]
    else:
        has_pattern = isinstance(format, TextFormat) and bool(format.pattern)
        text = [line for line in lines if not line.lstrip().startswith("{") and _named_object(line) is None]
        layouts = () if has_pattern else tuple(with_containers(learn(text, stated=time), text))
        shape = Shape(name=name, format=format, snake=snake, layouts=layouts)
        if objects is None:
            found = (keys.object_in(line) or _named_object(line) for line in lines)
            objects = [item for item in found if item is not None]
        sample, own = keys.flat(objects), tuple(dict.fromkeys(key for item in objects for key in item))
        shape = replace(
            shape,
            long_messages=has_long_messages(lines, shape.begins) or say_nothing_themselves(lines, layouts),
            learnt=keys.learn(sample),
            request=requests.form_of(text),
            has_pairs=_have_pairs(text),
            traced=requests.has_brackets(text),
            parents=keys.parents(objects),
            names=keys.names_in(objects),
            keys=own[:MOST_KEYS],
        )
        severity = severity or keys.words_first(sample, shape.places["severity"])
        first = {"severity": tuple(severity[:1])} if severity else {}
        if statuses := shape.learnt.get("status"):
            # A key called `status` may hold the word of a job.
            first["status"] = statuses[:1]
        if shape.learnt.get("fraction"):
            # What lies around both is no text of a time.
            first["timestamp"] = shape.learnt["timestamp"][:1]
        named = keys.zones_of(sample, shape.places["timestamp"])
        written, assumed = (time, {}) if time else keys.time_form_of(sample, shape.places["timestamp"])
        shape = replace(
            shape,
            first=first,
            numbers=keys.scale_of(sample, severity, keys=own),
            zones=named,
            time=written,
            assumed=assumed,
        )
        places = {name: paths for name, paths in shape.places.items() if name != "status" or statuses}
        return replace(shape, held=keys.held(sample, places, keys=own))
    inner = shape_of(within, time=time)
    if name == "container" and not inner.of_json and not any(CRI_LINE.match(line) for line in lines):
        # Times before lines may be the program's own: it is text in which they stand first.
        return _of("text", TEXT, lines)
    within = [line for line in within if not line.lstrip().startswith("{")]
    # What is wrapped twice is read as text.
    inner = replace(inner, wrapper=name, snake=True, layouts=inner.layouts or tuple(learn_header(within)))
    if not objects or keys.names_at_top(objects) <= OF_DOCKER:
        return inner
    # What collects the lines of containers says whose they are.
    told = keys.learn(keys.flat(objects))
    outer = {str(thing): told[thing] for thing in ("service", "instance") if thing in told}
    return replace(inner, outer=outer, outer_parents=((), *keys.parents(objects)))


def _have_pairs(lines: Sequence[str]) -> bool:
    """Whether most of these lines hold several pairs as logfmt writes them."""
    return 2 * sum(len(_PAIR.findall(line[:1000])) > 1 for line in lines) > len(lines)


def _json_format(objects: Sequence[Mapping[str, Any]], known: Mapping[str, LogFormat]) -> str:
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
            count = sum(bool(found(line[:300])) for line in lines)
            # Of java.util.logging every second line begins with a level, after one with a time.
            is_half = 2 * count == len(lines) and (item.has_time or not any(map(times.first_in, lines)))
            if 2 * count > len(lines) or is_half:
                return name
    return "text"


def _named_object(line: str) -> Mapping[str, Any] | None:
    """The object behind the name of a container or a program."""
    is_named = re.match(OBJECT_AFTER_NAME, line) or re.match(OBJECT_IN_SYSLOG, line)
    return keys.object_in(line[line.index('{"') :]) if is_named else None
