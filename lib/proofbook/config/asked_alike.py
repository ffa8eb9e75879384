"""The settings that decide how a system is probed, and which of them differ between two environments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from proofbook.config.environment import Environment
from proofbook.config.references import Settings

# They say what becomes of an answer, or what is asked beside.
_OF_JUDGING = frozenset(
    ["name", "critical", "before_url", "openapi", "metrics", "memory_metric", "memory_series", "logs", "timed", "revision_path", "normal_close_codes"]
)  # fmt: skip
# Where a service lies is told apart.
ADDRESS = "url"


def differing(was: Environment, now: Environment) -> tuple[str, ...]:
    """The settings of asking that have another value now, as `websocket ws: path`; of what both environments have."""
    before, after = stated(was), stated(now)
    return tuple(
        f"{part}: {key}"
        for part in after
        if part in before
        for key in dict.fromkeys([*after[part], *before[part]])
        if before[part].get(key) != after[part].get(key)
    )


def concerning(differs: Iterable[str], *parts: str, address: bool = False) -> tuple[str, ...]:
    """Those of the differing settings by which these parts (`service`, `websocket ws`) are asked otherwise.

    Args:
        address: whether another address is one of them.

    >>> concerning(["pace: per_s", "websocket ws: path", "service api: url"], "service")
    ('pace: per_s',)
    """
    known = ("pace", "login", *parts)
    return tuple(
        item
        for item in differs
        if (address or not item.endswith(f": {ADDRESS}"))
        and any(item.startswith((f"{part} ", f"{part}:")) for part in known)
    )


def addresses(environment: Environment) -> frozenset[str]:
    """Where its services and logs are, as written or named."""
    logs = (item.source or item.file or item.table for item in environment.logs)
    return frozenset([*(str(item.url) for item in environment.services), *filter(None, logs)])


def stated(environment: Environment) -> dict[str, Mapping[str, object]]:
    """All that an environment states of how it is asked: `pace`, `login`, `service api`, `websocket ws`, each with its settings."""
    whole = environment.in_full()
    found: dict[str, Settings] = {"pace": whole.pace}
    found |= {f"service {item.name}": item for item in whole.services}
    found |= {f"websocket {item.name}": item for item in whole.websockets}
    if whole.login is not None:
        found["login"] = whole.login
    dumped = {name: item.model_dump(mode="json", by_alias=True) for name, item in found.items()}
    return {
        name: {key: value for key, value in item.items() if key not in _OF_JUDGING}
        for name, item in dumped.items()
    }
