"""The SQL that reads the header of a line of text by the layouts that were learnt: its time, zone and level."""

from __future__ import annotations

from collections.abc import Callable

from proofbook.collect.logs import severities, times, zones
from proofbook.collect.logs.headers import USUAL_LEVELS
from proofbook.collect.logs.layout import CLOSERS, Layout
from proofbook.collect.logs.objects import listed
from proofbook.collect.logs.shape import Shape
from proofbook.config.duckdb_text import quoted

# The columns of a line of which no header is read.
NO_LAYOUT = "NULL::VARCHAR AS header, NULL::TIMESTAMP AS written, '' AS zone, NULL::VARCHAR AS said_level, false AS yearless"


def laid_out(shape: Shape) -> str:
    """The relation `laid_out`: header, written (the time in it, without its zone), zone and said_level of each line of text."""
    layouts = shape.layouts
    if not layouts:
        return f"laid_out AS (SELECT *, {NO_LAYOUT} FROM lined),"
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
    time = of(time_of)
    written = of(
        lambda layout: (
            times.local_sql(layout.form, "time_text", year=times.LEAP_YEAR, is_bare="is_bare")
            if layout.form
            else "NULL::TIMESTAMP"
        )
    )
    yearless = of(lambda layout: "true" if layout.form and not layout.form.has_year else "false")
    return f"""{", ".join(steps)},
headed AS (SELECT *, {header} AS header FROM {before}),
timed AS (SELECT *, {time} AS time_text FROM headed),
bared AS (SELECT *, {zones.is_bare("time_text")} AS is_bare, {of(_from_level)} AS from_level FROM timed),
laid_out AS (SELECT *, {written} AS written, {of(zone_of)} AS zone,
    {of(_level_of)} AS said_level, coalesce({yearless}, false) AS yearless FROM bared),"""


def time_of(layout: Layout) -> str:
    """SQL: the time in `header`, or NULL."""
    if layout.form is None:
        return "NULL"
    if layout.is_behind:
        return f"regexp_replace(regexp_extract(header, {quoted(layout.time)}), {quoted(f'{CLOSERS}$')}, '')"
    if layout.is_all_digits and not layout.begins_with_time:
        # A longer number may stand before it.
        after = layout.begins.replace(f"(?:{layout.time})", f"({layout.time})", 1)
        return f"regexp_extract(header, {quoted(after)}, 1)"
    found = f"regexp_extract(header, {quoted(layout.begins if layout.begins_with_time else layout.time)})"
    if layout.form.name == times.COMMON_LOG and layout.begins.endswith(rf"\[(?:{layout.time})"):
        # What the first bracket opens: to find it takes a quarter of the time.
        opened = "split_part(split_part(header, '[', 2), ']', 1)"
        return f"CASE WHEN {opened} LIKE '__/___/____:__:__:__ +____' THEN {opened} ELSE {found} END"
    return found


def zone_of(layout: Layout) -> str:
    """SQL: the text of the zone in `time_text`, empty where none stands there."""
    if layout.form is None or layout.form.is_utc:
        return "'Z'" if layout.form else "''"
    if layout.form.parts[0] == "zone":
        return times.zone_sql(layout.form, "time_text")
    if layout.form.is_iso:
        return f"CASE WHEN is_bare THEN '' ELSE coalesce(regexp_extract(time_text, {quoted(zones.ZONE_AT_END)}), '') END"
    found = f"coalesce(regexp_extract(time_text, {quoted(zones.ZONE_AT_END)}), '')"
    return f"CASE WHEN ends_with(time_text, ' +0000') THEN '+0000' ELSE {found} END"


def _from_level(layout: Layout) -> str:
    """SQL: the part of `header` whose first level is that of the line, or NULL."""
    if layout.level is None:
        return "NULL::VARCHAR"
    before = f"regexp_extract(header, {quoted(layout.level.before)})"
    if layout.begins_with_time and layout.level.before == layout.begins:
        before = "time_text"
    return f"substr(header, length({before}) + 1)" if layout.level.before != "^" else "header"


def _level_of(layout: Layout) -> str:
    """SQL: the level in `from_level`, or NULL."""
    if layout.level is None:
        return "NULL"
    word = f"nullif(regexp_extract(from_level, {quoted(layout.level.word)}), '')"
    if layout.level.is_mark:
        return severities.of_mark(word)
    if not layout.level.is_word:
        return f"trim({word}, ' \t')"
    # Most stand alone after a space, and a pattern of all words for levels takes three times as long.
    first = "split_part(from_level, ' ', 2)"
    return f"CASE WHEN starts_with(from_level, ' ') AND {first} IN ({listed(USUAL_LEVELS)}) THEN {first} ELSE {word} END"
