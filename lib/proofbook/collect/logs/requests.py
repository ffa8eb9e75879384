"""Requests and traces in lines of text: how servers write which request was answered how, and which trace a line belongs to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from proofbook.config.duckdb_text import quoted

_METHOD = "GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|TRACE|CONNECT|PROPFIND|PROPPATCH|MKCOL|COPY|MOVE|LOCK|UNLOCK|PURGE"
_REQUEST = rf"(?P<method>{_METHOD}) (?P<url>\S+) (?P<protocol>HTTP/[\d.]+)"
_IN_QUOTES = ("method", "url", "protocol")
_ASKED = f'"{_REQUEST}"'
# What the message of an entry with a status holds that says nothing but which request was answered how: whatever its severity,
# where it is no warning, and where it has none.
ANSWERED = rf'"(?:-|(?:{_METHOD}) \S+ HTTP/[\d.]+)?" \d{{3}}'
ASKED = rf'"(?:{_METHOD}) \S+ HTTP/[\d.]+"'
_UNASKED = r'[+-]\d{4}\] "(?:[^"\\]|\\.)*" ([1-5]\d\d) '
NAMED = rf"\b(?:{_METHOD})\b[ \t,;|\"]+\S"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestForm:
    """How a server writes a request.

    Args:
        pattern: of a line, with the groups method, url and status, and others of config.log_formats.DETAILS. hint: what every such
            line holds; empty where nothing is. in_quotes: whether request, referer and user agent mostly stand in the first quotes of
            a line, so that it can be parted there, which takes a third of the time of the pattern.
    """

    name: str
    pattern: str
    hint: str = "HTTP/"
    in_quotes: bool = False

    @property
    def parts(self) -> list[str]:
        """The names of its groups, in their order."""
        return re.findall(r"\(\?P<(\w+)>", self.pattern)


# The first is tried where a sample holds none.
FORMS = (
    RequestForm(
        name="common log format",
        pattern=rf'{_ASKED} (?P<status>\d{{3}})(?: (?P<response_bytes>\d+|-)(?: "[^"]*" "(?P<user_agent>[^"]*)")?)?',
        in_quotes=True,
    ),
    RequestForm(
        name="haproxy",
        pattern=rf" -?\d+/-?\d+/-?\d+/-?\d+/\+?\d+ (?P<status>\d{{3}}) (?P<response_bytes>\d+) .* \"(?:{_REQUEST}|<BADREQ>)",
        hint="/",
    ),
    RequestForm(
        name="aws load balancer",
        pattern=rf' -?[\d.]+ -?[\d.]+ -?[\d.]+ (?P<status>\d{{3}}) (?:\d{{3}}|-) (?P<request_bytes>\d+) (?P<response_bytes>\d+) {_ASKED}(?: "(?P<user_agent>[^"]*)")?',
    ),
    RequestForm(
        name="uwsgi",
        pattern=rf"\] (?P<method>{_METHOD}) (?P<url>\S+) => generated (?P<response_bytes>\d+) bytes in \d+ [a-z]+ \((?P<protocol>HTTP/[\d.]+) (?P<status>\d{{3}})\)",
        hint="=> generated ",
    ),
    RequestForm(
        name="status after a word",
        pattern=rf"\b(?P<method>{_METHOD}) (?P<url>(?:/|https?://)[^\s\"]*)(?: (?P<protocol>HTTP/[\d.]+))?\"?(?: from \S+| -+>?|:| \([\d.]+ ?[mµ]?s\))? -? ?(?P<status>[1-5]\d\d)\b",
        hint="",
    ),
    RequestForm(
        name="status before the method",
        pattern=rf"\| *(?P<status>[1-5]\d\d) *\|.*\| *(?P<method>{_METHOD}) *(?:\| *)?\"?(?P<url>[^\s\"|]+)",
        hint="|",
    ),
    RequestForm(
        name="squid",
        pattern=rf" [A-Z_]+/(?P<status>[1-5]\d\d) (?P<response_bytes>\d+) (?P<method>{_METHOD}) (?P<url>\S+) ",
        hint="/",
    ),
    # Of an entry of its own, which names no method: Rails and Phoenix.
    RequestForm(
        name="status when done",
        pattern=r"\b(?:Completed|Sent) (?P<status>[1-5]\d\d)(?: [A-Z][A-Za-z' -]*)? in \d",
        hint=" in ",
    ),
    # Of an object behind a message, as zap's and Caddy's consoles write it.
    RequestForm(
        name="in an object",
        pattern=rf'"method": ?"(?P<method>{_METHOD})".*"uri": ?"(?P<url>[^"]*)".*"status": ?(?P<status>[1-5]\d\d)\b',
        hint='"status"',
    ),
    RequestForm(
        name="logfmt",
        pattern=rf'\bmethod="?(?P<method>{_METHOD})"?\b(?:.*? (?:path|url|uri)="?(?P<url>[^\s"]+))?.*?\bstatus(?:_code)?="?(?P<status>[1-5]\d\d)\b',
        hint="method=",
    ),
)  # fmt: skip
# Who asked stands first in most access logs, some after a name; if a dash follows it, nothing does that is one.
_IP = r"([0-9a-fA-F]{0,4}[.:][0-9a-fA-F.:]{3,40})"
_ADDRESS, _ADDRESS_FIRST = rf"^(?:\S+ )?{_IP} \S+ \S+ \[", rf"^{_IP} - \S+ \["


def form_of(lines: Sequence[str]) -> RequestForm:
    """The form of most requests in a sample of lines."""
    found = {form.name: sum(bool(re.search(form.pattern, line[:2000])) for line in lines) for form in FORMS}
    return max(FORMS, key=lambda form: found[form.name])


def of_line(form: RequestForm, line: str) -> str:
    """SQL: a struct of the parts of the request in a line, each empty where it is absent; NULL where there surely is none.

    Of a form in quotes, `asked` must have what `in_quotes` gives of `pieces`, which has what `pieces_of` gives of the line.
    """
    found = _extracted(line, form.pattern, form.parts)
    if form.in_quotes:
        parts = {name: f"asked.{name}" for name in _IN_QUOTES}
        parts |= {
            "status": "substr(pieces[3], 2, 3)",
            "response_bytes": "rtrim(substr(pieces[3], 6))",
            "user_agent": "pieces[6]",
        }
        quick = ", ".join(f"'{name}': {parts[name]}" for name in form.parts)
        return f"CASE WHEN asked.method <> '' THEN {{{quick}}} WHEN pieces IS NOT NULL THEN {found} END"
    return f"CASE WHEN contains({line}, {quoted(form.hint)}) THEN {found} END" if form.hint else found


def pieces_of(form: RequestForm, line: str) -> str:
    """SQL: a line parted at its quotes, if it may hold a request."""
    return f"CASE WHEN contains({line}, {quoted(form.hint)}) THEN string_split({line}, '\"') END"


def in_quotes(pieces: str) -> str:
    """SQL: a struct of method, url and protocol of a line whose first quotes hold its request, referer and user agent; else NULL or empty."""
    is_one = rf"{pieces}[5] = ' ' AND len({pieces}) > 6 AND regexp_full_match({pieces}[3], ' [0-9]{{3}} (?:[0-9]+|-) ')"
    return f"CASE WHEN {is_one} THEN {_extracted(f'{pieces}[2]', f'^{_REQUEST}$', _IN_QUOTES)} END"


def _extracted(text: str, pattern: str, groups: Iterable[str]) -> str:
    return f"regexp_extract({text}, {quoted(pattern)}, [{', '.join(map(quoted, groups))}])"


def status_alone(line: str) -> str:
    """SQL: the status of what was no request, or stopped before it was one, in a line of an access log; NULL where there is none."""
    return f"CASE WHEN contains({line}, '] \"') THEN nullif(regexp_extract({line}, {quoted(_UNASKED)}, 1), '') END"


def answered(status: str) -> str:
    """SQL: a status as a number; NULL of what stands there where nothing was answered (0, 000, -, -1), or is no status of HTTP."""
    number = f"try_cast({status} AS INTEGER)"
    return f"CASE WHEN {number} BETWEEN 100 AND 599 THEN {number} END"


def nothing(form: RequestForm) -> str:
    """SQL: that struct where there is no request."""
    return "NULL::STRUCT(" + ", ".join(f"{part} VARCHAR" for part in form.parts) + ")"


def address_of(line: str) -> str:
    """SQL: who asked, of a line of an access log; NULL where it does not begin so."""
    found = (
        f"nullif(regexp_extract({line}, {quoted(pattern)}, 1), '')" for pattern in (_ADDRESS_FIRST, _ADDRESS)
    )
    return f"coalesce({', '.join(found)})"


# Traces -------------------------------------------------------------------------------------------------------------

_ID = r"[0-9a-f]{16,32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9]{15,20}"
_BETWEEN = r"(?:[ _.-]?id)?[\"']?[=:] ?[\"']?"
_TRACEPARENT = r"\b00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}\b"
# Spring writes both in brackets, after the name of the application.
_BRACKETS = r"\[[\w.-]*,([0-9a-f]{16,32}),([0-9a-f]{16})(?:,(?:true|false)?)?\]"
PATTERNS: Mapping[str, str] = {
    "trace": rf"(?i)\b(?:\w+[._-])?trace{_BETWEEN}({_ID})\b|{_TRACEPARENT}|{_BRACKETS}",
    "span": rf"(?i)\b(?:\w+[._-])?span{_BETWEEN}([0-9a-f]{{16}}|[0-9]{{15,20}})\b|{_TRACEPARENT}|{_BRACKETS}",
}
# What a text that names an id holds, as a pattern without groups, which takes a tenth of the time.
MAY_NAME_ID = r"(?i:(?:trace|span)(?:[ _.-]?id)?[\"']?[=:]|00-[0-9a-f]{16}|,[0-9a-f]{16})"
_GROUPS = {"trace": ("a", "b", "_", "c", "_2"), "span": ("a", "_", "b", "_2", "c")}
# Text that holds none of these names no trace.
_HINTS = ("race", "RACE", "span", "00-")


def ids_in(text: str, thing: str, *, in_brackets: bool) -> str:
    """SQL: the id of the trace or of the span that a text names; NULL where it names none.

    in_brackets: whether the log's lines name both in brackets.
    """
    names = ", ".join(quoted(name) for name in _GROUPS[thing])
    found = f"regexp_extract({text}, {quoted(PATTERNS[thing])}, [{names}])"
    first = f"list_transform([{found}], x -> coalesce(nullif(x.a, ''), nullif(x.b, ''), nullif(x.c, '')))[1]"
    if in_brackets:
        return first
    may = " OR ".join(f"contains({text}, {quoted(hint)})" for hint in _HINTS)
    return f"CASE WHEN {may} THEN {first} END"


def has_brackets(lines: Sequence[str]) -> bool:
    """Whether a sample's lines name trace and span in brackets."""
    return any(re.search(_BRACKETS, line[:500]) for line in lines)
