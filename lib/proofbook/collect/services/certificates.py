"""Reads the certificates of TLS endpoints: whether a client would accept them, and until when."""

from __future__ import annotations

import asyncio
import datetime as dt
import socket
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

import pandas as pd

from proofbook.collect.connection_errors import describe
from proofbook.collect.session import Session
from proofbook.config.environment import Environment
from proofbook.evidence.schema import CERTIFICATES

TIMEOUT_S = 5.0


async def look(environment: Environment, *, session: Session) -> pd.DataFrame | None:
    """One row per service whose URL is encrypted: service, timestamp (UTC), reached, verified, days (left; NaN where not
    verified), problem, distrusted (whether a client that trusts nobody refuses it, as it must). None where nothing is encrypted.
    """
    asked = [
        (item.name, session.service_urls[item.name], item)
        for item in environment.services
        if session.service_urls[item.name].startswith("https:")
    ]
    rows = [
        await asyncio.to_thread(_ask, name, url, session.tls(tls, url), tls.server_name)
        for name, url, tls in asked
    ]
    return CERTIFICATES.frame(rows) if rows else None


def _ask(
    name: str, url: str, context: ssl.SSLContext | None, server_name: str | None
) -> Mapping[str, object]:
    assert context is not None
    parts = urlsplit(url)
    row = {"service": name, "timestamp": pd.Timestamp.now("UTC"), "reached": False, "verified": False, "days": float("nan"), "problem": "", "distrusted": _is_distrusted(parts.hostname, parts.port or 443)}  # fmt: skip
    try:
        with socket.create_connection((parts.hostname, parts.port or 443), timeout=TIMEOUT_S) as plain:
            row["reached"] = True
            with context.wrap_socket(plain, server_hostname=server_name or parts.hostname) as tls:
                ends = (tls.getpeercert() or {}).get("notAfter")
    except ssl.SSLCertVerificationError as error:
        return {**row, "problem": error.verify_message}
    except OSError as error:
        return {**row, "problem": describe(error)}
    left = dt.datetime.fromtimestamp(ssl.cert_time_to_seconds(str(ends)), dt.UTC) - dt.datetime.now(dt.UTC)
    return {**row, "verified": True, "days": left.total_seconds() / 86400}


def _is_distrusted(host: str | None, port: int) -> bool:
    # No authority is loaded into this one.
    stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        with (
            socket.create_connection((host, port), timeout=TIMEOUT_S) as plain,
            stranger.wrap_socket(plain, server_hostname=host),
        ):
            return False
    except ssl.SSLCertVerificationError:
        return True
    except OSError:
        return False
