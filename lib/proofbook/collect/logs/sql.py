"""The SQL that turns lines of any shape into one table of entries.

Lines that hold a JSON object go through one mapping, all others through another, so that a file which mixes both is read
too. DuckDB's patterns are RE2's: they cannot backtrack without end.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from proofbook.collect.logs import fields as extra
from proofbook.collect.logs import formats, keys, requests, times
from proofbook.collect.logs.delimited import Columns, name_of
from proofbook.collect.logs.layout import Layout
from proofbook.collect.logs.shape import Shape
from proofbook.config.duckdb_text import quoted
from proofbook.config.log_formats import DETAILS, LOG_FORMATS, JsonFormat, TextFormat
from proofbook.redaction.scrubbing import Rule, suspect


def first_of(expressions: Iterable[str]) -> str:
    """SQL: the first of the expressions that is neither NULL nor empty."""
    given = [f"nullif({item}, '')" for item in expressions]
    return f"coalesce({', '.join(given)})" if given else "NULL::VARCHAR"


def time_of(text: str, *, zone: str | None, year: int, form: str = "") -> str:
    """SQL: a TIMESTAMPTZ from text in any of the known forms, or in the one that is stated; or NULL.

    zone: what to append where the text names no zone; None leaves such a time unread.
    year: the year of forms that name none, as a time that is not in the future.
    """
    if form:
        return _time_in_form(text, form, zone=zone, year=year)
    plain = f"replace(replace({text}, ',', '.'), '/', '-')"
    zoned = rf"regexp_matches({text}, '(?:Z|UTC|[+-]\d\d:?\d\d)$')"
    local = f"try_cast({plain} || {quoted(zone)} AS TIMESTAMPTZ)" if zone is not None else "NULL"
    number = f"try_cast({text} AS DOUBLE)"
    micros = f"CASE WHEN {number} < 1e11 THEN {number} * 1e6 WHEN {number} < 1e14 THEN {number} * 1e3 WHEN {number} < 1e17 THEN {number} ELSE {number} / 1e3 END"
    yearless = (
        f"try_strptime({year} || ' ' || regexp_replace(regexp_replace({text}, '^<[0-9]+>', ''), ' +', ' ', 'g'), '%Y %b %d %H:%M:%S')",
        f"try_strptime({year} || substr({text}, 2), '%Y%m%d %H:%M:%S.%f')",
    )
    offset = zone if zone not in (None, "Z") else "+00:00"
    named = (
        [f"try_cast(strftime({item}, '%Y-%m-%dT%H:%M:%S.%f') || {quoted(offset or '')} AS TIMESTAMPTZ)" for item in yearless]
        if zone is not None
        else ["NULL"]
    )  # fmt: skip
    return (
        f"CASE WHEN ends_with({text}, 'Z') THEN try_cast({text} AS TIMESTAMPTZ) "
        rf"WHEN regexp_full_match({text}, '[0-9]{{8,20}}(?:\.[0-9]*)?') THEN make_timestamptz(try_cast({micros} AS BIGINT)) "
        f"WHEN regexp_matches({text}, '^[0-9]{{2}}/[A-Z]') THEN try_strptime({text}, '%d/%b/%Y:%H:%M:%S %z') "
        f"WHEN regexp_matches({text}, '^(<[0-9]+>)?[A-Z]') THEN coalesce({', '.join(named)}) "
        rf"WHEN {zoned} THEN try_cast(regexp_replace(replace(replace({text}, ',', '.'), 'UTC', '+00:00'), ' ([+-])', '\1') AS TIMESTAMPTZ) "
        f"ELSE {local} END"
    )


def _time_in_form(text: str, form: str, *, zone: str | None, year: int) -> str:
    try:
        known = times.stated(form)
    except ValueError:
        # A format of another package may use letters of DuckDB's own.
        found = f"try_strptime({text}, {quoted(form)})"
        return times.zoned_sql(f"{found}::TIMESTAMP", "''", otherwise=zone)
    local = times.local_sql(known, text, year=year)
    written = times.zone_sql(known, text)
    return times.zoned_sql(local, written, otherwise=zone)


def severity_of(word: str, own: Mapping[str, str] = MappingProxyType({})) -> str:
    """SQL: one of the names in SEVERITY_NUMBERS, or NULL. own: a format's own words for them."""
    if own:
        said = " ".join(f"WHEN {quoted(a.upper())} THEN {quoted(b)}" for a, b in own.items())
        return f"CASE upper({word}) {said} ELSE {severity_of(word)} END"
    # Each WHEN costs a pass over the rows that are left: most end at the first two.
    cases = " ".join(f"WHEN '{a}' THEN '{b}'" for a, b in formats.SAME_SEVERITY.items())
    names = _listed(formats.SEVERITY_NUMBERS)
    return f"CASE WHEN {word} IS NULL THEN NULL WHEN {word} IN ({names}) THEN {word} WHEN upper({word}) IN ({names}) THEN upper({word}) ELSE CASE upper({word}) {cases} END END"


def stripped(text: str) -> str:
    """SQL: without ANSI codes and control characters."""
    clean = f"regexp_replace(regexp_replace({text}, '{formats.ANSI}', '', 'g'), '{formats.CONTROL}', '', 'g')"
    return f"CASE WHEN regexp_matches({text}, '{formats.CONTROL}') THEN {clean} ELSE {text} END"


def cleaned(text: str, rules: tuple[Rule, ...]) -> str:
    """SQL: without ANSI codes, control characters, and secrets, by the rules of `redaction`."""
    clean = f"regexp_replace(regexp_replace({text}, '{formats.ANSI}', '', 'g'), '{formats.CONTROL}', '', 'g')"
    for rule in rules:
        clean = f"regexp_replace({clean}, {quoted(rule.pattern)}, {quoted(rule.replacement)}, 'g')"
    # Most text is done with after one look.
    return f"CASE WHEN regexp_matches({text}, {quoted(f'{formats.CONTROL}|{suspect(rules)}')}) THEN {clean} ELSE {text} END"


def entries_sql(
    shape: Shape,
    *,
    lines: str,
    source: str,
    service: str | None,
    file: str,
    zone: str | None,
    now: dt.datetime,
    rules: tuple[Rule, ...] = (),
    typed: bool = False,
    only_bodies: bool = False,
) -> str:
    """SQL from a relation `lines(text, line, lines)` to one row per row of it, in its order, with COLUMNS.

    `line` may be NULL where the row's own number says it. A line that cannot be read has no timestamp and keeps its text
    as body; a blank one has neither. Where times may name no year, there is a column `yearless`; these are of LEAP_YEAR then.

    Args:
        zone: of times that name none; None leaves them unread. now: by which times without a year are placed.
        typed: the relation is that of `objects_sql`, with a column for each of the places where the shape keeps things.
        only_bodies: nothing but times and bodies is looked for.
    """
    fields = _Fields(shape, typed=typed, only_bodies=only_bodies)
    times = _times(shape, zone=zone, year=now.year)
    return f"""
WITH {_opened(fields, lines)},
inside AS (SELECT *, CASE WHEN starts_with(payload, '{{') THEN try(json_extract_string(payload, [{_listed(fields.inner)}])) END AS p FROM opened),
found AS (SELECT is_json, payload, rest, first, ts0, line, lines, {"cells, " if shape.columns else ""}header, written, zone, yearless, {_named(_found(fields))} FROM inside),
told AS (SELECT *, {_named(_DIRTY)} FROM found),
clean AS (SELECT *, {_named(_clean(rules, only_bodies=only_bodies) | times)} FROM told),
worded AS (SELECT *, CASE WHEN by_entry IS NULL THEN {_words_of("body2", shape)} END AS w FROM clean),
spoken AS (SELECT *, CASE WHEN w IS NOT NULL THEN {first_of(f"w.{name}" for name in "abcde")} END AS word FROM worded),
judged AS (SELECT *, {_severity_by_text("rest", shape)} AS by_text FROM spoken)
SELECT
  {_in_range(_not_ahead("t1", shape, now))} AS timestamp,
  {_in_range("t2")} AS observed_timestamp,
  coalesce(by_entry, by_text) AS severity_text,
  {_number_of("coalesce(by_entry, by_text)")} AS severity_number,
  CASE WHEN by_entry IS NOT NULL THEN 'entry' WHEN by_text IS NOT NULL THEN 'text' END AS severity_source,
  CASE WHEN rest IS NULL THEN NULL WHEN t1 IS NULL THEN coalesce(header2, '') || body2 ELSE body2 END AS body,
  CASE WHEN t1 IS NOT NULL THEN header2 END AS header,
  coalesce(service, {quoted(service) if service else "NULL"}) AS service_name,
  {_identity(fields)}
  {quoted(source)} AS source,
  {quoted(file)} AS file,
  line,
  lines{", yearless" if shape.may_be_yearless else ""}
FROM judged"""


def _identity(fields: _Fields) -> str:
    """SQL: the columns that say whose and which request's an entry is, and what it holds beside."""

    def in_request(part: str) -> str:
        return f"nullif(q.{part}, '')" if part in fields.shape.request.parts else "NULL::VARCHAR"

    said = "CASE WHEN is_json THEN said ELSE rest END"
    ids = {
        thing: requests.ids_in(said, thing, in_brackets=fields.shape.traced) for thing in requests.PATTERNS
    }
    address = f"CASE WHEN q.status <> '' THEN {requests.address_of('rest')} END"
    whole = {
        name: f"try_cast(coalesce({name}, {in_request(name)}) AS BIGINT)"
        for name in ("request_bytes", "response_bytes")
    }
    return f"""version AS service_version,
  instance AS service_instance_id,
  coalesce({_trace_of("trace")}, {ids["trace"]}) AS trace_id,
  coalesce(span, CASE WHEN starts_with(trace, '00-') THEN nullif(split_part(trace, '-', 3), '') END, {ids["span"]}) AS span_id,
  coalesce(method, {in_request("method")}) AS http_method,
  url2 AS http_url,
  try_cast(coalesce(status, {in_request("status")}) AS INTEGER) AS http_status,
  CASE WHEN ends_with(latency, 's') THEN try_cast(rtrim(latency, 's') AS DOUBLE) END AS http_latency_s,
  coalesce(user_agent, {in_request("user_agent")}) AS http_user_agent,
  coalesce(remote_ip, {address}) AS http_remote_ip,
  {whole["request_bytes"]} AS http_request_bytes,
  {whole["response_bytes"]} AS http_response_bytes,
  coalesce(protocol, {in_request("protocol")}) AS http_protocol,
  CASE WHEN id IS NOT NULL AND lines = 1 THEN hash(id) END AS insert_hash,
  payload2 AS attributes,
  fields2 AS fields,
  {extra.cut("listed")}::INTEGER AS fields_cut,"""


def _trace_of(text: str) -> str:
    """SQL: the id of a trace as it is written: W3C's with version and span, or that of a platform with a path before it."""
    return f"CASE WHEN starts_with({text}, '00-') THEN split_part({text}, '-', 2) ELSE nullif(split_part({text}, '/', -1), '') END"


_NO_LAYOUT = "NULL::VARCHAR AS header, NULL::TIMESTAMP AS written, '' AS zone, NULL::VARCHAR AS said_level, false AS yearless"
_WITH_STACK = "stack IS NOT NULL AND NOT contains(said, stack) AND stack NOT IN ('true', 'false')"
_DIRTY = {
    "body0": f"CASE WHEN {_WITH_STACK} THEN said || chr(10) || stack ELSE coalesce(said, '') END",
    "url0": "coalesce(url, nullif(q.url, ''))",
    "map0": extra.as_map("listed"),
}


class _Fields:
    """Where a shape keeps what an entry has, as SQL."""

    def __init__(self, shape: Shape, *, typed: bool, only_bodies: bool) -> None:
        self.shape, self.typed, self.only_bodies = shape, typed, only_bodies
        self.groups = formats.groups_of(shape.pattern)
        wanted = ("timestamp", "body", "payload", "stack") if only_bodies else tuple(shape.places)
        self.places = {name: paths for name, paths in shape.places.items() if name in wanted}
        found = (key for paths in self.places.values() for path in paths for key in _json_paths(path))
        self.keys = list(dict.fromkeys(found))
        self.texts = [key for path in formats.PAYLOAD_TEXT for key in _json_paths(path)]
        self.inner = [*self.texts, *(key for path in formats.PAYLOAD_STACK for key in _json_paths(path))]
        self.may_request = not shape.of_json and not self.groups

    def at(self, name: str, *others: str) -> str:
        """The first thing found where this shape keeps `name`, or in the group that a stated pattern gives that name."""
        paths = self.places.get(name, ())
        cells = self.cells(name)
        found = (
            [_typed_path(path) for path in paths]
            if self.typed
            else [f"r[{1 + self.keys.index(key)}]" for path in paths for key in _json_paths(path)]
        )
        in_group = name in self.groups and name not in ("timestamp", "body")
        return first_of([*cells, *found, *others, *([f"g.{name}"] if in_group else [])])

    def cells(self, name: str) -> list[str]:
        """The cells that hold it, of a file in columns; a sign for nothing is none."""
        columns = self.shape.columns
        if columns is None or name in ("timestamp", "body"):
            return []
        return [_cell(columns, column) for column in columns.places.get(name, ())]


def _cell(columns: Columns, column: str) -> str:
    return f"nullif(cells.{name_of(columns.names.index(column))}, '-')"


def _opened(fields: _Fields, lines: str) -> str:
    """The relations up to `opened`: each line without its wrapper, taken apart as JSON and by the pattern."""
    if fields.typed:
        return f"opened AS (SELECT *, {_NO_LAYOUT}, true AS is_json, {fields.at('payload')} AS payload FROM ({lines}))"
    pattern, groups = quoted(fields.shape.pattern), _listed(fields.groups)
    matched = f", regexp_extract(first, {pattern}, [{groups}]) AS g" if fields.groups else ""
    # Raw lines may follow an object, and the name of a container or a header stand before it.
    named = f"WHEN regexp_matches(first, {quoted(formats.OBJECT_AFTER_NAME)}) THEN substr(first, strpos(first, '{{'))"
    after = "ltrim(substr(first, length(header) + 1))"
    object_ = f"""CASE WHEN starts_with(ltrim(first), '{{') THEN first
        WHEN header IS NOT NULL THEN CASE WHEN starts_with({after}, '{{"') THEN {after} END {named} END"""
    return f"""wrapped AS ({_unwrapped(fields.shape, lines)}),
lined AS (SELECT *, CASE WHEN lines > 1 THEN split_part(rest, chr(10), 1) ELSE rest END AS first FROM wrapped),
{_laid_out(fields.shape)}
objects AS (SELECT *, {object_} AS object FROM laid_out),
parsed AS (SELECT *, try(json_extract_string(object, [{_listed(fields.keys)}])) AS r{matched} FROM objects),
opened AS (SELECT *, r IS NOT NULL AS is_json, {fields.at("payload")} AS payload FROM parsed)"""


def _laid_out(shape: Shape) -> str:
    """The relation `laid_out`: header, written (the time in it, without its zone), zone and said_level of each line of text."""
    layouts = shape.layouts
    if not layouts:
        return f"laid_out AS (SELECT *, {_NO_LAYOUT} FROM lined),"
    steps, before = [], "lined"
    for number, layout in enumerate(layouts):
        unread = " AND ".join(
            [f"h{earlier} = ''" for earlier in range(number)] or ["NOT starts_with(ltrim(first), '{')"]
        )
        found = f"CASE WHEN {unread} THEN regexp_extract(first, {quoted(layout.header)}) END AS h{number}"
        # A line that an earlier layout fits is not looked at again.
        steps.append(f"layout{number} AS (SELECT *, {found} FROM {before})")
        before = f"layout{number}"

    def of(value: Callable[[Layout], str]) -> str:
        cases = " ".join(f"WHEN h{n} <> '' THEN {value(layout)}" for n, layout in enumerate(layouts))
        return f"CASE {cases} END"

    header = of(lambda layout: f"h{layouts.index(layout)}")
    time = of(lambda layout: f"regexp_extract(header, {quoted(layout.time)})" if layout.form else "NULL")
    written = of(
        lambda layout: (
            times.local_sql(layout.form, "time_text", year=times.LEAP_YEAR)
            if layout.form
            else "NULL::TIMESTAMP"
        )
    )
    yearless = of(lambda layout: "true" if layout.form and not layout.form.has_year else "false")
    return f"""{", ".join(steps)},
headed AS (SELECT *, {header} AS header FROM {before}),
timed AS (SELECT *, {time} AS time_text FROM headed),
laid_out AS (SELECT *, {written} AS written, coalesce(regexp_extract(time_text, {quoted(times.ZONE_AT_END)}), '') AS zone,
    {of(_level_of)} AS said_level, coalesce({yearless}, false) AS yearless FROM timed),"""


def _level_of(layout: Layout) -> str:
    """SQL: the level in `header`, or NULL."""
    if layout.level is None:
        return "NULL"
    before = f"regexp_extract(header, {quoted(layout.level.before)})"
    after = f"substr(header, length({before}) + 1)" if layout.level.before != "^" else "header"
    return f"nullif(regexp_extract({after}, {quoted(layout.level.word)}), '')"


def _found(fields: _Fields) -> dict[str, str]:
    """What an entry says, by name, as it stands there."""
    shape, at = fields.shape, fields.at
    texts = len(fields.texts)
    said = at("body", *(f"p[{1 + n}]" for n in range(texts)), "payload")
    if shape.name == "journald":
        said = f"CASE WHEN regexp_full_match({said}, '\\[[0-9]{{1,3}}(,[0-9]{{1,3}})*\\]') THEN {_text_of_bytes(said)} ELSE {said} END"
    stack = at("stack", *(f"p[{1 + n}]" for n in range(texts, len(fields.inner))))
    in_text = f"left(regexp_extract(rest, {quoted(formats.TIME_FIRST)}, 1), 64)"
    written = "g.timestamp" if fields.groups else in_text
    # An object that cannot be parsed is broken, whatever times it holds.
    broken = "WHEN starts_with(ltrim(rest), '{') THEN NULL " if shape.of_json else ""
    request, no_request = requests.of_line(shape.request, "rest"), requests.nothing(shape.request)
    grouped = "CASE WHEN g.body <> '' THEN g.body || substr(rest, length(first) + 1) ELSE rest END"
    more = "CASE WHEN lines > 1 THEN substr(rest, length(first) + 1) ELSE '' END"
    cut = "" if fields.only_bodies else "WHEN header IS NOT NULL THEN substr(rest, length(header) + 1) "
    others = (
        "observed", "severity", "service", "version", "instance", "trace", "span", "method", "url", "status",
        "latency", "id", *DETAILS,
    )  # fmt: skip
    return {
        "said": f"CASE WHEN is_json THEN {said} || {more} {cut}ELSE {grouped if 'body' in fields.groups else 'rest'} END",
        "stack": f"CASE WHEN is_json THEN {stack} END",
        "t": f"CASE WHEN is_json THEN {at('timestamp')} {broken}ELSE nullif({written}, '') END",
        "q": f"CASE WHEN NOT is_json THEN {request} END" if fields.may_request else no_request,
        **{name: at(name) for name in others},
        "severity": f"coalesce({at('severity')}, {_own_level(shape)}said_level)",
        "listed": extra.NOTHING if fields.only_bodies else _extra_of(fields),
    }


def _own_level(shape: Shape) -> str:
    """SQL: the first of a format's own words for severities in a line of text, with a comma after it; nothing where it has none."""
    words = [re.escape(word) for word in shape.format.severities if not word.isdigit()]
    if not words or shape.of_json:
        return ""
    pattern = rf"(?i)(?:^|[^\w])({'|'.join(sorted(words, key=len, reverse=True))})(?:[^\w]|$)"
    return (
        f"CASE WHEN NOT is_json THEN nullif(regexp_extract(left(first, 200), {quoted(pattern)}, 1), '') END, "
    )


def _extra_of(fields: _Fields) -> str:
    """SQL: what an entry holds beside what has a column of its own, as a list."""
    shape, columns = fields.shape, fields.shape.columns
    told = (*formats.PAYLOAD_TEXT[:2], *formats.PAYLOAD_STACK)
    parts = []
    without = [*shape.held, *(f"{path}.{name}" for path in fields.places.get("payload", ()) for name in told)]
    if fields.typed:
        parts += _extra_of_typed(shape)
    elif not fields.groups:
        objects = [
            extra.of_object("object"),
            *(extra.of_object("object", path=path, prefix=f"{path}.") for path in shape.parents),
        ]
        without += shape.parents
        found = (
            f"CASE WHEN is_json THEN list_concat({', '.join(objects)}) END"
            if shape.has_objects
            else extra.NOTHING
        )
        if shape.has_pairs:
            pairs = extra.of_pairs("left(rest, 8000)")
            found = f"CASE WHEN is_json THEN {found} ELSE {pairs} END" if shape.has_objects else pairs
        parts.append(found)
    if columns is not None:
        taken = {name for names in columns.places.values() for name in names[:1]} | set(
            columns.date_and_time or ()
        )
        parts.append(
            extra.of_values({name: _cell(columns, name) for name in columns.names if name not in taken})
        )
    return extra.together(parts, without=dict.fromkeys(without))


_LABELS = "labels"
# What Cloud Logging's entries hold beside places and labels.
_TYPED = (
    "logName", "resource.type", "httpRequest.serverIp", "httpRequest.referer", "httpRequest.cacheHit", "traceSampled",
    "operation.id", "operation.producer", "sourceLocation.file", "sourceLocation.line", "sourceLocation.function",
)  # fmt: skip


def _extra_of_typed(shape: Shape) -> list[str]:
    labels = [
        f"list_transform(map_entries({path}), e -> {{'key': '{path}.' || e.key, 'value': e.value}})"
        for path in ("labels", "resource.labels")
    ]
    payload = shape.places["payload"][0]
    inner = extra.of_object("payload", prefix=f"{payload}.")
    return [
        extra.of_values({name: name for name in _TYPED}),
        *(
            f"CASE WHEN {path} IS NOT NULL THEN {listed} END"
            for path, listed in zip(("labels", "resource.labels"), labels, strict=True)
        ),
        f"CASE WHEN starts_with(payload, '{{') THEN {inner} END",
    ]


def _text_of_bytes(numbers: str) -> str:
    """SQL: the text that a list of bytes is, as journald writes one in which a control character stands."""
    digits = f"list_transform(try_cast({numbers} AS INTEGER[]), byte -> printf('%02x', byte))"
    return f"coalesce(try(decode(unhex(array_to_string({digits}, '')))), {numbers})"


def _clean(rules: tuple[Rule, ...], *, only_bodies: bool) -> dict[str, str]:
    """What is written, without secrets and control characters."""
    return {
        # A count shows no text, so there is nothing to hide.
        "body2": stripped("body0") if only_bodies else cleaned("body0", rules),
        "header2": "NULL::VARCHAR" if only_bodies else cleaned("header", rules),
        "url2": cleaned("url0", rules),
        "payload2": cleaned("payload", rules),
        "fields2": extra.scrubbed(
            "map0",
            suspect=lambda text: f"regexp_matches({text}, {quoted(f'{formats.CONTROL}|{suspect(rules)}')})",
            clean=lambda text: cleaned(text, rules),
        ),
    }


def _times(shape: Shape, *, zone: str | None, year: int) -> dict[str, str]:
    """SQL for the times of an entry, and for the severity that it states, by name."""
    form = shape.format
    json_zone = "Z" if form.utc and zone is None else zone
    text_zone = zone if shape.of_json else json_zone
    # A form that is stated is that of the format's own entries, not of what else lies between them.
    at_json = time_of("t", zone=json_zone, year=year, form=form.time_form if shape.of_json else "")
    at_text = time_of("t", zone=text_zone, year=year, form="" if shape.of_json else form.time_form)
    outside = time_of("ts0", zone=None, year=year)
    has_observed = isinstance(form, JsonFormat) and "observed" in form.places
    laid_out = times.zoned_sql("written", "zone", otherwise=text_zone)
    # What put a line into the log dates it, and not what its text says.
    if shape.wrapper:
        at_json, outside = f"coalesce({at_json}, {outside})", f"WHEN ts0 IS NOT NULL THEN {outside} "
    else:
        outside = ""
    if shape.layouts:
        at_json = f"coalesce({at_json}, {laid_out})"
    dated = f"CASE WHEN is_json THEN {at_json} {outside}WHEN header IS NOT NULL THEN {laid_out} ELSE {at_text} END"
    if shape.columns:
        dated = f"coalesce({_time_of_row(shape.columns, zone=zone, year=year)}, {dated})"
    return {
        "t1": dated,
        "t2": time_of("observed", zone=json_zone, year=year) if has_observed else "NULL::TIMESTAMPTZ",
        "by_entry": severity_of("severity", {**shape.numbers, **form.severities}),
    }


def _time_of_row(columns: Columns, *, zone: str | None, year: int) -> str:
    """SQL: the time of a row of a file in columns; NULL where no column says it."""
    zone = "Z" if columns.is_utc and zone is None else zone
    cells = [_cell(columns, name) for name in columns.places.get("timestamp", ())]
    if columns.date_and_time:
        cells = [f"({cells[0]} || ' ' || {cells[1]})"]
    found = [time_of(cell, zone=zone, year=year) for cell in cells]
    if columns.time is not None and cells:
        named = f"coalesce(regexp_extract({cells[0]}, {quoted(times.ZONE_AT_END)}), '')"
        local = times.local_sql(columns.time, cells[0], year=year)
        found.insert(1 if columns.time.is_iso else 0, times.zoned_sql(local, named, otherwise=zone))
    return f"coalesce({', '.join([*found, 'NULL::TIMESTAMPTZ'])})"


def text_of_row(columns: Columns) -> str:
    """SQL: the message of a row of a file in columns; the whole row where no column is one, or none is a time."""
    dated = [
        f"regexp_matches({_cell(columns, name)}, '[0-9]')" for name in columns.places.get("timestamp", ())
    ]
    if not columns.body or not dated:
        return "text"
    return f"CASE WHEN {' OR '.join(dated)} THEN coalesce(cells.{name_of(columns.names.index(columns.body))}, '') ELSE text END"


def objects_sql(shape: Shape, *, path: str, array: bool) -> str:
    """From a file that holds nothing but JSON objects, one a line or in an array, to the relation that `typed` means.

    The query fails at the first thing that is something else; it is the fastest way through a file in which nothing is.
    """
    places = shape.places
    tree: dict[str, Any] = {}
    for dotted in dict.fromkeys((*(path for paths in places.values() for path in paths), *_TYPED)):
        branch = tree
        *parents, leaf = dotted.split(".")
        if parents[-1:] == [_LABELS]:
            parents, leaf = parents[:-1], _LABELS
        for step in parents:
            branch = branch.setdefault(step, {})
        branch[leaf] = None
    columns = ", ".join(f"{name}: '{kind}'" for name, kind in _types(tree).items())
    form = "array" if array else "newline_delimited"
    return f"""SELECT *, '' AS rest, '' AS first, NULL::VARCHAR AS ts0, NULL::BIGINT AS line, 1 AS lines
        FROM read_json({quoted(path)}, format='{form}', columns={{{columns}}})"""


def _type_of(tree: Mapping[str, Any] | None) -> str:
    if tree is None:
        return "VARCHAR"
    return "STRUCT(" + ", ".join(f"{name} {kind}" for name, kind in _types(tree).items()) + ")"


def _types(tree: Mapping[str, Any]) -> dict[str, str]:
    """DuckDB's types of the members of an object; labels are whatever somebody named so."""
    return {
        name: "MAP(VARCHAR, VARCHAR)" if name == _LABELS else _type_of(inner) for name, inner in tree.items()
    }


def _typed_path(path: str) -> str:
    *parents, leaf = path.split(".")
    return f"{'.'.join(parents)}[{quoted(leaf)}]" if parents[-1:] == [_LABELS] else path


def _named(expressions: Mapping[str, str]) -> str:
    return ", ".join(f"{expression} AS {name}" for name, expression in expressions.items())


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(map(quoted, texts))


def _unwrapped(shape: Shape, lines: str) -> str:
    cells = ", cells" if shape.columns else ""
    wrapper = LOG_FORMATS.get(shape.wrapper) if shape.wrapper else None
    if isinstance(wrapper, JsonFormat) and wrapper.wraps is not None:
        inner, time = (_json_paths(path)[0] for path in wrapper.wraps)
        return f"""SELECT rtrim(coalesce(d[1], text), chr(10)) AS rest, d[2] AS ts0, line, lines{cells} FROM (
            SELECT *, CASE WHEN starts_with(text, '{{') THEN try(json_extract_string(text, [{_listed([inner, time])}])) END AS d FROM ({lines}))"""
    if isinstance(wrapper, TextFormat):
        return f"""SELECT CASE WHEN k = '' THEN text ELSE regexp_replace(text, {quoted(wrapper.pattern)}, '') END AS rest, nullif(k, '') AS ts0, line, lines{cells}
            FROM (SELECT *, regexp_extract(text, {quoted(wrapper.pattern)}, 1) AS k FROM ({lines}))"""
    return f"SELECT text AS rest, NULL::VARCHAR AS ts0, line, lines{cells} FROM ({lines})"


def _json_paths(path: str) -> list[str]:
    """The JSONPaths of `a.b`: nested, and, since a key may hold a dot itself, as one key."""
    steps = path.split(".")
    nested = "$" + "".join(f".{step}" if step.isidentifier() else f'."{step}"' for step in steps)
    certain = steps[0] in ("resource", "labels", "httpRequest", "http_request")
    return [nested] if len(steps) == 1 or certain else [nested, f'$."{path}"']


def _words_of(body: str, shape: Shape) -> str:
    if _severity_in(shape) == "nowhere":
        return "NULL::STRUCT(a VARCHAR, b VARCHAR, c VARCHAR, d VARCHAR, e VARCHAR)"
    return f"regexp_extract(left({body}, 200), {quoted(formats.SEVERITY_IN_TEXT)}, ['a', 'b', 'c', 'd', 'e'])"


def _severity_by_text(line: str, shape: Shape) -> str:
    words = severity_of("word", shape.format.severities)
    if _severity_in(shape) != "priority":
        return words
    priority = f"try_cast(nullif(regexp_extract({line}, '^<([0-9]{{1,3}})>', 1), '') AS INTEGER) % 8"
    return f"coalesce({severity_of(f'({priority})::VARCHAR', keys.SYSLOG)}, {words})"


def _severity_in(shape: Shape) -> str:
    return shape.format.severity_in if isinstance(shape.format, TextFormat) else "words"


def _number_of(name: str) -> str:
    return f"CASE {name} " + " ".join(f"WHEN '{a}' THEN {b}" for a, b in formats.SEVERITY_NUMBERS.items()) + " ELSE 0 END"  # fmt: skip


def _in_range(time: str) -> str:
    """Times that a table cannot hold, or that no log was written at, are unread."""
    return f"CASE WHEN {time} > TIMESTAMPTZ '1970-01-02 00:00:00+00' AND {time} < TIMESTAMPTZ '2200-01-01 00:00:00+00' THEN {time} END"


def _not_ahead(time: str, shape: Shape, now: dt.datetime) -> str:
    """SQL that assigns times without a year to the latest year that is not in the future."""
    if shape.format.has_year:
        return time
    latest = (now + dt.timedelta(days=1)).isoformat()
    return f"(CASE WHEN {time} > TIMESTAMPTZ '{latest}' THEN {time} - INTERVAL 1 YEAR ELSE {time} END)"
