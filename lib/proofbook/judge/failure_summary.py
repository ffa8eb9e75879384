"""How tries that failed ended, in a few words: what a reader wants to know first of a count of failures."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

MAX_KINDS = 2
MAX_LENGTH = 60
MAX_QUOTED = 80
# All that tells an ending; rows of `websocket` hold much more.
TELLING = (
    "http_status",
    "status",
    "close_code",
    "closed_by",
    "error",
    "greeted",
    "upgraded",
    "http_body",
    "body",
    "close_reason",
)


def in_words(failed: pd.DataFrame) -> str:
    """The commonest endings of failed rows of `websocket` or `health`, each with its count; empty where there are none.

    >>> in_words(pd.DataFrame({"http_status": [404, 404, None], "error": ["", "", "no answer within 5 s"]}))
    '2 ended with HTTP 404, 1 with no answer within 5 s'
    >>> came = {"upgraded": True, "http_status": 101, "error": ""}
    >>> thrown_out = {**came, "greeted": True, "closed_by": "server", "close_code": 1011}
    >>> in_words(pd.DataFrame([thrown_out, {**came, "greeted": False, "closed_by": "probe", "close_code": 1000}]))
    '1 ended with close 1011, 1 with no greeting'
    >>> in_words(pd.DataFrame({"status": [200, 503, None], "error": ["", "", "ConnectError"]}))
    '1 ended with ConnectError, 1 with HTTP 200, but another answer than expected, 1 in other ways'
    >>> in_words(pd.DataFrame([{**thrown_out, "close_code": 4406, "close_reason": "Subprotocol not acceptable"}]))
    '1 ended with close 4406 “Subprotocol not acceptable”'
    """
    rows = failed[[name for name in TELLING if name in failed]].to_dict("records")
    quoted: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        quoted[_of(row)][_own_words(row)] += 1
    ordered = sorted(quoted.items(), key=lambda item: (-item[1].total(), item[0]))
    told = [
        f"{words.total():,} {'' if place else 'ended '}with {word}{words.most_common(1)[0][0]}"
        for place, (word, words) in enumerate(ordered[:MAX_KINDS])
    ]
    rest = sum(words.total() for _, words in ordered[MAX_KINDS:])
    return ", ".join([*told, *([f"{rest:,} in other ways"] if rest else [])])


def _of(row: Mapping[Hashable, Any]) -> str:
    status, code = row.get("http_status", row.get("status")), row.get("close_code")
    if pd.notna(code) and row.get("closed_by") == "server":
        return f"close {int(code)}"
    if pd.notna(status) and int(status) not in (101, 200):
        return f"HTTP {int(status)}"
    if error := str(row.get("error") or ""):
        return error if len(error) <= MAX_LENGTH else f"{error[: MAX_LENGTH - 1]}…"
    if row.get("greeted") is False or (row.get("upgraded") and pd.notna(status)):
        return "no greeting"
    return f"HTTP {int(status)}, but another answer than expected" if pd.notna(status) else "no answer"


def _own_words(row: Mapping[Hashable, Any]) -> str:
    """What a server said of a refusal, quoted: the reason of its close, or the body of its answer where that is no page for people."""
    status = row.get("http_status", row.get("status"))
    if pd.notna(row.get("close_code")) and row.get("closed_by") == "server":
        said = row.get("close_reason")
    elif pd.notna(status) and int(status) >= 400:
        said = row.get("http_body", row.get("body"))
    else:
        return ""
    words = " ".join(str(said or "").split())
    if not words or words.startswith("<"):
        return ""
    return f" “{words if len(words) <= MAX_QUOTED else words[: MAX_QUOTED - 1] + '…'}”"
