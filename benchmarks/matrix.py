"""How often is Proofbook wrong? Every seeded fault and every odd but healthy rehearsal, collected anew each time, then judged.

    python benchmarks/matrix.py                     collect what is missing, judge everything, write docs/matrix.{md,json,svg}
    python benchmarks/matrix.py --judge             only judge what was collected
    python benchmarks/matrix.py --only half-open    some of them, without writing the page
    python benchmarks/matrix.py --abroad            first tries of servers of other make; writes docs/abroad.{md,json} and its picture

Collections are kept under outputs/matrix/ and are not collected twice, so that it can be interrupted. Each pass has a rehearsal
of its own, with its own phases before and rollout; within a pass each fault is a deployment of its own. A collection is judged
once: judging it again would count nothing new.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import signal
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from abroad import publish, run

from proofbook import paths
from proofbook.rehearsal.faults import FAULTS, HEALTHY, Fault, Healthy
from proofbook.selfcheck import confusion, rule_error_rates, trial

ROOT = Path(__file__).parent.parent
PASSES = 3


def main() -> None:
    # Ended by whoever started it, it ends what it started.
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, signal.default_int_handler)
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--healthy", type=int, default=60, help="healthy collections over all passes")
    parser.add_argument("--passes", type=int, default=PASSES, help="rehearsals, each with every fault once")
    parser.add_argument("--judge", action="store_true", help="collect nothing")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--abroad", action="store_true", help="servers of other make than the rehearsal's")
    parser.add_argument(
        "--turns",
        type=int,
        nargs="+",
        default=[21, 22],
        help="abroad: every kind once in each, drawn by its number",
    )
    parser.add_argument(
        "--minutes", type=float, default=None, help="abroad: begin no more collections after that time"
    )
    options = parser.parse_args()
    base = paths.root()
    if options.abroad:
        go_abroad(base, turns=options.turns, only=options.only, minutes=options.minutes)
        return
    kept = paths.outputs(base) / "matrix"
    wanted = [trial.seeds([name])[0] for name in options.only] or trial.seeds([])
    if not options.judge:
        each = options.healthy // PASSES
        asyncio.run(collect(wanted, kept, base, passes=options.passes, healthy=each))
    results = judge(kept, base, [seed.name for seed in wanted])
    for line in confusion.lines(results):
        print(line)
    if not options.only:
        rates = rule_error_rates.measure()
        (ROOT / "docs" / "matrix.json").write_text(confusion.as_json(results, rates), encoding="utf-8")
        (ROOT / "docs" / "matrix.md").write_text(confusion.as_markdown(results, rates), encoding="utf-8")
        (ROOT / "docs" / "pictures" / "matrix.svg").write_text(confusion.as_svg(results), encoding="utf-8")


def go_abroad(base: Path, *, turns: list[int], only: list[str], minutes: float | None) -> None:
    """Collects and judges what is missing of servers of other make, and writes their page."""
    within_s = None if minutes is None else 60 * minutes
    results = run.results(paths.outputs(base) / "abroad", turns=turns, only=only, within_s=within_s)
    for line in publish.lines(results):
        print(line)
    if not only:
        (ROOT / "docs" / "abroad.json").write_text(publish.as_json(results), encoding="utf-8")
        (ROOT / "docs" / "abroad.md").write_text(publish.as_markdown(results), encoding="utf-8")
        (ROOT / "docs" / "pictures" / "abroad.svg").write_text(publish.as_svg(results), encoding="utf-8")


async def collect(seeds: list[Fault | Healthy], kept: Path, base: Path, *, passes: int, healthy: int) -> None:
    """What is missing, pass by pass; in each as many healthy collections."""
    for number in range(passes):
        folder = kept / f"pass-{number + 1}"
        groups: dict[str, list[tuple[Fault | Healthy, Path]]] = {}
        for seed, place in owed(seeds, folder, healthy=healthy):
            if not (place / "collected.json").exists():
                lasting = isinstance(seed, Healthy) and seed.before_too
                groups.setdefault(seed.name if lasting else "", []).append((seed, place))
        for name, work in groups.items():
            await collect_group(work, base, HEALTHY[name] if name else trial.PLAIN, folder)


def owed(seeds: list[Fault | Healthy], folder: Path, *, healthy: int) -> list[tuple[Fault | Healthy, Path]]:
    """Every fault once, and the healthy variants in turn until there are enough; one where little happens counts apart."""
    found: list[tuple[Fault | Healthy, Path]] = [
        (seed, folder / seed.name) for seed in seeds if isinstance(seed, Fault)
    ]
    variants = [seed for seed in seeds if isinstance(seed, Healthy)]
    counted = [seed for seed in variants if seed.verdict == "pass"]
    found += [
        (seed, folder / f"{seed.name}-{turn}")
        for seed in variants
        if seed not in counted
        for turn in range(1)
    ]
    for number in range(healthy if counted else 0):
        seed = counted[number % len(counted)]
        found.append((seed, folder / f"{seed.name}-{number // len(counted)}"))
    return found


async def collect_group(
    work: list[tuple[Fault | Healthy, Path]], base: Path, variant: Healthy, folder: Path
) -> None:
    """Collections that share a rehearsal and what was recorded of it before."""
    shared = folder / f"shared-{variant.name}-{time.strftime('%H%M%S')}"
    up = trial.Trial(base, shared=shared)
    try:
        await up.start(variant)
        for seed, place in work:
            shutil.rmtree(place, ignore_errors=True)
            began = time.monotonic()
            problem = ""
            try:
                await up.collect(seed, to=place / "evidence")
            except Exception as error:
                # That nothing could be collected is a result, and an error of the run.
                problem = f"{type(error).__name__}: {error}"
            seconds = time.monotonic() - began
            place.mkdir(parents=True, exist_ok=True)
            told = {"name": seed.name, "seconds": round(seconds, 1), "problem": problem}
            (place / "collected.json").write_text(json.dumps(told), encoding="utf-8")
            print(f"collected {place.parent.name}/{place.name} in {seconds:.0f} s {problem}", flush=True)
    finally:
        await up.stop()
        shutil.rmtree(shared, ignore_errors=True)


def judge(kept: Path, base: Path, names: list[str]) -> list[confusion.Result]:
    """Every collection judged, two at a time."""
    places = [
        path.parent
        for path in sorted(kept.glob("pass-*/*/collected.json"))
        if json.loads(path.read_text(encoding="utf-8"))["name"] in names
    ]
    with ProcessPoolExecutor(2) as pool:
        return list(pool.map(judge_one, places, [base] * len(places)))


def judge_one(place: Path, base: Path) -> confusion.Result:
    told: dict[str, Any] = json.loads((place / "collected.json").read_text(encoding="utf-8"))
    seed = (FAULTS | HEALTHY)[told["name"]]
    if told["problem"]:
        return confusion.Result.of_problem(seed, told["problem"], place.parent.name)
    began = time.process_time()
    findings, overall = trial.judge(
        place / "evidence", base, seed if isinstance(seed, Healthy) else trial.PLAIN
    )
    return confusion.Result.of(
        seed, findings, overall, place.parent.name, judging_s=time.process_time() - began
    )


if __name__ == "__main__":
    main()
