"""Every request and connection of our own probes, in one table, each with whether it went as it should."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pandas as pd

from proofbook.evidence.store import Evidence
from proofbook.investigation.conditions import LOST
from proofbook.investigation.names import PROBES
from proofbook.protocol import GOOD_KINDS, TokenKind

# Of the view `probes`.
COLUMNS = {
    "timestamp": "datetime64[us, UTC]", "phase": "str", "what": "str", "ok": "boolean", "status": "Int32", "close_code": "Int32", "took_s": "Float64",
    "revision": "str", "error": "str", "trace_id": "str",
}  # fmt: skip
# What each column is called in the tables of evidence, the first that is there.
_CALLED = {
    "timestamp": ("timestamp",), "status": ("status", "http_status"), "close_code": ("close_code",),
    "took_s": ("total_s", "took_s", "upgrade_s"), "revision": ("revision",), "error": ("error",), "trace_id": ("trace_id",),
}  # fmt: skip
# A path that must not exist, which is well where it is not answered as health is.
UNKNOWN_PATH = "unknown-path"


def tables(evidence: Evidence) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """The tables of probes that hold anything: phase, name, rows."""
    for phase in evidence.manifest.phases:
        for name in PROBES:
            found = evidence.table(name, phase)
            if found is not None and len(found):
                yield phase, name, found


def whole(evidence: Evidence) -> pd.DataFrame:
    """All of them in one table, a row each: COLUMNS."""
    parts = [pd.DataFrame({name: pd.Series(dtype="object") for name in COLUMNS})]
    for phase, name, found in tables(evidence):
        given = {
            column: found[there] if (there := _first(called, found.columns)) else None
            for column, called in _CALLED.items()
        }
        rows = pd.DataFrame(given, index=found.index).assign(
            phase=phase, what=name, ok=went_well(name, found)
        )
        parts.append(rows.astype("object"))
    return pd.concat(parts, ignore_index=True)[list(COLUMNS)].astype(COLUMNS)


def went_well(name: str, rows: pd.DataFrame) -> pd.Series:
    """Whether each row of a table of probes is as it should be; missing where only a case says what should be."""
    if name == "identities":
        return pd.Series(pd.NA, index=rows.index, dtype="boolean")
    if name == "held":
        return _true(rows["upgraded"]) & ~_lost(rows)
    if name == "refusals":
        entered = _true(rows["greeted"])
        good = rows["token_kind"].isin(GOOD_KINDS) & (rows["token_kind"] != TokenKind.AT_UNKNOWN_PATH)
        # Where no greeting is expected nobody says whether a token was taken.
        return (entered == good).astype("boolean").mask(rows["greeted"].isna() & _true(rows["upgraded"]))
    if "upgraded" in rows:
        unwell = [rows[column].fillna(True).eq(False) for column in ("greeted", "reply_ok")]
        return (_true(rows["upgraded"]) & ~_lost(rows) & ~unwell[0] & ~unwell[1]).astype("boolean")
    ok = _true(rows["ok"])
    return (ok ^ (rows["kind"] == UNKNOWN_PATH) if "kind" in rows else ok).astype("boolean")


def _lost(rows: pd.DataFrame) -> pd.Series:
    """Whether each connection was ended by the server in a way that is none."""
    return (rows["closed_by"] != "probe") & rows["close_code"].isin(LOST).fillna(False).astype(bool)


def _true(column: pd.Series) -> pd.Series:
    return column.fillna(False).astype(bool)


def _first(names: Iterable[str], columns: Iterable[str]) -> str | None:
    there = set(columns)
    return next((name for name in names if name in there), None)
