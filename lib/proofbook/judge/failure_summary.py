"""How tries that failed ended, in a few words: what a reader wants to know first of a count of failures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

MAX_KINDS = 2
# What RFC 6455 calls an end without a close frame.
_WITHOUT_A_FRAME = 1006
MAX_LENGTH = 60
# All that tells an ending; rows of `websocket` hold much more.
TELLING = (
    "http_status", "status", "close_code", "closed_by", "error", "greeted", "upgraded", "close_reason", "http_body", "body",
    "refused", "reply_duplicated", "reply_reordered", "heard",
)  # fmt: skip
_WRONG = (
    ("reply_duplicated", "a reply that came twice"),
    ("reply_reordered", "replies in another order"),
)


def in_words(failed: pd.DataFrame) -> str:
    """The commonest endings of failed rows of `websocket` or `health`, each with its count; empty where there are none.

    >>> in_words(pd.DataFrame({"http_status": [404, 404, None], "error": ["", "", "no answer within 5 s"]}))
    '2 ended with HTTP 404, 1 with no answer within 5 s'
    >>> came = {"upgraded": True, "http_status": 101, "error": ""}
    >>> thrown_out = {**came, "greeted": True, "closed_by": "server", "close_code": 1011}
    >>> in_words(pd.DataFrame([thrown_out, {**came, "greeted": False, "closed_by": "probe", "close_code": 1000}]))
    '1 ended with close 1011, 1 with no greeting'
    >>> in_words(pd.DataFrame([{**came, "closed_by": "probe", "close_code": 1000, "reply_duplicated": 1}]))
    '1 ended with a reply that came twice'
    >>> in_words(pd.DataFrame([{"http_status": 403, "http_body": "Origin not allowed"}, {"http_status": 403, "http_body": ""}]))
    '2 ended with HTTP 403 (Origin not allowed)'
    >>> in_words(pd.DataFrame({"status": [200, 503, None], "error": ["", "", "ConnectError"]}))
    '1 ended with ConnectError, 1 with HTTP 200, but another answer than expected, 1 in other ways'
    >>> in_words(pd.DataFrame([{"status": 503, "body": "no database"}, {"status": 503, "body": "no database"}]))
    '2 ended with HTTP 503 (no database)'
    """
    rows = failed[[name for name in TELLING if name in failed]].to_dict("records")
    words = [_of(row) for row in rows]
    # In what a server says beside its code stand ids and times: one of them is enough to read.
    said = {word: _said(row) for row, word in zip(reversed(rows), reversed(words), strict=True)}
    return _counted(Counter(words), said)


def _counted(words: Counter[str], said: Mapping[str, str]) -> str:
    ordered = sorted(words.items(), key=lambda item: (-item[1], item[0]))
    told = [
        f"{count:,} {'' if place else 'ended '}with {word}{said[word]}"
        for place, (word, count) in enumerate(ordered[:MAX_KINDS])
    ]
    rest = sum(count for _, count in ordered[MAX_KINDS:])
    return ", ".join([*told, *([f"{rest:,} in other ways"] if rest else [])])


def _said(row: Mapping[Hashable, Any]) -> str:
    """What the server said beside a code or a status, in brackets; a page is not quoted."""
    if _in_a_message(row):
        return ""
    by_code = pd.notna(row.get("close_code")) and row.get("closed_by") == "server"
    status = row.get("status")
    body = "body" if pd.notna(status) and int(status) >= 400 else "http_body"
    column = "close_reason" if by_code else "heard" if row.get("heard") else body
    without_a_frame = by_code and row["close_code"] == _WITHOUT_A_FRAME
    # Who closes without a frame gives no reason; what was noted says why the connection could not go on.
    text = " ".join(str(row.get(column) or (without_a_frame and row.get("error")) or "").split())
    return f" ({_short(text)})" if text and not text.startswith("<") else ""


def _in_a_message(row: Mapping[Hashable, Any]) -> bool:
    """Whether the server refused in a message, which says more than the code that it closed with."""
    return bool(row.get("refused") and row.get("upgraded") and row.get("error"))


def _short(text: str) -> str:
    return text if len(text) <= MAX_LENGTH else f"{text[: MAX_LENGTH - 1]}…"


def _of(row: Mapping[Hashable, Any]) -> str:
    status, code = row.get("http_status", row.get("status")), row.get("close_code")
    if _in_a_message(row):
        return _short(str(row["error"]))
    if pd.notna(code) and row.get("closed_by") == "server":
        return f"close {int(code)}"
    if pd.notna(status) and int(status) not in (101, 200):
        return f"HTTP {int(status)}"
    for column, word in _WRONG:
        if row.get(column):
            return word
    if error := str(row.get("error") or ""):
        return _short(error)
    if row.get("greeted") is False or (row.get("upgraded") and pd.notna(status)):
        return "no greeting"
    return f"HTTP {int(status)}, but another answer than expected" if pd.notna(status) else "no answer"
