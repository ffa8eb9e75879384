"""What close codes mean (RFC 6455)."""

from __future__ import annotations

# Normal closure, and going away.
CLEAN_CODES = (1000, 1001)
