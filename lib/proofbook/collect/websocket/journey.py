"""One connection from address to close, as the row that it becomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from proofbook.evidence.schema import WEBSOCKET
from proofbook.protocol import TokenKind


@dataclass(slots=True, kw_only=True)
class Journey:
    """One connection from address to close: the row that it becomes."""

    endpoint: str
    user: str
    token_kind: str = TokenKind.GOOD
    timestamp: pd.Timestamp = field(default_factory=lambda: pd.Timestamp.now("UTC"))
    upgraded: bool = False
    http_status: int | None = None
    http_body: str = ""
    greeted: bool | None = None
    refused: bool = False
    sent: int = 0
    replied: int = 0
    reply_ok: bool | None = None
    reply_lost: int = 0
    reply_altered: int = 0
    reply_cut: int = 0
    reply_duplicated: int = 0
    reply_reordered: int = 0
    close_code: int | None = None
    close_reason: str = ""
    closed_by: str = ""
    clean: bool | None = None
    closed_in: str = ""
    dwell_s: float = 0.0
    close_s: float | None = None
    resolve_s: float | None = None
    tcp_s: float | None = None
    tls_s: float | None = None
    upgrade_s: float | None = None
    greeting_s: float | None = None
    reply_s: float | None = None
    error: str = ""
    heard: str = ""
    deflate: bool | None = None
    understood: bool | None = None
    trace_id: str | None = None


def frame(journeys: Sequence[Journey]) -> pd.DataFrame:
    """Journeys as a table with the columns `schema.CONNECTION`, also when there are none."""
    rows = [{name: getattr(journey, name) for name in Journey.__dataclass_fields__} for journey in journeys]
    return WEBSOCKET.frame(rows)
