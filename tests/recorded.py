"""Recorded evidence under tests/golden, judged again."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

from proofbook.evidence import store
from proofbook.validation import Validation

GOLDEN = Path(__file__).parent / "golden"
VERSIONS = GOLDEN / "versions"
NAMES = (
    "healthy",
    "auth-bypass",
    "fix-not-deployed",
    "memory-leak",
    "log-truncated",
    "message-schema-changed",
    "logs-only",
)
ASKED = {"logs-only": ("orders", "charged-twice")}
# What is written for people, and so may be worded anew; everything else of a finding is a fact.
SENTENCES = ("claim", "statement", "threshold", "not_established")
# Facts that stood only in sentences when the findings were recorded, and are fields now.
ADDED = ("caught", "tried", "judged", "seen", "limits", "severity_at", "sensitivity")


def evidence_of(name: str, *, to: Path) -> Path:
    """The recorded evidence of that name, put together in `to`."""
    if name != "logs-only":
        shutil.copytree(GOLDEN / "shared", to, dirs_exist_ok=True)
    shutil.copytree(GOLDEN / name, to, dirs_exist_ok=True, ignore=shutil.ignore_patterns("findings.json"))
    return to


def run_of_version(name: str, *, to: Path) -> Path:
    """The folder of the run that the version of that day recorded, unpacked into the outputs `to`."""
    with tarfile.open(VERSIONS / f"{name}.tar.xz") as packed:
        # Pythons before 3.11.4 have no filters, and what is unpacked is ours.
        packed.extractall(to, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
        (run,) = {to / Path(item).parts[0] / Path(item).parts[1] for item in packed.getnames() if "/" in item}
    return run


def asked_of(name: str, *, base: Path) -> Validation:
    """The environment and case over which the evidence of that name was recorded."""
    where, what = ASKED.get(name, ("rehearsal", "ssot-fixes"))
    files = GOLDEN / "files"
    return Validation.load(
        str(files / "environments" / f"{where}.toml"), str(files / "cases" / f"{what}.toml"), base=base
    )


def judged_again(name: str, folder: Path) -> list[dict[str, Any]]:
    """Every finding over the evidence in `folder`, as plain values."""
    return [item.to_json() for item in asked_of(name, base=folder).over(store.read(folder)).judge_all()]


def recorded(name: str) -> list[dict[str, Any]]:
    """The findings as they were."""
    found: list[dict[str, Any]] = json.loads((GOLDEN / name / "findings.json").read_text(encoding="utf-8"))
    return found


def without_evidence(finding: dict[str, Any]) -> dict[str, Any]:
    """A finding without the list of tables that it read, and without fields that were added since it was recorded."""
    controls = [
        {key: value for key, value in control.items() if key not in ADDED} for control in finding["controls"]
    ]
    return {key: value for key, value in finding.items() if key not in ("evidence", *ADDED)} | {
        "controls": controls
    }


def facts(finding: dict[str, Any]) -> dict[str, Any]:
    """A finding without its sentences, its controls and the list of tables that it read."""
    kept = {key: value for key, value in without_evidence(finding).items() if key not in SENTENCES}
    del kept["controls"]
    for key, words in (("needed", "what"), ("method", "null_hypothesis"), ("exposure", "unit")):
        kept[key] = finding[key] and {name: value for name, value in finding[key].items() if name != words}
    return kept


def controls(finding: dict[str, Any]) -> list[str]:
    """The controls of a finding without their sentences."""
    return [
        " ".join((item["kind"], *item["guards"], str(item["held"]), item["code"]))
        for item in finding["controls"]
    ]


def differences(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[str]:
    """The ids of findings of which more than a sentence differs; a control may be added, and none taken away."""
    before, after = ({item["id"]: item for item in found} for found in (old, new))
    return sorted(
        name
        for name in before.keys() | after.keys()
        if name not in before
        or name not in after
        or facts(before[name]) != facts(after[name])
        or not Counter(controls(before[name])) <= Counter(controls(after[name]))
    )
