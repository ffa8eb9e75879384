"""Time zones: what their names mean, and the SQL for the moment that a time in one of them is."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from zoneinfo import ZoneInfo

from proofbook.config import time_zones
from proofbook.config.duckdb_text import quoted

# Names of zones that mean one offset wherever they are written, in minutes.
ZONES = {
    "Z": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 60, "CET": 60, "MEZ": 60, "MET": 60, "CEST": 120, "MESZ": 120, "MEST": 120,
    "EET": 120, "EEST": 180, "MSK": 180, "IDT": 180, "WAT": 60, "CAT": 120, "SAST": 120, "EAT": 180, "EST": -300, "EDT": -240,
    "CDT": -300, "MST": -420, "MDT": -360, "PST": -480, "PDT": -420, "AKST": -540, "AKDT": -480, "HST": -600, "HDT": -540,
    "NST": -210, "NDT": -150, "BRT": -180, "PKT": 300, "WIB": 420, "WITA": 480, "WIT": 540, "HKT": 480, "SGT": 480, "JST": 540,
    "KST": 540, "AEST": 600, "AEDT": 660, "ACST": 570, "ACDT": 630, "AWST": 480, "NZST": 720, "NZDT": 780,
}  # fmt: skip
# Names that mean one thing here and another there, with the name of one of the places.
AMBIGUOUS_ZONES = {
    "CST": "America/Chicago", "IST": "Asia/Kolkata", "BST": "Europe/London", "AST": "America/Halifax", "ADT": "America/Halifax",
    "SST": "Pacific/Pago_Pago", "GST": "Asia/Dubai",
}  # fmt: skip
NAMES = "|".join(sorted([*ZONES, *AMBIGUOUS_ZONES], key=len, reverse=True))
# As the tz database names them.
PLACES = (
    r"(?:Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Europe|Indian|Pacific|Etc)/[A-Z][\w/+-]+"
)
# The zone in the text of a time, with the year after it where one stands there.
ZONE_AT_END = (
    rf"(?:Z|[+-]\d\d(?::?\d\d)?(?: UTC)?|\b(?:{NAMES})(?:[+-]\d{{1,2}}(?::?\d\d)?)?|\b{PLACES})(?: \d{{4}})?$"
)
# Whether a place has summer time, and what its zones are called, is looked up in this year.
_YEAR = 2024


def is_unknown(zone: str) -> bool:
    """Whether this text, which stands where a zone does, is none that is read."""
    if "/" in zone:
        return zone not in time_zones.names()
    return zone != "" and not re.fullmatch(ZONE_AT_END, zone)


def zoned_sql(local: str, zone: str, *, otherwise: str | None, places: Iterable[str] = ()) -> str:
    """SQL: a TIMESTAMPTZ from a TIMESTAMP and the text of its zone, as it is written.

    otherwise: the zone of times that name none, an offset such as `+02:00` or a name such as `Europe/Berlin`; None leaves
    them unread. places: of names such as the latter those that the text may be; others leave the time unread.
    """
    own = abbreviations(otherwise)
    known = {**ZONES, **own}
    word = f"upper(regexp_extract({zone}, '^[A-Za-z]*'))"
    sign = f"CASE WHEN contains({zone}, '-') THEN -1 ELSE 1 END"
    digits = f"regexp_replace(regexp_extract({zone}, '[+-]([0-9:]+)', 1), ':', '')"
    given = f"""{sign} * CASE length({digits}) WHEN 0 THEN 0 WHEN 1 THEN 60 * {digits}::INTEGER WHEN 2 THEN 60 * {digits}::INTEGER
        ELSE 60 * left({digits}, -2)::INTEGER + right({digits}, 2)::INTEGER END"""
    # Lists, since to plan a CASE of as many branches takes longer than most logs.
    minutes = f"{list(known.values())}[list_position({list(known)}, {word})]"
    offset = f"(CASE {word} WHEN '' THEN 0 ELSE {minutes} END + {given})"
    named = "".join(f"WHEN {zone} = {quoted(name)} THEN {in_zone(local, name)} " for name in places)
    return (
        f"CASE WHEN {is_unzoned(zone, otherwise=otherwise)} THEN {in_zone(local, otherwise)} WHEN {zone} IN ('Z', '+0000', '+00:00') THEN {in_zone(local, 'Z')} "
        f"{named}WHEN contains({zone}, '/') THEN NULL ELSE {in_zone(f'({local} - to_minutes({offset}))', 'Z')} END"
    )


def as_written(text: str, *, otherwise: str | None, places: Iterable[str] = ()) -> str:
    """SQL: a TIMESTAMPTZ from text that begins with year, month and day, and that names its zone at its end or none."""
    # Named once, since each is used many times.
    parts = f"[{{'bare': {_without_place(text)}, 'zone': {zone_in(text)}}}]"
    local = (
        "replace(replace(rtrim(left(part.bare, length(part.bare) - length(part.zone))), ',', '.'), '/', '-')"
    )
    # A date alone is no time, and its day no offset.
    at = f"CASE WHEN contains({local}, ':') THEN try_cast({local} AS TIMESTAMP) END"
    timed = f"list_transform({parts}, part -> {{'at': {at}, 'zone': part.zone}})"
    return f"list_transform({timed}, timed -> {zoned_sql('timed.at', 'timed.zone', otherwise=otherwise, places=places)})[1]"


def is_bare(text: str) -> str:
    """SQL: whether a time that begins with year, month and day surely names no zone: it ends in a digit, and no sign follows the date."""
    return f"(NOT contains(substr({text}, 11), '-') AND NOT contains({text}, '+') AND {text}[-1] BETWEEN '0' AND '9')"


def zone_in(text: str) -> str:
    """SQL: the zone at the end of the text of a time; empty where it names none."""
    return f"regexp_extract({_without_place(text)}, {quoted(ZONE_AT_END)})"


def _without_place(text: str) -> str:
    # Java writes it after the offset.
    return rf"regexp_replace({text}, '([Z\d])\[[\w/+-]+\]$', '\1')"


def place_sql(zone: str, *, otherwise: str | None, places: Iterable[str] = ()) -> str:
    """SQL: the name such as Europe/Berlin of the zone by which `zoned_sql` reads a time; NULL where it reads it by an offset."""
    named = (
        f"CASE WHEN {zone} IN ({', '.join(map(quoted, places))}) THEN {zone} END"
        if places
        else "NULL::VARCHAR"
    )
    if not is_place(otherwise):
        return named
    return (
        f"CASE WHEN {is_unzoned(zone, otherwise=otherwise)} THEN {quoted(otherwise or '')} ELSE {named} END"
    )


def is_unzoned(zone: str, *, otherwise: str | None) -> str:
    """SQL: whether a time with this text of a zone is one of the zone that is stated for those that name none."""
    unclear = AMBIGUOUS_ZONES.keys() - abbreviations(otherwise)
    return (
        f"({zone} = '' OR upper({zone}) IN ({', '.join(map(quoted, sorted(unclear)))}))"
        if unclear
        else f"({zone} = '')"
    )


def in_zone(local: str, zone: str | None) -> str:
    """SQL: a TIMESTAMPTZ from a TIMESTAMP of this zone: an offset, `Z` or a name; NULL without one.

    Of a time that comes twice it is the second, and one that does not come is by the offset before it (RFC 5545).
    """
    if zone is None:
        return "NULL::TIMESTAMPTZ"
    if zone == "Z":
        # What asks for a zone takes ten times as long.
        return f"make_timestamptz(epoch_us({local}))"
    if is_place(zone):
        return f"timezone({quoted(zone)}, {local})"
    minutes = _minutes(zone or "")
    return in_zone(f"({local} - INTERVAL ({minutes}) MINUTE)" if minutes else local, "Z")


def is_place(zone: str | None) -> bool:
    """Whether it is a name of the tz database, and no offset.

    >>> is_place("Europe/Berlin"), is_place("+02:00"), is_place("Z")
    (True, False, False)
    """
    return zone not in (None, "Z") and re.fullmatch(r"[+-]\d\d:\d\d", zone or "") is None


def places_in(zones: Iterable[str]) -> tuple[str, ...]:
    """Those of these texts of zones that are names of the tz database, each once."""
    found = sorted({zone for zone in zones if "/" in zone})
    return tuple(zone for zone in found if zone in time_zones.names())


def abbreviations(zone: str | None) -> dict[str, int]:
    """What names of zones in lines mean in a place, in minutes; without a place nothing.

    >>> abbreviations("Europe/London")
    {'GMT': 0, 'BST': 60}
    """
    if zone is None or not is_place(zone):
        return {}
    days = (dt.datetime(_YEAR, month, 1, tzinfo=ZoneInfo(zone)) for month in (1, 7))
    named = {
        str(day.tzname()).upper(): int((day.utcoffset() or dt.timedelta()).total_seconds()) // 60
        for day in days
    }
    return {name: minutes for name, minutes in named.items() if name.isalpha()}


def _minutes(offset: str) -> int:
    hours, minutes = int(offset[1:3]), int(offset[4:6])
    return (-1 if offset[0] == "-" else 1) * (60 * hours + minutes)
