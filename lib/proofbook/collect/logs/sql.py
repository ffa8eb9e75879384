"""The SQL that turns lines of any shape into one table of entries.

Lines that hold a JSON object go through one mapping, all others through another, so that a file which mixes both is read
too. DuckDB's patterns are RE2's: they cannot backtrack without end.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Mapping

from proofbook.collect.logs import fields as extra
from proofbook.collect.logs import formats, layout_sql, requests, severities, timestamps, typed_objects
from proofbook.collect.logs.layout import BEFORE_TIME, CLOSERS, CONTAINER_NAME
from proofbook.collect.logs.objects import Fields, json_paths, listed, text_of_bytes
from proofbook.collect.logs.shape import OF_DOCKER, Shape
from proofbook.config.duckdb_text import json_pointer, quoted
from proofbook.config.log_formats import DETAILS, LOG_FORMATS, JsonFormat, TextFormat
from proofbook.redaction.scrubbing import Rule, suspect


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
    may_repeat: bool = True,
    only_zulu: bool = False,
) -> str:
    """SQL from a relation `lines(text, line, lines)` to one row per row of it, in its order, with COLUMNS.

    `line` may be NULL where the row's own number says it. A line that cannot be read has no timestamp and keeps its text
    as body; a blank one has neither. Where times may name no year, there is a column `yearless`; these are of LEAP_YEAR then.
    Where the clock of a place may have been read, there is a column `place`; those without a year are not moved to UTC then.

    Args:
        zone: of times that name none; None leaves them unread. now: by which times without a year are placed.
        typed: the relation is that of `typed_objects`, with a column for each of the places where the shape keeps things.
        only_bodies: nothing but times and bodies is looked for, which are the only columns then. may_repeat: whether an object may
            have a name twice; if not, and one has, the query fails. only_zulu: it fails where a row is no object, or its time does not end in Z.
    """
    fields = Fields(shape, typed=typed, only_bodies=only_bodies, may_repeat=may_repeat)
    stated = {**shape.numbers, **shape.format.severities}
    dated = timestamps.of_zulu("t") if only_zulu else timestamps.of_entry(shape, zone=zone, year=now.year)
    found = _found(fields)
    if only_zulu:
        found["t"] = f"CASE WHEN is_json THEN {_time_in_object(fields)} ELSE error('no object') END"
    told = f"""
WITH {_opened(fields, lines)},
inside AS (SELECT *, CASE WHEN starts_with(payload, '{{') THEN try(json_extract_string(payload, [{listed(fields.inner)}])) END AS p FROM opened),
{_asked(fields)}
found AS (SELECT is_json, payload, rest, first, ts0, line, lines, {"cells, " if shape.columns else ""}{_header(fields)} AS header, written, zone, yearless, {_named(found)} FROM asked),
dated AS (SELECT *, {_named(dated)} FROM found),
told AS (SELECT *, {_named(_told(fields, rules))} FROM dated)"""
    timestamp = timestamps.in_range(timestamps.not_ahead("t1", shape, now))
    if only_bodies:
        # A count shows no text, so there is nothing to hide.
        return f"{told} SELECT {timestamp} AS timestamp, CASE WHEN rest IS NOT NULL THEN {stripped('body0')} END AS body FROM told"
    return f"""{told},
marked AS (SELECT *, regexp_matches({_looked_at(fields)}, {quoted(f"{_marks(rules)}|{requests.MAY_NAME_ID}")}) AS is_marked FROM told),
parted AS (SELECT *, {_named(_parted(fields, rules))} FROM marked),
clean AS (SELECT *, {_named(_clean(rules))}, {severities.named("severity", stated)} AS by_entry FROM parted),
worded AS (SELECT *, {_part_of("header")} AS header2, CASE WHEN by_entry IS NULL THEN {severities.words_of(_with_level(shape), shape)} END AS w FROM clean),
spoken AS (SELECT *, CASE WHEN w IS NOT NULL THEN coalesce({severities.first_word()}, {severities.in_a_cell("body2")}) END AS word FROM worded),
judged AS (SELECT *, {severities.by_text("rest", shape)} AS by_text FROM spoken)
SELECT
  {timestamp} AS timestamp,
  {timestamps.in_range("t2")} AS observed_timestamp,
  coalesce(by_entry, by_text) AS severity_text,
  {severities.number_of("coalesce(by_entry, by_text)")} AS severity_number,
  CASE WHEN by_entry IS NOT NULL THEN 'entry' WHEN by_text IS NOT NULL THEN 'text' END AS severity_source,
  CASE WHEN rest IS NULL THEN NULL WHEN t1 IS NULL AND NOT is_json{_unless_named(shape)} THEN coalesce(header2, '') || body2 ELSE body2 END AS body,
  CASE WHEN t1 IS NULL{_unless_named(shape)} THEN NULL ELSE header2 END AS header,
  coalesce(service, {quoted(service) if service else "NULL"}) AS service_name,
  {_identity(fields)}
  {quoted(source)} AS source,
  {quoted(file)} AS file,
  line,
  lines{", is_yearless AS yearless" if shape.may_be_yearless else ""}{", place" if shape.has_places(zone) else ""}
FROM judged"""


def _unless_named(shape: Shape) -> str:
    """SQL: the rest of a condition, that the header is not the name of a container alone."""
    if not any(layout.is_container for layout in shape.layouts):
        return ""
    return f" AND NOT coalesce(regexp_full_match(header2, {quoted(CONTAINER_NAME)}), false)"


def _in_request(part: str, shape: Shape) -> str:
    """SQL: a part of the request in a line of text; NULL where the form of its requests has none."""
    return f"nullif(q.{part}, '')" if part in shape.request.parts else "NULL::VARCHAR"


def _identity(fields: Fields) -> str:
    """SQL: the columns that say whose and which request's an entry is, and what it holds beside."""
    in_request = functools.partial(_in_request, shape=fields.shape)
    said = "CASE WHEN is_json THEN said ELSE rest END"
    # Of an object whose time is not known, the text that was looked at is not what it says.
    may_name_id = "is_marked OR (is_json AND t1 IS NULL)"
    ids = {
        thing: f"CASE WHEN {may_name_id} THEN {requests.ids_in(said, thing, in_brackets=fields.shape.traced)} END"
        for thing in requests.PATTERNS
    }
    address = f"CASE WHEN q.status <> '' THEN {requests.address_of('rest')} END"
    alone = f", CASE WHEN NOT is_json THEN {requests.status_alone('rest')} END" if fields.may_request else ""
    status = requests.answered(f"coalesce(status, {in_request('status')}{alone})")
    whole = {
        name: f"try_cast(coalesce({name}, {in_request(name)}) AS BIGINT)"
        for name in ("request_bytes", "response_bytes")
    }
    return f"""version AS service_version,
  instance AS service_instance_id,
  coalesce({_trace_of("trace")}, {ids["trace"]}) AS trace_id,
  coalesce(span, CASE WHEN starts_with(trace, '00-') THEN nullif(split_part(trace, '-', 3), '') END, {ids["span"]}) AS span_id,
  coalesce(method, {in_request("method")}) AS http_method,
  {_part_of("url0")} AS http_url,
  {status} AS http_status,
  CASE WHEN ends_with(latency, 's') THEN try_cast(rtrim(latency, 's') AS DOUBLE) END AS http_latency_s,
  {_part_of("agent0")} AS http_user_agent,
  coalesce(remote_ip, {address}) AS http_remote_ip,
  {whole["request_bytes"]} AS http_request_bytes,
  {whole["response_bytes"]} AS http_response_bytes,
  coalesce(protocol, {in_request("protocol")}) AS http_protocol,
  CASE WHEN id IS NOT NULL AND lines = 1 THEN hash(id) END AS insert_hash,
  CASE WHEN is_suspect THEN {extra.cleaned("map0", "fields2")} ELSE map0 END AS fields,
  {extra.cut("listed")}::INTEGER AS fields_cut,"""


def _trace_of(text: str) -> str:
    """SQL: the id of a trace as it is written: W3C's with version and span, or that of a platform with a path before it."""
    return f"CASE WHEN starts_with({text}, '00-') THEN split_part({text}, '-', 2) ELSE nullif(split_part({text}, '/', -1), '') END"


_WITH_STACK = "stack IS NOT NULL AND NOT contains(coalesce(said, ''), stack) AND stack NOT IN ('true', 'false') AND regexp_matches(stack, '[A-Za-z]')"


# What stands beside a body, in the order in which it is cleaned as one text.
_BESIDE = ("header", "url0", "agent0")


def _part_of(name: str) -> str:
    """SQL: one of the texts that were cleaned as one, NULL where it is empty."""
    place = 1 + _BESIDE.index(name)
    return f"CASE WHEN are_parts_clean THEN nullif({name}, '') ELSE nullif(string_split(beside2, {quoted(extra.BETWEEN)})[{place}], '') END"


def _marks(rules: tuple[Rule, ...]) -> str:
    """The pattern of what is to be cleaned."""
    return f"{formats.CONTROL}|{suspect(rules)}"


def _looked_at(fields: Fields) -> str:
    """SQL: the text in which secrets and ids are looked for: most entries hold neither, and one look says so."""
    if fields.typed:
        return "body0"
    # A stack trace may stand in a cell of its own.
    text = "rest" if fields.shape.columns is None else "concat_ws(chr(10), rest, stack)"
    return f"CASE WHEN is_json THEN body0 ELSE {text} END"


def _told(fields: Fields, rules: tuple[Rule, ...]) -> dict[str, str]:
    """What is written of an entry, as it stands there, and whether its fields may hold a secret or are long."""
    body = f"CASE WHEN {_WITH_STACK} THEN ltrim(coalesce(said, '') || chr(10) || stack, chr(10)) ELSE coalesce(said, '') END"
    # Of an object whose time is not known every key may be the one that a pattern is of.
    whole = {"body0": f"CASE WHEN t1 IS NULL AND is_json AND rest <> '' THEN rest ELSE {body} END"}
    return (
        whole
        if fields.only_bodies
        else whole
        | {
            "url0": f"coalesce(url, {_in_request('url', fields.shape)})",
            "agent0": f"coalesce(user_agent, {_in_request('user_agent', fields.shape)})",
            "map0": extra.as_map("listed", may_repeat=fields.may_repeat),
            "is_suspect": f"strlen(map0::VARCHAR) > {extra.MOST_CHARS} OR regexp_matches(map0::VARCHAR, {quoted(_marks(rules))})",
        }
    )


# A part that begins within a word may be a secret, though the whole is none. Nearly all headers end in a space, and to cut off
# what others end in takes longer than to see that.
IS_APART = "CASE WHEN is_json OR header IS NULL THEN true WHEN ends_with(header, ' ') THEN true ELSE right(header, 1) IN ('\t', ':', ']', '|', ')', '>', '}', ',', ';') END"


def _parted(fields: Fields, rules: tuple[Rule, ...]) -> dict[str, str]:
    """Whether the body, and what stands beside it, is surely to be kept as it is; and what stands beside it, if not."""
    is_clean = f"CASE WHEN NOT ({IS_APART}) THEN false WHEN NOT is_marked THEN true ELSE NOT regexp_matches({_looked_at(fields)}, {quoted(_marks(rules))}) END"
    in_line = not (fields.typed or fields.shape.columns is not None)
    parts = (f"coalesce({name}, '')" for name in _BESIDE)
    is_any = " OR ".join(f"{name} <> ''" for name in _BESIDE)
    return {
        "is_clean": is_clean,
        "are_parts_clean": "is_clean AND NOT is_json" if in_line else "false",
        "beside0": f"CASE WHEN NOT are_parts_clean AND ({is_any}) THEN {f' || {quoted(extra.BETWEEN)} || '.join(parts)} END",
    }


def _opened(fields: Fields, lines: str) -> str:
    """The relations up to `opened`: each line without its wrapper, taken apart as JSON and by the pattern."""
    if fields.typed:
        return f"opened AS (SELECT *, {layout_sql.NO_LAYOUT}, true AS is_json, {fields.at('payload')} AS payload FROM ({lines}))"
    pattern, groups = quoted(fields.shape.pattern), listed(fields.groups)
    matched = f", regexp_extract(first, {pattern}, [{groups}]) AS g" if fields.groups else ""
    # Raw lines may follow an object, and the name of a container or a header stand before it.
    named = f"WHEN regexp_matches(first, {quoted(formats.OBJECT_AFTER_NAME)}) THEN substr(first, strpos(first, '{{'))"
    after = "ltrim(substr(first, length(header) + 1))"
    in_syslog = f"WHEN regexp_matches(first, {quoted(formats.OBJECT_IN_SYSLOG)}) THEN substr(first, strpos(first, '{{\"')) "
    object_ = f"""CASE WHEN NOT contains(first, '{{') THEN NULL WHEN starts_with(ltrim(first), '{{') THEN first
        {in_syslog if fields.shape.name == "syslog-5424" else ""}WHEN header IS NOT NULL THEN CASE WHEN starts_with({after}, '{{"') THEN {after} END {named} END"""
    return f"""wrapped AS ({_unwrapped(fields.shape, lines)}),
lined AS (SELECT *, CASE WHEN lines > 1 THEN split_part(rest, chr(10), 1) ELSE rest END AS first FROM wrapped),
{layout_sql.laid_out(fields.shape)}
objects AS (SELECT *, {object_} AS object FROM laid_out),
parsed AS (SELECT *, try(json_extract_string(object, [{listed(fields.usual)}])) AS r, {fields.rare} AS rare{matched} FROM objects),
kept AS (SELECT *, r IS NOT NULL AS is_json, {fields.in_object} AS o FROM parsed),
opened AS (SELECT *, {fields.at("payload")} AS payload FROM kept)"""


def _asked(fields: Fields) -> str:
    """The relation `asked`: what the requests in lines of text ask for, where it is quickly found."""
    form = fields.shape.request
    if not (fields.may_request and form.in_quotes):
        return "asked AS (SELECT * FROM inside),"
    return f"""pieced AS (SELECT *, CASE WHEN NOT is_json THEN {requests.pieces_of(form, "rest")} END AS pieces FROM inside),
asked AS (SELECT *, {requests.in_quotes("pieces")} AS asked FROM pieced),"""


def _with_level(shape: Shape) -> str:
    """SQL: the text that may name a severity: the message, after a header in which none was learnt and a mark between them."""
    if not any(layout.may_hold_level for layout in shape.layouts):
        return "body2"
    return f"CASE WHEN is_json THEN body2 ELSE coalesce({_part_of('header')} || chr(1), '') || body2 END"


def _found(fields: Fields) -> dict[str, str]:
    """What an entry says, by name, as it stands there."""
    shape, at = fields.shape, fields.at
    texts, stacks = len(fields.texts), len(fields.texts) + len(fields.stacks)
    said = at("body", *(f"p[{1 + n}]" for n in range(texts)), "payload")
    if shape.name == "journald":
        said = f"CASE WHEN regexp_full_match({said}, '\\[[0-9]{{1,3}}(,[0-9]{{1,3}})*\\]') THEN {text_of_bytes(said)} ELSE {said} END"
    stack = at("stack", *(f"p[{1 + n}]" for n in range(texts, stacks)))
    level = [
        f"nullif({at('severity')}, 'DEFAULT')",
        *(f"p[{1 + n}]" for n in range(stacks, len(fields.inner))),
    ]
    in_text = f"left(regexp_extract(rest, {quoted(formats.TIME_FIRST)}, 1), 64)"
    written = "g.timestamp" if fields.groups else f"CASE WHEN header IS NULL THEN {in_text} END"
    # An object that cannot be parsed is broken, whatever times it holds.
    broken = "WHEN starts_with(ltrim(rest), '{') THEN NULL " if shape.of_json else ""
    request, no_request = requests.of_line(shape.request, "rest"), requests.nothing(shape.request)
    grouped = "CASE WHEN g.body <> '' THEN g.body || substr(rest, length(first) + 1) ELSE rest END"
    more = "CASE WHEN lines > 1 THEN substr(rest, length(first) + 1) ELSE '' END"
    around = f"WHEN {_is_around(fields)} THEN {_around('time_text')} || substr(rest, length(first) + 1) "
    after = "substr(rest, length(header) + 1)"
    if shape.long_messages:
        # The line with the time may have been a title alone.
        after = f"CASE WHEN lines > 1 THEN regexp_replace({after}, '^[^\\w\n]*\n', '') ELSE {after} END"
    cut = (
        ""
        if fields.only_bodies
        else f"{around if _is_around(fields) else ''}WHEN header IS NOT NULL THEN {after} "
    )
    others = (
        "observed", "severity", "service", "version", "instance", "trace", "span", "method", "url", "status",
        "latency", "id", *DETAILS,
    )  # fmt: skip
    return {
        "said": f"CASE WHEN is_json THEN {said} || {more} {cut}ELSE {grouped if 'body' in fields.groups else 'rest'} END",
        "stack": stack if shape.columns else f"CASE WHEN is_json THEN {stack} END",
        "t": f"CASE WHEN is_json THEN {_time_in_object(fields)} {broken}ELSE nullif({written}, '') END",
        "q": f"CASE WHEN NOT is_json THEN {request} END" if fields.may_request else no_request,
        **{name: _first_or_outside(shape, name, at(name)) for name in others},
        "severity": f"coalesce({', '.join(level)}, {severities.own_word(shape)}, said_level)",
        "listed": extra.NOTHING if fields.only_bodies else _extra_of(fields),
    }


def _first_or_outside(shape: Shape, name: str, found: str) -> str:
    """SQL: what an entry says, else what stands around it."""
    places = [key for path in shape.outer.get(name, ()) for key in json_paths(path)]
    outside = [f"json_extract_string(around, {quoted(place)})" for place in places]
    if name in formats.groups_of(shape.whose):
        outside.append(f"CASE WHEN whose.{name} NOT IN ('', '-') THEN whose.{name} END")
    return f"coalesce({', '.join([found, *outside])})" if outside else found


def _is_around(fields: Fields) -> str:
    """SQL: whether a message stands around its time; empty where none does."""
    layouts = () if fields.typed or fields.only_bodies else fields.shape.layouts
    return " OR ".join(f"h{number} <> ''" for number, layout in enumerate(layouts) if layout.is_message)


def _header(fields: Fields) -> str:
    """SQL: what stands before the message; of one that stands around its time, this time."""
    around = _is_around(fields)
    return f"CASE WHEN {around} THEN time_text || ' ' ELSE header END" if around else "header"


def _around(time: str) -> str:
    """SQL: what `first` says before and after the time, without what opens and closes it, and its name."""
    place = f"strpos(first, {time})"
    before = f"regexp_replace(left(first, {place} - 1), {quoted(BEFORE_TIME)}, '')"
    after = f"regexp_replace(substr(first, {place} + length({time})), {quoted(f'^{CLOSERS}')}, '')"
    return f"rtrim({before} || ' ' || {after})"


def _time_in_object(fields: Fields) -> str:
    """SQL: the text of the time of an object, with what stands apart of its second."""
    time = fields.at("timestamp")
    if "fraction" not in fields.places:
        return time
    return f"CASE WHEN regexp_full_match({time}, '[0-9]{{9,10}}') THEN {time} || '.' || lpad(coalesce({fields.at('fraction')}, '0'), 9, '0') ELSE {time} END"


def _extra_of(fields: Fields) -> str:
    """SQL: what an entry holds beside what has a column of its own, as a list."""
    shape, columns = fields.shape, fields.shape.columns
    told = (*formats.PAYLOAD_TEXT[:2], *formats.PAYLOAD_STACK)
    parts, without = [], list(shape.held)
    if fields.typed:
        payload = shape.places["payload"][0]
        parts += typed_objects.extra(shape, may_repeat=fields.may_repeat)
        without = [path for path in without if path.startswith(typed_objects.HELD)]
        without += [f"{payload}.{name}" for name in told]
    elif not fields.groups:
        whole = extra.of_object("object", may_repeat=fields.may_repeat)
        within = [
            extra.of_object("object", steps=steps, prefix=f"{'.'.join(steps)}.", may_repeat=fields.may_repeat)
            for steps in shape.parents
        ]
        found = f"list_concat({', '.join([whole, *within])})" if within else whole
        pairs = extra.of_pairs("left(rest, 8000)") if shape.has_pairs else "NULL"
        parts.append(f"CASE WHEN is_json THEN {found} ELSE {pairs} END")
        parents = [".".join(steps) for steps in shape.parents]
        without += parents
        if shape.outer_parents:
            parts += [
                f"CASE WHEN around IS NOT NULL THEN {extra.of_object('around', steps=steps, prefix=''.join(f'{step}.' for step in steps))} END"
                for steps in shape.outer_parents
            ]
            without += OF_DOCKER
            without += [".".join(steps) for steps in shape.outer_parents]
            without += [path for paths in shape.outer.values() for path in paths[:1]]
        without += [f"{path}.{name}" for path in fields.places.get("payload", ()) if path in parents for name in told]  # fmt: skip
    if columns is not None:
        taken = {name for names in columns.places.values() for name in names[:1]}
        taken |= set(columns.date_and_time or ())
        cells = {name: columns.cell(name) for name in columns.names if name not in taken}
        parts.append(extra.of_values(cells))
    return extra.together(parts, without=dict.fromkeys(without))


def _clean(rules: tuple[Rule, ...]) -> dict[str, str]:
    """What is written, without secrets and control characters."""
    return {
        "body2": f"CASE WHEN is_clean THEN body0 ELSE {cleaned('body0', rules)} END",
        "beside2": cleaned("beside0", rules),
        "fields2": f"CASE WHEN is_suspect THEN {cleaned(extra.text_of('map0'), rules)} END",
    }


def _named(expressions: Mapping[str, str]) -> str:
    return ", ".join(f"{expression} AS {name}" for name, expression in expressions.items())


def _unwrapped(shape: Shape, lines: str) -> str:
    """Each line as `rest`, without its wrapper, of which `ts0` is the time and `around` what it says beside where that is wanted."""
    if shape.whose:
        lines = f"SELECT *, regexp_extract(text, {quoted(shape.whose)}, [{listed(formats.groups_of(shape.whose))}]) AS whose FROM ({lines})"
    found = _out_of_wrapper(shape, lines)
    if not shape.opened:
        return found
    # As `keys.merged` has it.
    merged = "coalesce(try(json_merge_patch(rest, inside))::VARCHAR, rest)"
    place = quoted(json_pointer(shape.opened))
    return f"""SELECT * EXCLUDE (inside) REPLACE (CASE WHEN starts_with(ltrim(inside), '{{') THEN {merged} ELSE rest END AS rest)
        FROM (SELECT *, CASE WHEN starts_with(ltrim(rest), '{{') THEN try(json_extract_string(rest, {place})) END AS inside FROM ({found}))"""


def _out_of_wrapper(shape: Shape, lines: str) -> str:
    cells = f"{', cells' if shape.columns else ''}{', whose' if shape.whose else ''}"
    wrapper = LOG_FORMATS.get(shape.wrapper) if shape.wrapper else None
    if isinstance(wrapper, JsonFormat) and wrapper.wraps is not None:
        inner, time = (json_paths(path)[0] for path in wrapper.wraps)
        outer = ", CASE WHEN d IS NOT NULL THEN text END AS around" if shape.outer_parents else ""
        return f"""SELECT rtrim(coalesce(d[1], text), chr(10)) AS rest, d[2] AS ts0, line, lines{cells}{outer} FROM (
            SELECT *, CASE WHEN starts_with(text, '{{') THEN try(json_extract_string(text, [{listed([inner, time])}])) END AS d FROM ({lines}))"""
    if isinstance(wrapper, TextFormat):
        pattern = quoted(wrapper.pattern)
        within = f"CASE WHEN starts_with(text, k.whole) THEN substr(text, length(k.whole) + 1) ELSE regexp_replace(text, {pattern}, '') END"
        return f"""SELECT CASE WHEN k.time = '' THEN text ELSE {within} END AS rest, nullif(k.time, '') AS ts0, line, lines{cells}
            FROM (SELECT *, regexp_extract(text, {quoted(f"({wrapper.pattern})")}, ['whole', 'time']) AS k FROM ({lines}))"""
    return f"SELECT text AS rest, NULL::VARCHAR AS ts0, line, lines{cells} FROM ({lines})"
