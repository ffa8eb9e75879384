"""Which user ids this service lets in."""

from __future__ import annotations

import re

PATTERNS = (
    re.compile(r"^user_\d+$"),
    re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"),
)


def accepts(user_id: str) -> bool:
    """Whether the id has one of the known forms."""
    return any(pattern.fullmatch(user_id) for pattern in PATTERNS)
