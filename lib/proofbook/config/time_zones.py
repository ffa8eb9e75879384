"""Names of time zones that both DuckDB and Python know, such as Europe/Berlin."""

from __future__ import annotations

import difflib
import functools
import zoneinfo

from proofbook.config import duckdb_text

# Of names that are near what was written, no more are named.
NEAR = 3


def problem(name: str) -> str:
    """Why a name is not that of a time zone, with the nearest names, or nothing.

    >>> problem("Europe/Berlin"), problem("Berlin")
    ('', "expected the name of a time zone such as Europe/Berlin, got 'Berlin'; did you mean Europe/Berlin?")
    """
    if name in names():
        return ""
    wanted = f"expected the name of a time zone such as Europe/Berlin, got {name!r}"
    if name[:1] in ("+", "-"):
        return f"{wanted}; an offset is stated with utc_offset"
    near = _near(name)
    return f"{wanted}; did you mean {' or '.join(near)}?" if near else wanted


@functools.cache
def names() -> frozenset[str]:
    """All names that both know."""
    return frozenset(zoneinfo.available_timezones()) & duckdb_text.time_zones()


def _near(name: str) -> list[str]:
    """The names that are most like it, by the whole of them or by the place alone."""
    written = name.strip().lower().replace(" ", "_")
    spelt: dict[str, str] = {}
    for known in sorted(names(), key=lambda known: ("/" not in known, known)):
        for spelling in (known.lower(), known.lower().split("/")[-1]):
            spelt.setdefault(spelling, known)
    close = (
        [written] if written in spelt else difflib.get_close_matches(written, spelt, n=2 * NEAR, cutoff=0.8)
    )
    return list(dict.fromkeys(spelt[spelling] for spelling in close))[:NEAR]
