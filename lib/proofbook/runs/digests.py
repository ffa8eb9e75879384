"""Digests of findings and pages, and what a page carries of its run."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence

from proofbook.runs.json_reader import JsonObject
from proofbook.runs.record import RunRecord

# The digest of a page is over its text with this in the digest's place.
BLANK = "0" * 64
DIGEST = re.compile(r'(<meta name="proofbook-digest" content=")([0-9a-f]{64})(">)')


def about(run: RunRecord) -> JsonObject:
    """What a page carries of its run, so that the file alone can be checked against the run."""
    kept = (
        "run_id",
        "environment",
        "case",
        "started",
        "ended",
        "verdict",
        "reason",
        "evidence",
        "notebooks",
        "versions",
        "source",
    )
    return {
        **{name: value for name, value in run.to_json().items() if name in kept},
        "findings_sha256": findings_digest(run.findings_json),
    }


def findings_digest(findings: Sequence[JsonObject]) -> str:
    """sha256 of findings, as JSON with sorted keys."""
    return hashlib.sha256(json.dumps(findings, sort_keys=True).encode()).hexdigest()


def page_digest(text: str) -> str:
    """sha256 of a page, its own digest left blank."""
    return hashlib.sha256(DIGEST.sub(rf"\g<1>{BLANK}\g<3>", text, count=1).encode()).hexdigest()


def stated_digest(text: str) -> str:
    """The digest that a page states of itself; empty where it states none."""
    found = DIGEST.search(text)
    return found.group(2) if found else ""
