"""The SQL for the times of entries: of an object, of a line by its layout, of a row of columns, and of what wraps them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable

from proofbook.collect.logs import times, zones
from proofbook.collect.logs.columns import Columns
from proofbook.collect.logs.shape import Shape
from proofbook.config.duckdb_text import quoted
from proofbook.config.log_formats import JsonFormat


def time_of(text: str, *, zone: str | None, year: int, form: str = "", places: Iterable[str] = ()) -> str:
    """SQL: a TIMESTAMPTZ from text in any of the known forms, or in the one that is stated; or NULL.

    zone: of text that names none; None leaves such a time unread. places: names such as Europe/Berlin that it may name.
    year: the year of forms that name none, as a time that is not in the future.
    """
    if form:
        return _time_in_form(text, form, zone=zone, year=year)
    zoned = rf"regexp_matches({text}, '(?:Z|UTC|[+-]\d\d:?\d\d)$')"
    number = f"try_cast({text} AS DOUBLE)"
    micros = f"CASE WHEN {number} < 1e11 THEN {number} * 1e6 WHEN {number} < 1e14 THEN {number} * 1e3 WHEN {number} < 1e17 THEN {number} ELSE {number} / 1e3 END"
    yearless = (
        f"try_strptime({year} || ' ' || regexp_replace(regexp_replace({text}, '^<[0-9]+>', ''), ' +', ' ', 'g'), '%Y %b %d %H:%M:%S')",
        f"try_strptime({year} || substr({text}, 2), '%Y%m%d %H:%M:%S.%f')",
    )
    named = [zones.in_zone(item, zone) for item in yearless]
    return (
        f"CASE WHEN ends_with({text}, 'Z') THEN try_cast({text} AS TIMESTAMPTZ) "
        rf"WHEN regexp_full_match({text}, '[0-9]{{8,20}}(?:\.[0-9]*)?') THEN make_timestamptz(try_cast({micros} AS BIGINT)) "
        f"WHEN regexp_matches({text}, '^[0-9]{{2}}/[A-Z]') THEN try_strptime({text}, '%d/%b/%Y:%H:%M:%S %z') "
        f"WHEN regexp_matches({text}, '^(<[0-9]+>)?[A-Z]') THEN coalesce({', '.join(named)}) "
        rf"WHEN {zoned} THEN try_cast(regexp_replace(replace(replace({text}, ',', '.'), 'UTC', '+00:00'), ' ([+-])', '\1') AS TIMESTAMPTZ) "
        f"ELSE {zones.as_written(text, otherwise=zone, places=places)} END"
    )


def _time_in_form(text: str, form: str, *, zone: str | None, year: int) -> str:
    try:
        known = times.stated(form)
    except ValueError:
        # A format of another package may use letters of DuckDB's own.
        if not re.search("%[Yy]", form):
            text, form = f"{year} || ' ' || {text}", f"%Y {form}"
        found = f"try_strptime({text}, {quoted(form)})"
        return found if re.search("%[zZ]", form) else zones.in_zone(found, zone)
    local = times.local_sql(known, text, year=year)
    written = times.zone_sql(known, text)
    return zones.zoned_sql(local, written, otherwise=zone)


def of_zulu(text: str) -> dict[str, str]:
    """SQL for the time of an entry, by name, of text that ends in Z; of any other the query fails."""
    zulu = f"WHEN ends_with({text}, 'Z') THEN try_cast({text} AS TIMESTAMPTZ)"
    return {
        "t1": f"CASE WHEN {text} IS NULL THEN NULL {zulu} ELSE error('a time that does not end in Z') END"
    }


def of_entry(shape: Shape, *, zone: str | None, year: int) -> dict[str, str]:
    """SQL for the times of an entry, by name, and for the place by whose clock they were read."""
    form = shape.format
    json_zone = "Z" if form.utc and zone is None else zone
    text_zone = zone if shape.of_json else json_zone
    # A form that is stated is that of the format's own entries, not of what else lies between them.
    at_json = time_of(
        "t",
        zone=json_zone,
        year=year,
        form=form.time_form if shape.of_json else "",
        places=shape.places_in_objects,
    )
    if shape.time is not None:
        local = times.local_sql(shape.time, "t", year=year)
        named = zones.zoned_sql(
            local, times.zone_sql(shape.time, "t"), otherwise=json_zone, places=shape.places_in_objects
        )
        at_json = f"coalesce({at_json}, {named})"
    at_text = time_of("t", zone=text_zone, year=year, form="" if shape.of_json else form.time_form)
    outside = time_of("ts0", zone=None, year=year)
    has_observed = isinstance(form, JsonFormat) and "observed" in form.places
    laid_out = zones.zoned_sql("written", "zone", otherwise=text_zone, places=shape.places_in_lines)
    place = ""
    if shape.has_places(zone):
        of_line = zones.place_sql("zone", otherwise=text_zone, places=shape.places_in_lines)
        place = f"CASE WHEN is_json AND {at_json} IS NOT NULL THEN {_place_in('t', json_zone, shape.places_in_objects)} WHEN ts0 IS NOT NULL THEN NULL WHEN header IS NOT NULL THEN {of_line} ELSE {_place_in('t', text_zone)} END"
        # Whether it was summer time depends on the year.
        laid_out = f"CASE WHEN yearless AND {of_line} IS NOT NULL THEN {zones.in_zone('written', 'Z')} ELSE {laid_out} END"
    # What put a line into the log dates it, and not what its text says.
    if shape.wrapper:
        at_json, outside = f"coalesce({at_json}, {outside})", f"WHEN ts0 IS NOT NULL THEN {outside} "
    else:
        outside = ""
    # An object behind a header may name the year that the header does not.
    yearless = f"yearless AND NOT coalesce(is_json AND {at_json} IS NOT NULL, false)"
    if shape.layouts:
        at_json = f"coalesce({at_json}, {laid_out})"
    dated = f"CASE WHEN is_json THEN {at_json} {outside}WHEN header IS NOT NULL THEN {laid_out} ELSE {at_text} END"
    if shape.columns:
        row = _time_of_row(shape.columns, zone=zone, year=year)
        dated, yearless = f"coalesce({row}, {dated})", f"{yearless} AND {row} IS NULL"
        place = (
            place
            and f"CASE WHEN {row} IS NOT NULL THEN {_place_in(shape.columns.written, zone)} ELSE {place} END"
        )
    return {
        "t1": dated,
        "t2": time_of("observed", zone=json_zone, year=year) if has_observed else "NULL::TIMESTAMPTZ",
        **({"place": place} if place else {}),
        **({"is_yearless": yearless} if shape.may_be_yearless else {}),
    }


def _time_of_row(columns: Columns, *, zone: str | None, year: int) -> str:
    """SQL: the time of a row of a file in columns; NULL where no column says it."""
    zone = columns.zone or ("Z" if columns.is_utc and zone is None else zone)
    cells = [columns.cell(name) for name in columns.places.get("timestamp", ())]
    if columns.date_and_time:
        cells = [columns.written]
    found = [time_of(cell, zone=zone, year=year) for cell in cells]
    if columns.time is not None and cells:
        named = f"coalesce(regexp_extract({cells[0]}, {quoted(zones.ZONE_AT_END)}), '')"
        local = times.local_sql(columns.time, cells[0], year=year)
        found.insert(1 if columns.time.is_iso else 0, zones.zoned_sql(local, named, otherwise=zone))
    return f"coalesce({', '.join([*found, 'NULL::TIMESTAMPTZ'])})"


def _place_in(text: str, zone: str | None, places: Iterable[str] = ()) -> str:
    """SQL: the place by whose clock the text of a time is read; NULL where it names a zone or counts from a moment."""
    place = zones.place_sql(zones.zone_in(text), otherwise=zone, places=places)
    return f"CASE WHEN NOT regexp_full_match({text}, '[0-9.]+') THEN {place} END"


def in_range(time: str) -> str:
    """Times that a table cannot hold, or that no log was written at, are unread."""
    return f"CASE WHEN {time} > TIMESTAMPTZ '1970-01-02 00:00:00+00' AND {time} < TIMESTAMPTZ '2200-01-01 00:00:00+00' THEN {time} END"


def not_ahead(time: str, shape: Shape, now: dt.datetime) -> str:
    """SQL that assigns times without a year to the latest year that is not in the future."""
    if shape.format.has_year:
        return time
    latest = (now + dt.timedelta(days=1)).isoformat()
    return f"(CASE WHEN {time} > TIMESTAMPTZ '{latest}' THEN {time} - INTERVAL 1 YEAR ELSE {time} END)"
