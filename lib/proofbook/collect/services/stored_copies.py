"""Whether a cache says that it answered in place of the service, in another header than Age."""

from __future__ import annotations

import re
from collections.abc import Mapping

# RFC 9211, and what proxies called it before: nginx, Squid, Varnish, content delivery networks.
_CACHE_HEADER = re.compile(r"(?:x|cf)-(?:[a-z]+-)*cache(?:-status)?|cache-status")
# Not of what was fetched, or confirmed by the service, just now: MISS, EXPIRED, REVALIDATED, BYPASS.
_FROM_CACHE = re.compile(r"(?<![a-z])(?:tcp_)?(?:(?:mem|disk|ims|refresh_fail|stale)_?)*(?:hit|stale|updating)(?![a-z])", re.IGNORECASE)  # fmt: skip
# A request that RFC 9211 says was forwarded was answered by the service, although what was stored was stale.
_FORWARDED = re.compile(r";\s*fwd\s*=", re.IGNORECASE)
# RFC 7234: stale, could not be revalidated, disconnected.
_STALE_CODE = re.compile(r"(?:^|,)\s*11[0-2]\s")
_LONGEST = 60


def named_in(headers: Mapping[str, str]) -> str:
    """The header by which a cache says that it answered; empty where none does, or where Age says how old the answer is.

    >>> named_in({"warning": '110 - "Response is Stale"'}), named_in({"x-cache-status": "HIT"}), named_in({"x-cache": "MISS"})
    ('warning: 110 - "Response is Stale"', 'x-cache-status: HIT', '')
    >>> named_in({"cache-status": "edge; fwd=stale; stored"}), named_in({"age": "0", "x-cache": "HIT"})
    ('', '')
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    if _STALE_CODE.search(warning := lowered.get("warning", "")):
        return f"warning: {warning}"[:_LONGEST]
    if "age" in lowered:
        return ""
    for name, value in lowered.items():
        if not _CACHE_HEADER.fullmatch(name) or (name == "cache-status" and _FORWARDED.search(value)):
            continue
        if _FROM_CACHE.search(value):
            return f"{name}: {value}"[:_LONGEST]
    return ""
