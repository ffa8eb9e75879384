"""Trace ids, canary and user agent of probes, by which their requests are found in the log of the service.

A canary is such a mark of one session: every trace id that it sends begins with it, and the address of the page that must
not exist carries it. A log that holds the canary is alive, and it is this system's log.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping

USER_AGENT = "proofbook-probe"
# What a browser sends with every request, and nothing that says that it is a probe.
BROWSER_HEADERS = {
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "accept-language": "en-US,en;q=0.9",
}
# What one sends beside that where a page of the service itself asks: for a WebSocket (in Firefox; Chrome sends a part of it), and by fetch.
_FROM_A_PAGE = {"pragma": "no-cache", "cache-control": "no-cache", "sec-fetch-site": "same-origin"}
UPGRADE_HEADERS = {**_FROM_A_PAGE, "sec-fetch-mode": "websocket", "sec-fetch-dest": "websocket"}
FETCH_HEADERS = {**_FROM_A_PAGE, "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}
# Every trace id of a probe begins with "proof" in hexadecimal, whichever session it is of.
PROBE_TRACE = "70726f6f66"
QUERY = "proofbook"
TRACE_DIGITS = 32
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}.*")


def new_canary() -> str:
    """A mark that nobody has sent yet.

    >>> new_canary().startswith(PROBE_TRACE), len(new_canary())
    (True, 22)
    """
    return PROBE_TRACE + secrets.token_hex(6)


def trace_id(canary: str) -> str:
    """A trace id that begins with the canary."""
    return canary + secrets.token_hex((TRACE_DIGITS - len(canary)) // 2)


def trace_sent(headers: Mapping[str, str]) -> str | None:
    """The trace id that headers carry as a W3C trace context; None where they carry none.

    >>> trace_sent({"Traceparent": "00-70726f6f660000000000000000000001-00000000000000aa-01"}), trace_sent({})
    ('70726f6f660000000000000000000001', None)
    """
    stated = next((value for name, value in headers.items() if name.lower() == "traceparent"), "")
    found = _TRACEPARENT.fullmatch(stated.strip())
    return found[1] if found else None
