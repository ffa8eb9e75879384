"""Does a case that is drafted from a look judge the fix? For every fault of the rehearsal that its users meet and its log tells of.

    python benchmarks/drafts.py                     collect what is missing, try every draft, print a line for each and the count
    python benchmarks/drafts.py --judge             collect nothing
    python benchmarks/drafts.py --only new-error    some of them

Of each fault three recordings are collected under outputs/drafts/: before, with it; after, deployed again with it; and after, without
it. Nobody tells the look at the first what the fault is: it selects what went wrong since the latest revision, else the message that is
new with it. How much of the time the processes waited for a processor stands beside each.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

from proofbook import paths
from proofbook.errors import ProofbookError
from proofbook.selfcheck import drafting
from proofbook.selfcheck.drafting import FIXED, UNFIXED, Tried
from proofbook.selfcheck.trial import Trial

# How long each deployment is watched: users meet it once a second, or so much more seldom.
USUAL_S = 15.0
COLLECTED = "collected.json"
FAULTS = {
    **dict.fromkeys(
        (
            "fix-not-deployed", "recursion-not-fixed", "fixed-on-one-of-two", "late-1011", "fixed-for-probes-only", "log-severity-stripped",
            "log-forged", "health-lies", "health-only", "new-error", "dependency-times-out", "flag-turned-on", "column-missing",
            "database-locked", "queue-full", "cache-refuses", "limit-too-tight", "slow-query", "text-not-encoded", "tokens-of-some-refused",
        ),
        USUAL_S,
    ),
    "old-revision-serves": 60.0,
    "frequent-1011": 90.0,
}  # fmt: skip


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
    there = [name for name in options.only if (kept / name / FIXED / "after").exists()]
    found = [drafting.attempt(name, kept / name, base) for name in there]
    print("\n".join(lines(found, kept, show=options.show)))
    sys.exit(0 if found and all(item.right for item in found) else 1)


def workspace(folder: Path) -> Path:
    """A workspace of its own, so that drafts are written beside no case of yours."""
    shutil.copytree(paths.root() / "notebooks", folder / "notebooks", dirs_exist_ok=True)
    os.environ["PROOFBOOK_WORKSPACE"] = str(folder)
    return folder


async def collect(names: list[str], kept: Path, base: Path) -> None:
    """What is missing, one fault after the other in one rehearsal whose fix was deployed before."""
    missing = [name for name in names if not (kept / name / COLLECTED).exists()]
    if not missing:
        return
    trial = Trial(base, shared=kept / "shared")
    try:
        await trial.stack.start()
        await trial.stack.deploy("after", [])
        for name in missing:
            shutil.rmtree(kept / name, ignore_errors=True)
            began, waited = time.monotonic(), waited_s(trial)
            problem = ""
            try:
                await drafting.collect(trial, name, kept / name, observe_s=FAULTS[name])
            except ProofbookError as error:
                # That nothing could be collected is a result.
                problem = str(error)
            seconds = time.monotonic() - began
            # Of processes that ended meanwhile nothing is known: at least so much.
            share = max(waited_s(trial) - waited, 0.0) / seconds
            told = {"name": name, "seconds": round(seconds, 1), "waited": round(share, 3), "problem": problem}
            (kept / name).mkdir(parents=True, exist_ok=True)
            (kept / name / COLLECTED).write_text(json.dumps(told), encoding="utf-8")
            print(f"collected {name} in {seconds:.0f} s, waiting {share:.0%} of it {problem}", flush=True)
    finally:
        await trial.stop()


def waited_s(trial: Trial) -> float:
    """Seconds in which threads of this process and the rehearsal's could have run and were not let."""
    seconds = 0.0
    for pid in (os.getpid(), *trial.stack.pids()):
        # It may end meanwhile, and not every system tells.
        with contextlib.suppress(OSError):
            for file in Path(f"/proc/{pid}/task").glob("*/schedstat"):
                seconds += int(file.read_text().split()[1]) / 1e9
    return seconds


def lines(found: list[Tried], kept: Path, *, show: bool) -> list[str]:
    """The table, and how many are right."""
    told = [
        "| fault | symptoms of the draft | asks for requests | before is seen | deployed again with it | with the fix | waited |",
        "|---|---|---|---|---|---|---|",
    ]
    for item in found:
        if item.verdicts is None:
            told.append(f"| {item.name} | **none**: {item.problem} | | | | | |")
            continue
        symptoms = ", ".join(f"`{text}`" for text in item.symptoms)
        collected = json.loads((kept / item.name / COLLECTED).read_text(encoding="utf-8"))
        told.append(
            f"| {item.name} | {symptoms} | {item.needed:,} | {'yes' if item.sees_before else '**no**'} | {item.verdicts[UNFIXED].value} | {item.verdicts[FIXED].value} | {collected['waited']:.0%} |"
        )
        told += [f"    {text}" for text in (item.code, *item.why) if show]
    right, wrong = sum(item.right for item in found), sum(item.wrong for item in found)
    return [
        *told,
        "",
        f"of {len(found)} drafts {right} judge the fix as they should, {wrong} wrongly, and {len(found) - right - wrong} leave it open",
    ]


if __name__ == "__main__":
    main()
