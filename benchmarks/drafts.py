"""Does a case that is drafted from a look judge the fix? For every fault of the rehearsal that its users meet and its log tells of.

    python benchmarks/drafts.py                     collect what is missing, try every draft, print a line for each and the count
    python benchmarks/drafts.py --judge             collect nothing
    python benchmarks/drafts.py --only new-error    some of them

Of each fault three deployments are collected under outputs/drafts/: with it, with it again, and without it. Nobody tells the look
what the fault is: it selects what went wrong since the latest revision, else the message that is new with it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import sys
import time
from pathlib import Path

from proofbook import paths
from proofbook.selfcheck import drafting
from proofbook.selfcheck.drafting import FIXED, INCIDENT, UNFIXED, Tried
from proofbook.selfcheck.trial import Trial

# How long each deployment is watched: users meet it once a second, or so much more seldom.
USUAL_S = 12.0
FAULTS = {
    "fix-not-deployed": USUAL_S,
    "recursion-not-fixed": USUAL_S,
    "fixed-on-one-of-two": USUAL_S,
    "old-revision-serves": 60.0,
    "frequent-1011": 90.0,
    "late-1011": USUAL_S,
    "fixed-for-probes-only": USUAL_S,
    "log-severity-stripped": USUAL_S,
    "log-forged": USUAL_S,
    "health-lies": USUAL_S,
    "health-only": USUAL_S,
    "new-error": USUAL_S,
}


def main() -> None:
    # Ended by whoever started it, it ends what it started.
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, signal.default_int_handler)
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--judge", action="store_true", help="collect nothing")
    parser.add_argument("--only", nargs="+", default=list(FAULTS), choices=FAULTS, metavar="NAME")
    parser.add_argument("--show", action="store_true", help="the statements of the claims too")
    options = parser.parse_args()
    kept = paths.outputs(paths.root()) / "drafts"
    base = workspace(kept / "workspace")
    if not options.judge:
        asyncio.run(collect(options.only, kept, base))
    found = [drafting.attempt(name, kept / name, base) for name in options.only if (kept / name / FIXED / "after").exists()]  # fmt: skip
    print("\n".join(lines(found, show=options.show)))
    sys.exit(0 if found and all(item.right for item in found) else 1)


def workspace(folder: Path) -> Path:
    """A workspace of its own, so that drafts are written beside no case of yours."""
    shutil.copytree(paths.root() / "notebooks", folder / "notebooks", dirs_exist_ok=True)
    os.environ["PROOFBOOK_WORKSPACE"] = str(folder)
    return folder


async def collect(names: list[str], kept: Path, base: Path) -> None:
    """What is missing, one fault after the other in one rehearsal whose fix was deployed before."""
    missing = [name for name in names if not (kept / name / FIXED / "after").exists()]
    if not missing:
        return
    shared = kept / "shared"
    shutil.rmtree(shared, ignore_errors=True)
    trial = Trial(base, shared=shared)
    try:
        await trial.stack.start()
        await trial.stack.deploy("after", [])
        await trial.record("before", shared, small=True)
        for name in missing:
            shutil.rmtree(kept / name, ignore_errors=True)
            began = time.monotonic()
            await drafting.collect(trial, name, kept / name, observe_s=FAULTS[name])
            print(f"collected {name} in {time.monotonic() - began:.0f} s", flush=True)
    finally:
        await trial.stop()


def lines(found: list[Tried], *, show: bool) -> list[str]:
    """The table, and how many are right."""
    told = [
        "| fault | symptoms of the draft | in the incident | deployed again with it | before is seen | with the fix |",
        "|---|---|---|---|---|---|",
    ]
    for item in found:
        if item.verdicts is None:
            told.append(f"| {item.name} | **none**: {item.problem} | | | | |")
            continue
        symptoms = ", ".join(f"`{text}`" for text in item.symptoms)
        verdicts = item.verdicts
        told.append(
            f"| {item.name} | {symptoms} | {verdicts[INCIDENT].value} | {verdicts[UNFIXED].value} | {'yes' if item.sees_before else '**no**'} | {verdicts[FIXED].value} |"
        )
        told += [f"    {text}" for text in (item.code, *item.why) if show]
    right = sum(item.right for item in found)
    return [*told, "", f"{right} of {len(found)} drafts judge the fix as they should"]


if __name__ == "__main__":
    main()
