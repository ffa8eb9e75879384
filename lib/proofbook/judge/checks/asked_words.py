"""How messages and connections of the table `asked` ended, in words."""

from __future__ import annotations

from collections import Counter

import pandas as pd

from proofbook.evidence.asked import Reply

_SHORT = 60
_MOST = 2
_REPLIES = {
    Reply.ALTERED.value: "by another message",
    Reply.OTHER.value: "by another message",
    Reply.ANOTHERS.value: "by the reply to another connection",
}


def endings(failed: pd.DataFrame) -> str:
    """How they ended, the commonest first, with what was said to one of them.

    >>> rows = {"upgraded": True, "http_status": 101, "let_in": True, "reply": "none", "error": "", "heard": ""}
    >>> endings(pd.DataFrame([{**rows, "close_code": 1011, "heard": "oops"}, {**rows, "close_code": None}]))
    '1 by close 1011 (“oops”), 1 by silence'
    """
    rows = [row for _, row in failed.iterrows()]
    said = {_ending(row): _quoted(row) for row in reversed(rows)}
    counted = Counter(_ending(row) for row in rows)
    return ", ".join(f"{count} {word}{said[word]}" for word, count in counted.most_common(_MOST))


def _ending(row: pd.Series) -> str:
    if not row["upgraded"]:
        return f"by HTTP {int(row['http_status'])}" if pd.notna(row["http_status"]) else f"by {row['error']}"
    if row["reply"] in _REPLIES:
        return _REPLIES[row["reply"]]
    if pd.notna(row["close_code"]):
        return f"by close {int(row['close_code'])}"
    return f"by {row['error']}" if row["let_in"] is False and row["error"] else "by silence"


def _quoted(row: pd.Series) -> str:
    said = " ".join(str(row["heard"]).split())
    return f" (“{said if len(said) <= _SHORT else f'{said[: _SHORT - 1]}…'}”)" if said else ""
