"""How tries that failed ended, in a few words: what a reader wants to know first of a count of failures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

MAX_KINDS = 2
MAX_LENGTH = 60
# All that tells an ending; rows of `websocket` hold much more.
TELLING = ("http_status", "status", "close_code", "closed_by", "error", "greeted", "upgraded")


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
    """
    rows = failed[[name for name in TELLING if name in failed]].to_dict("records")
    ordered = sorted(Counter(map(_of, rows)).items(), key=lambda item: (-item[1], item[0]))
    told = [
        f"{count:,} {'' if place else 'ended '}with {word}"
        for place, (word, count) in enumerate(ordered[:MAX_KINDS])
    ]
    rest = sum(count for _, count in ordered[MAX_KINDS:])
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
