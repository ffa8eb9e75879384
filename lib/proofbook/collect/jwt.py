"""Reads what a JWT says, without checking who signed it."""

from __future__ import annotations

import base64
import binascii

from proofbook.files import parse_json


def read(token: str) -> tuple[dict[str, object], dict[str, object]] | None:
    """Header and claims of a JWT; None of anything else.

    >>> read("eyJhbGciOiJIUzI1NiJ9.e30.c2ln")
    ({'alg': 'HS256'}, {})
    """
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        header, claims = (
            parse_json(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in parts[:2]
        )
    except (ValueError, binascii.Error):
        return None
    return (header, claims) if isinstance(header, dict) and isinstance(claims, dict) else None
