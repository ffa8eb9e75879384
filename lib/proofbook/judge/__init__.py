"""Judging: pure functions from recorded evidence to findings. Nothing here touches network, clock or disk.

What the author of a check needs is named here: `from proofbook.judge import Check, Recipe, claims`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from proofbook.judge.check import Check, Mutant, Recipe
    from proofbook.judge.checks.success_rate import success_rate
    from proofbook.judge.findings import Control, Estimate, Exposure, Judgement, Method, Needed, Verdict
    from proofbook.judge.registry import claims
    from proofbook.judge.view import InsufficientEvidence, View

__all__ = [
    "Check",
    "Control",
    "Estimate",
    "Exposure",
    "InsufficientEvidence",
    "Judgement",
    "Method",
    "Mutant",
    "Needed",
    "Recipe",
    "Verdict",
    "View",
    "claims",
    "success_rate",
]

_HOMES = {
    "check": ("Check", "Mutant", "Recipe"),
    "checks.success_rate": ("success_rate",),
    "findings": ("Control", "Estimate", "Exposure", "Judgement", "Method", "Needed", "Verdict"),
    "registry": ("claims",),
    "view": ("InsufficientEvidence", "View"),
}
_HOME = {name: f"proofbook.judge.{home}" for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Loads a name when it is first used, so that importing one module of this package loads no other."""
    if name not in _HOME:
        raise AttributeError(f"module 'proofbook.judge' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
