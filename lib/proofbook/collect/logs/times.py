"""Forms in which logs write times: a pattern for each, and the SQL that reads what it found.

Patterns are in a dialect that Python's `re` and RE2 share. Their named groups are the parts of a time;
`severity` is a letter before it, `half` is AM or PM, and `epoch` the seconds since 1970, or a thousand or more times as many.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from proofbook.collect.logs import zones
from proofbook.config.duckdb_text import quoted
from proofbook.config.time_forms import pattern_of

LEAP_YEAR = 2024
# How far TAI64's labels are ahead of UTC, leap seconds left out, as the programs that write and read them do.
TAI_AHEAD_S = 10
_MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
# Where French, German, Spanish, Italian, Portuguese and Dutch begin otherwise.
_OTHER_MONTHS = {
    "ene": 1, "gen": 1, "fév": 2, "fev": 2, "mär": 3, "mrz": 3, "mrt": 3, "avr": 4, "abr": 4, "mai": 5, "mei": 5, "mag": 5, "juin": 6,
    "giu": 6, "juil": 7, "lug": 7, "aoû": 8, "aou": 8, "ago": 8, "set": 9, "okt": 10, "ott": 10, "out": 10, "déc": 12, "dez": 12, "dic": 12,
}  # fmt: skip
_MONTH = rf"(?P<month_name>(?i:{_MONTHS}|{'|'.join(_OTHER_MONTHS)}))(?:[a-zé]{{0,6}})\.?"
_WEEKDAY = r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6},? {1,2})"
_AT = r"(?P<hour>[ \d]?\d)"
_HALF = r"(?: ?(?P<half>[AaPp]\.?[Mm]\b\.?))"
_CLOCK = rf"{_AT}:(?P<minute>\d\d):(?P<second>\d\d)(?:[.,:](?P<fraction>\d{{1,9}}))?{_HALF}?"
_ISO_CLOCK = rf"{_AT}:(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,:](?P<fraction>\d{{1,9}}))?)?"
_SHORT_CLOCK = rf"{_ISO_CLOCK}{_HALF}?"
_DIGITS_CLOCK = r"(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?"
_DOTTED_CLOCK = r"(?P<hour>\d\d)\.(?P<minute>\d\d)\.(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?"
_ZONE = rf"(?: ?(?P<zone>Z\b|[+-]\d\d(?::?\d\d)?\b(?: UTC\b)?|(?:{zones.NAMES})(?:[+-]\d{{1,2}}(?::?\d\d)?)?\b|{zones.PLACES}))?"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeForm:
    """A form of time, named by an example. signs: a pattern of what every such time has, which is quickly looked for."""

    name: str
    pattern: str
    signs: str = ""

    @property
    def has_year(self) -> bool:
        return bool({"year", "short_year", "epoch", "tai"} & set(self.parts))

    @property
    def has_zone(self) -> bool:
        """Whether a zone may be written."""
        return "zone" in self.parts

    @property
    def is_utc(self) -> bool:
        """Whether it counts from a moment, and so needs no zone."""
        return bool({"epoch", "tai"} & set(self.parts))

    @property
    def is_iso(self) -> bool:
        """Whether DuckDB reads it as it is, but for a comma and a tab."""
        return self is FORMS[0]

    @property
    def parts(self) -> list[str]:
        """The names of its groups, in their order."""
        return _groups_of(self.pattern)

    def read(self, found: re.Match[str], *, year: int) -> dt.datetime | None:
        """The time that was found, without a zone; None where it is none, such as 30 February."""
        try:
            return self._read(found, year=year)
        except (ValueError, OverflowError):
            return None

    def _read(self, found: re.Match[str], *, year: int) -> dt.datetime:
        part = {name: found.group(name) or "" for name in self.parts}
        if epoch := part.get("epoch"):
            return dt.datetime.fromtimestamp(_seconds(epoch), dt.UTC).replace(tzinfo=None)
        if tai := part.get("tai"):
            since = dt.timedelta(
                seconds=int(tai[8:16], 16) - TAI_AHEAD_S, microseconds=int(tai[16:], 16) // 1000
            )
            return dt.datetime(1970, 1, 1) + since
        if part.get("year"):
            year = int(part["year"])
        elif part.get("short_year"):
            year = 2000 + int(part["short_year"]) - (100 if int(part["short_year"]) >= 70 else 0)
        if part.get("day_of_year"):
            start = dt.datetime(year, 1, 1) + dt.timedelta(days=int(part["day_of_year"]) - 1)
            part |= {"month": str(start.month), "day": str(start.day)}
        month = _month_of(part["month_name"].lower()) if part.get("month_name") else int(part["month"] or 0)
        hour = int(part["hour"])
        if part.get("half"):
            hour = hour % 12 + (12 if part["half"].lower().startswith("p") else 0)
        return dt.datetime(
            year,
            month,
            int(part["day"]),
            hour,
            int(part.get("minute") or 0),
            min(int(part.get("second") or 0), 59),
            int((part.get("fraction") or "").ljust(6, "0")[:6]),
        )


@functools.lru_cache(maxsize=256)
def _groups_of(pattern: str) -> list[str]:
    return re.findall(r"\(\?P<(\w+)>", pattern)


def _month_of(name: str) -> int:
    """The number of a month by the beginning of its name.

    Raises:
        ValueError: it is none, such as one in letters that only count as the same where case does not.
    """
    known = _MONTHS.lower().split("|")
    return _OTHER_MONTHS[name] if name in _OTHER_MONTHS else 1 + known.index(name)


def _form(name: str, pattern: str) -> TimeForm:
    return TimeForm(name=name, pattern=pattern, signs=_signs_of(pattern))


def _signs_of(pattern: str) -> str:
    parts = {"month_name": rf"(?i:{_MONTHS}|{'|'.join(_OTHER_MONTHS)})", "epoch": r"1\d{9}", "tai": "@4"}
    for name, signs in parts.items():
        if f"(?P<{name}>" in pattern:
            return signs
    # What stands between the numbers of its date.
    between = re.search(r"\)(-|/|\\\.)\(\?P<(?:month|day|year|day_of_year|short_year)>", pattern)
    return rf"\d{between[1]}\d" if between else ""


_Y, _M, _D = r"(?P<year>\d{4})", r"(?P<month>\d{1,2})", r"(?P<day>\d{1,2})"
_Y2 = r"(?P<short_year>\d\d)"
COMMON_LOG = "01/Mar/2026:10:00:00"
# The more special first: of two that fit at one place and are as long, the first one counts.
FORMS: tuple[TimeForm, ...] = (
    _form("2026-03-01 10:00:00", rf"{_Y}-{_M}-{_D}(?:[T \t_]| {{2}}){_ISO_CLOCK}{_ZONE}"),
    _form("2026-03-01 10:00:00 AM", rf"{_Y}-{_M}-{_D}[T \t]{_ISO_CLOCK}{_HALF}{_ZONE}"),
    _form("2026/03/01 10:00:00", rf"{_Y}/{_M}/{_D}(?:[T \t_]| {{2}}| - ){_SHORT_CLOCK}{_ZONE}"),
    _form("2026.03.01 10:00:00", rf"{_Y}\.{_M}\.{_D}(?:[T \t_]| {{2}}){_SHORT_CLOCK}{_ZONE}"),
    _form("2026 Mar 01 10:00:00", rf"(?P<year>(?:19|20)\d\d)[ /-]{_MONTH}[ /-]{{1,2}}{_D},? {_CLOCK}{_ZONE}"),
    _form("2026-060T10:00:00", rf"{_Y}-(?P<day_of_year>\d{{3}})[T ]{_CLOCK}{_ZONE}"),
    _form("2026-03-01-10.00.00", rf"{_Y}-{_M}-{_D}-(?:{_DOTTED_CLOCK}){_ZONE}"),
    _form("2026-03-01-10:00:00", rf"{_Y}-{_M}-{_D}(?:-| - ){_CLOCK}{_ZONE}"),
    _form("2026:03:01-10:00:00", rf"{_Y}:(?P<month>\d\d):(?P<day>\d\d)[ -]{_CLOCK}{_ZONE}"),
    _form("20260301 10:00:00", rf"(?P<year>(?:19|20)\d\d)(?P<month>[01]\d)(?P<day>[0-3]\d)[T \t_-]{_CLOCK}{_ZONE}"),
    _form("20260301T100000", rf"(?P<year>(?:19|20)\d\d)(?P<month>[01]\d)(?P<day>[0-3]\d)[T _.-]?{_DIGITS_CLOCK}{_ZONE}"),
    _form(COMMON_LOG, rf"{_D}/{_MONTH}/{_Y}[: ]{_CLOCK}{_ZONE}"),
    _form("01-Mar-2026 10:00:00", rf"{_D}-{_MONTH}-{_Y}(?:[ T]|::?){_CLOCK}{_ZONE}"),
    _form("01Mar2026 10:00:00", rf"{_D}{_MONTH}{_Y}[ T:]{_CLOCK}{_ZONE}"),
    _form("01-Mar-26 10:00:00", rf"{_D}-{_MONTH}-{_Y2}[ T]{_CLOCK}{_ZONE}"),
    _form("Sun Mar 1 10:00:00 2026", rf"{_WEEKDAY}{_MONTH} {{1,2}}{_D} {_CLOCK}{_ZONE} {_Y}"),
    _form("Sun, 01 Mar 2026 10:00:00", rf"{_WEEKDAY}?{_D}\.? {_MONTH},? {_Y},? {_CLOCK}{_ZONE}"),
    _form("Mar 1, 2026 10:00:00", rf"{_WEEKDAY}?{_MONTH} {{1,2}}{_D},? {_Y},?(?: @| at)? {_SHORT_CLOCK}{_ZONE}"),
    _form("Mar 1 10:00:00 2026", rf"{_MONTH} {{1,2}}{_D} {_CLOCK} {_Y}{_ZONE}"),
    _form("Mar-01-26 10:00:00", rf"{_MONTH}-{_D}-{_Y2} {_CLOCK}{_ZONE}"),
    _form("UTC Mar 1 10:00:00", rf"(?P<zone>{zones.NAMES}) {_MONTH} {{1,2}}{_D} {_CLOCK}"),
    _form("Mar 1 10:00:00", rf"{_MONTH}(?:-| {{1,2}}){_D} {_CLOCK}{_ZONE}"),
    _form("01 Mar 10:00:00", rf"{_D}[ -]{_MONTH} {_ISO_CLOCK}{_ZONE}"),
    _form("01.03.2026 10:00:00", rf"{_D}\.{_M}\.{_Y},?[ \tT]{{1,2}}{_SHORT_CLOCK}{_ZONE}"),
    _form("01-03-2026 10:00:00", rf"{_D}-{_M}-{_Y},?[ \tT]{{1,2}}{_SHORT_CLOCK}{_ZONE}"),
    _form("03-01-2026 10:00:00", rf"{_M}-{_D}-{_Y},?[ \tT]{{1,2}}{_SHORT_CLOCK}{_ZONE}"),
    _form("01/03/2026 10:00:00, day first", rf"{_D}/{_M}/{_Y},?(?:[ \tT:-]{{1,2}}| - ){_SHORT_CLOCK}{_ZONE}"),
    _form("03/01/2026 10:00:00, month first", rf"{_M}/{_D}/{_Y},?(?:[ \tT:-]{{1,2}}| - ){_SHORT_CLOCK}{_ZONE}"),
    _form("26/03/01 10:00:00", rf"{_Y2}/(?P<month>\d\d)/(?P<day>\d\d) {_CLOCK}{_ZONE}"),
    _form("03/01/26 10:00:00", rf"{_M}/{_D}/{_Y2},? {_SHORT_CLOCK}{_ZONE}"),
    _form("260301 10:00:00", rf"{_Y2}(?P<month>[01]\d)(?P<day>[0-3]\d) {_CLOCK}"),
    _form("260301 100000", rf"{_Y2}(?P<month>[01]\d)(?P<day>[0-3]\d) {_DIGITS_CLOCK}"),
    _form("03-01 10:00:00", rf"(?P<month>\d\d)-(?P<day>\d\d) {_CLOCK}{_ZONE}"),
    _form("03/01 10:00:00", rf"(?P<month>\d\d)/(?P<day>\d\d)[ -]{_CLOCK}{_ZONE}"),
    _form("03.01 10:00:00", rf"(?P<month>\d\d)\.(?P<day>\d\d) {_CLOCK}{_ZONE}"),
    _form("I20260301 10:00:00", rf"(?P<severity>[IWEFD])(?P<year>(?:19|20)\d\d)(?P<month>[01]\d)(?P<day>[0-3]\d) {_CLOCK}"),
    _form("I0301 10:00:00", rf"(?P<severity>[IWEFD])(?P<month>[01]\d)(?P<day>[0-3]\d) {_CLOCK}"),
    # Of TAI64N: seconds since 1970 on from 2^62, then nanoseconds.
    _form("@400000004332258301234567", r"@(?P<tai>40000000[0-9a-f]{16})"),
    # Of Linux's audit, with the number of its event.
    _form("audit(1772359200.123:1)", r"audit\((?P<epoch>1\d{9}\.\d{3}):\d+\)"),
    _form("seconds since 1970", r"(?P<epoch>1\d{9}(?:\.\d{1,9})?)"),
    _form("milliseconds since 1970", r"(?P<epoch>1\d{12}(?:\.\d{1,6})?)"),
    _form("microseconds since 1970", r"(?P<epoch>1\d{15})"),
    _form("nanoseconds since 1970", r"(?P<epoch>1\d{18})"),
)  # fmt: skip
# What every form has; most texts have nothing of it.
_MAY_BE_ONE = re.compile(r"\d:\d\d|\d{6}|@40000000|\d\d\.\d\d\.\d\d")
# Levels of so many letters, as they follow times.
_LEVELS = "TRACE|DEBUG|INFO|WARN|ERROR|FATAL|PANIC|ALERT|EMERG|CRIT|FINE|FINER|NOTE|FAIL|LOG|ERR|INF|WRN|DBG|TRC|FTL|VRB|CRT"
_MAY_BE_A_DATE = re.compile(
    rf"(?<![\d.:/-])\d{{1,4}}([-/.])\d{{1,2}}(?:\1\d{{2,4}})?(?![\d.:/-])|\b\d{{8}}\b|\b(?:{_MONTHS})[a-z]*\b|\b\d{{4}}-W?\d{{2,3}}\b"
)
# A clock without a date.
_CLOCK_ONLY = re.compile(r"(?<!\d)\d{1,2}:\d\d:\d\d(?!\d)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A time in a text: its form, and where it stands. in_halves: whether it says AM or PM."""

    form: TimeForm
    text: str
    start: int
    end: int
    zone: str
    time: dt.datetime
    in_halves: bool = False


def stated(form: str) -> TimeForm:
    """A form in strptime's letters.

    Raises:
        ValueError: as `time_forms.pattern_of`.
    """
    return _form(form, pattern_of(form))


@functools.lru_cache(maxsize=64)
def _compiled(form: TimeForm) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w./-])(?<!\d:)(?:{form.pattern})(?![\w/]|[.:-]\d)")


_COMPILED = [(form, _compiled(form)) for form in FORMS]
_SIGNS = {form.signs: re.compile(form.signs) for form in FORMS}


# Longer is no time.
_MOST_CHARS = 64


def last_in(text: str, *, form: TimeForm | None = None) -> list[Found]:
    """Each reading of a time with which a text ends; else none. form: the only one to look for."""
    start = max(0, len(text) - _MOST_CHARS)
    while found := first_in(text[start:], form=form):
        if not re.search(r"\w", text[start + found[0].end :]):
            return [replace(item, start=start + item.start, end=start + item.end) for item in found]
        start += found[0].end
    return []


def first_in(text: str, *, most: int = 160, form: TimeForm | None = None) -> list[Found]:
    """Each reading of the first time in a text: more than one where a form does not say which number is the day.

    One that names no year is of a leap year. form: the only one to look for.
    """
    readings: list[Found] = []
    text = text[:most]
    if form is not None:
        forms = [(form, _compiled(form))]
    elif _MAY_BE_ONE.search(text):
        signs = {name for name, pattern in _SIGNS.items() if pattern.search(text)}
        forms = [item for item in _COMPILED if item[0].signs in signs]
    else:
        return readings
    for known, pattern in forms:
        match = pattern.search(text)
        if match is None:
            continue
        time = known.read(match, year=LEAP_YEAR)
        if time is None:
            continue
        readings.append(
            Found(
                form=known,
                text=match.group(),
                start=match.start(),
                end=match.end(),
                zone=(match.groupdict().get("zone") or "") if known.has_zone else "",
                time=time,
                in_halves=bool(match.groupdict().get("half")),
            )
        )
    if not readings:
        return []
    first = min(item.start for item in readings)
    # What is part of a longer one is none.
    longest = max(item.end for item in readings if item.start == first)
    return [item for item in readings if item.start == first and item.end == longest]


def word_after(text: str) -> str:
    """The word in capitals that follows a time of day, where a zone may stand; empty where none does, or a level."""
    found = re.search(r"\d:\d\d(?:[.,]\d+)? ([A-Z]{3,5})\b(?!\S)", text)
    return found[1] if found and not re.fullmatch(_LEVELS, found[1]) else ""


def has_clock(text: str) -> bool:
    """Whether a text holds a time of day, with a date or without."""
    return bool(_CLOCK_ONLY.search(text))


def has_date(text: str) -> bool:
    """Whether a text holds what may be a date, in whatever form."""
    return bool(_MAY_BE_A_DATE.search(text))


def _seconds(epoch: str) -> float:
    digits = len(epoch.split(".")[0])
    return float(epoch) / {10: 1, 13: 1e3, 16: 1e6, 19: 1e9}[digits]


def local_sql(form: TimeForm, text: str, *, year: int, is_bare: str = "") -> str:
    """SQL: a TIMESTAMP from a text that is a time in that form, whatever zone it names; NULL where it is no time, such as 30 February.

    year: of a form that names none. is_bare: SQL for what `zones.is_bare` says of the text, where that is known.
    """
    if form.is_iso:
        plain = rf"regexp_replace(replace({text}, ',', '.'), '[ \t_]+', ' ')"
        slow = rf"try_cast(regexp_extract({plain}, '^[0-9]+-[0-9]+-[0-9]+[T ][0-9 :.]*[0-9]') AS TIMESTAMP)"
        # Most say no zone, and nothing but a comma must be changed in them.
        quick = f"CASE WHEN {is_bare or zones.is_bare(text)} THEN try_cast(replace({text}, ',', '.') AS TIMESTAMP) END"
        return f"coalesce({quick}, {slow})"
    groups = ", ".join(quoted(part) for part in form.parts)
    slow = f"list_transform([regexp_extract({text}, {quoted(form.pattern)}, [{groups}])], p -> {_of_parts(form, 'p', year=year)})[1]"
    # The form of most access logs, without a fraction.
    is_common = f"substr({text}, 21, 1) IN ('', ' ')"
    quick = f"CASE WHEN {is_common} THEN try_strptime(left({text}, 20), '%d/%b/%Y:%H:%M:%S') END"
    return f"coalesce({quick}, {slow})" if form.name == COMMON_LOG else slow


def zone_sql(form: TimeForm, text: str) -> str:
    """SQL: the zone in a text that is a time in that form, as it is written; empty where none is."""
    if not form.has_zone:
        return "''"
    groups = ", ".join(quoted(part) for part in form.parts)
    return f"coalesce(regexp_extract({text}, {quoted(form.pattern)}, [{groups}]).zone, '')"


def _of_parts(form: TimeForm, part: str, *, year: int) -> str:
    if "epoch" in form.parts:
        number = f"try_cast({part}.epoch AS DOUBLE)"
        micros = f"CASE WHEN {number} < 1e11 THEN {number} * 1e6 WHEN {number} < 1e14 THEN {number} * 1e3 WHEN {number} < 1e17 THEN {number} ELSE {number} / 1e3 END"
        return f"make_timestamp(try_cast({micros} AS BIGINT))"
    years = f"{part}.year" if "year" in form.parts else f"(CASE WHEN {part}.short_year < '70' THEN '20' ELSE '19' END || {part}.short_year)" if "short_year" in form.parts else quoted(str(year))  # fmt: skip
    if "tai" in form.parts:
        seconds = f"try_cast('0x' || substr({part}.tai, 9, 8) AS BIGINT) - {TAI_AHEAD_S}"
        return f"make_timestamp(({seconds}) * 1000000 + try_cast('0x' || substr({part}.tai, 17) AS BIGINT) // 1000)"
    names = quoted("".join(_MONTHS.lower().split("|")))
    others = " ".join(f"WHEN '{name}' THEN {number}" for name, number in _OTHER_MONTHS.items())
    months = (
        f"coalesce(nullif((strpos({names}, lower({part}.month_name)) + 2) // 3, 0), CASE lower({part}.month_name) {others} END)::VARCHAR"
        if "month_name" in form.parts
        else f"{part}.month"
    )
    hours = f"ltrim({part}.hour)"
    if "half" in form.parts:
        afternoon = f"CASE WHEN lower({part}.half[1]) = 'p' THEN 12 ELSE 0 END"
        hours = f"CASE WHEN {part}.half = '' THEN {hours} ELSE (try_cast({hours} AS INTEGER) % 12 + {afternoon})::VARCHAR END"
    days = f"{part}.day"
    if "day_of_year" in form.parts:
        date = f"make_date({years}::INTEGER, 1, 1) + try_cast({part}.day_of_year AS INTEGER) - 1"
        months, days = f"month({date})::VARCHAR", f"day({date})::VARCHAR"
    # A leap second is the one before it.
    seconds = (
        f"CASE {part}.second WHEN '' THEN '00' WHEN '60' THEN '59' ELSE {part}.second END"
        if "second" in form.parts
        else "'00'"
    )
    minutes = f"{part}.minute" if "minute" in form.parts else "'00'"
    fraction = f" || '.' || {part}.fraction" if "fraction" in form.parts else ""
    text = f"{years} || '-' || {months} || '-' || {days} || ' ' || {hours} || ':' || {minutes} || ':' || {seconds}{fraction}"
    return f"try_cast({text} AS TIMESTAMP)"


def most_common(readings: Sequence[Sequence[Found]]) -> TimeForm | None:
    """The form in which most of these texts write their time; of two that fit as often, the one whose times stand in order."""
    best = _most_frequent(readings)
    if not best:
        return None
    # Where AM and PM are written the month comes first.
    halves = any(item.in_halves for found in readings for item in found)
    return min(
        best,
        key=lambda form: (_disorder(readings, form), halves and "day first" in form.name, _rank(form)),
    )


def assumed(readings: Sequence[Sequence[Found]], form: TimeForm | None) -> dict[str, str]:
    """A time that the sample reads as well in another form than the one that it is taken to be in, with its date in that one; empty where each shows its form."""
    if form is None:
        return {}
    order = _disorder(readings, form)
    others = [other for other in _most_frequent(readings) if _disorder(readings, other) == order]
    for found in readings:
        taken = next((item for item in found if item.form is form), None)
        if taken and any(item.form in others and item.time.date() != taken.time.date() for item in found):
            return {taken.text: f"{taken.time:%Y-%m-%d}"}
    return {}


def _most_frequent(readings: Sequence[Sequence[Found]]) -> list[TimeForm]:
    """The forms that most of these texts have, by their rank."""
    forms = {item.form.name: item.form for found in readings for item in found}
    votes = Counter(item.form.name for found in readings for item in found)
    most = max(votes.values(), default=0)
    return sorted((forms[name] for name, count in votes.items() if count == most), key=_rank)


def _rank(form: TimeForm) -> int:
    return FORMS.index(form) if form in FORMS else -1


def _disorder(readings: Iterable[Sequence[Found]], form: TimeForm) -> float:
    """Seconds that the times go forth and back, in this form."""
    times = [item.time for found in readings for item in found if item.form is form]
    if len(times) < 2:
        return 0.0
    return sum(abs((later - earlier).total_seconds()) for earlier, later in pairwise(times))
