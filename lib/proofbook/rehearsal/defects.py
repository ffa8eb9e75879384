"""How the services go wrong on purpose: which seeded faults are on in this process, and whom they hit."""

from __future__ import annotations

import os
import random

FAULTS = frozenset(filter(None, os.environ.get("REHEARSAL_FAULTS", "").split(",")))

# The share of what a fault could hit that it does hit; of conversations, unless another unit is named.
RATES = {
    "intermittent-1011": 0.02,
    "frequent-1011": 0.10,
    "rare-1011": 0.003,
    "reply-lost": 0.10,
    "reply-duplicated": 0.10,
    "reply-reordered": 0.10,
    "reply-altered": 0.10,
    "reply-of-another-user": 0.10,
    "slow-tail": 0.045,  # of requests
    "health-lies": 0.3,  # of requests
    "dependency-times-out": 0.15,  # of requests
    "flag-turned-on": 0.2,  # of requests
    "database-locked": 0.2,  # of requests
    "slow-query": 0.1,  # of requests
}
LARGE_CHARS = 4096
LATE_S = 0.2
TAIL_TIMES = 10.0
LEAK_MB_PER_S = {"memory-leak": 2.0, "memory-leak-slow": 0.8, "leak-hidden-by-restarts": 4.0}
CRASH_AFTER_S = 3.0
COLD_REQUESTS = 40
COLD_S = 0.4

_chance = random.Random()


def on(*names: str) -> bool:
    """Whether one of these faults is on."""
    return not FAULTS.isdisjoint(names)


def strikes(*names: str) -> bool:
    """Whether one of these faults is on and hits this time."""
    return any(name in FAULTS and _chance.random() < RATES.get(name, 1.0) for name in names)


def takes_the_old_path(*, number: int, text: str, unlucky: bool, is_probe: bool) -> bool:
    """Whether the handler from before the fix answers this message, the `number`-th of its connection."""
    return (
        on("recursion-not-fixed", "log-severity-stripped")
        or (unlucky and number == 1)
        or (on("second-message-1011") and number == 2)
        or (on("large-message-1011") and len(text) > LARGE_CHARS)
        or (on("fixed-for-probes-only") and not is_probe)
    )


def service_times() -> float:
    """By what a request takes longer than it should."""
    lasting = 1.4 if on("slow") else 1.5 if on("always-slow") else 1.0
    return lasting * (TAIL_TIMES if strikes("slow-tail") else 1.0)
