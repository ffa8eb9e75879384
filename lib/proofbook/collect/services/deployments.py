"""Reads what the platform says of revisions: when they were made, how large the image is, how much memory they may use."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jmespath
import pandas as pd

from proofbook.collect.logs.files import read_source_text
from proofbook.config.sources import Deployments
from proofbook.errors import CouldNotLook
from proofbook.evidence.schema import REVISIONS
from proofbook.files import parse_json

_UNITS = {
    "": 1,
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
}


def read_revisions(deployments: Deployments, *, base: Path) -> pd.DataFrame:
    """The revisions that the document lists, oldest first.

    Returns:
        One row per revision: revision, created (UTC), image_bytes, memory_limit_bytes (NaN where not stated).
    Raises:
        CouldNotLook: the document is absent or not a JSON array of objects.
    """
    text, origin = read_source_text(deployments.file, deployments.command, base=base)
    try:
        entries = parse_json(text)
    except ValueError as error:
        raise CouldNotLook(
            f"expected a JSON array of revisions from {origin}, got something else: {error}"
        ) from None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise CouldNotLook(f"expected a JSON array of revisions from {origin}, got {type(entries).__name__}")
    rows = [_row(entry, deployments) for entry in entries]
    return REVISIONS.frame(rows).sort_values("created", ignore_index=True)


def quantity(text: Any) -> float | None:
    """A Kubernetes quantity in bytes.

    >>> quantity("512Mi"), quantity("2G"), quantity("much")
    (536870912.0, 2000000000.0, None)
    """
    match = re.fullmatch(r"\s*([0-9.]+)\s*([kMGT]i?)?B?\s*", str(text))
    return float(match[1]) * _UNITS[match[2] or ""] if match else None


def _row(
    entry: dict[str, Any], deployments: Deployments
) -> tuple[str, pd.Timestamp | None, float | None, float | None]:
    def at(path: str) -> Any:
        return jmespath.search(path, entry)

    return (
        str(at(deployments.revision)),
        pd.to_datetime(at(deployments.created), utc=True, errors="coerce", format="ISO8601"),
        quantity(at(deployments.image_bytes)),
        quantity(at(deployments.memory_limit)),
    )
