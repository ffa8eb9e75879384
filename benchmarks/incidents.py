"""Which service is named in recorded incidents with known causes: `python benchmarks/incidents.py FOLDER [--only NAME …]`.

FOLDER holds `incident-*/` with spans.csv.gz, logs.csv.gz, metrics.csv.gz and truth.json, and `baseline-*/` of quiet time. What
ranks is `proofbook.investigation.services.rank` and sees no truth.json: that is opened when the ranking stands, to score it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from pathlib import Path

import pandas as pd

from proofbook.errors import ProofbookError
from proofbook.investigation.services import recording, words
from proofbook.investigation.services.rank import Recorded, rank
from proofbook.investigation.services.suspects import Ranking

SHOWN = 3


def exports(folder: Path) -> recording.Exports:
    """What a folder holds."""
    spans, logs, metrics = (
        tuple(str(path) for path in sorted(folder.glob(f"{name}.*"))) for name in ("spans", "logs", "metrics")
    )
    return recording.Exports(spans=spans, logs=logs, measurements=metrics)


def read(folder: Path, to: Path) -> Recorded:
    """A folder of exports as Parquet files."""
    return recording.record(exports(folder), base=Path(), folder=to / folder.name).recorded


def say(ranking: Ranking) -> None:
    """The first three with the sentence that carries each."""
    for place, suspect in enumerate(ranking.suspects[:SHOWN], start=1):
        mark = "called" if suspect.called else "ranked"
        print(f"  {place}. {suspect.service} ({suspect.score:.1f}, {mark}): {words.of_suspect(suspect)}")
    print(f"  {words.of_chance(ranking)}")


def place_of(service: str, ranking: Ranking) -> int:
    """Where a service stands, 0 if it does not."""
    return next((place for place, one in enumerate(ranking.suspects, start=1) if one.service == service), 0)


def halves(name: str, quiet: Recorded, folder: Path) -> Ranking:
    """A quiet stretch whose second half is looked at, with its first half before."""
    (spans,) = quiet.spans
    begun = pd.read_parquet(spans, columns=["started"])["started"]
    middle = begun.min() + (begun.max() - begun.min()) / 2
    return rank(quiet, since=middle.to_pydatetime())


def main() -> None:
    """Prints each incident, and the figures at the end."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("folder", type=Path)
    given.add_argument("--only", nargs="*", help="names of incidents")
    options = given.parse_args()
    places, seconds, called = [], [], Counter[str]()
    kinds: dict[str, list[int]] = {}
    with tempfile.TemporaryDirectory(prefix="proofbook-") as name:
        to = Path(name)
        quiet = [read(folder, to) for folder in sorted(options.folder.glob("baseline-*"))]
        history = recording.together(quiet) if quiet else None
        for folder in sorted(options.folder.glob("incident-*")):
            if options.only and folder.name not in options.only:
                continue
            begun = time.perf_counter()
            ranking = rank(read(folder, to), quiet=history)
            seconds.append(time.perf_counter() - begun)
            truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
            place = place_of(truth["service"], ranking)
            places.append(place)
            kinds.setdefault(truth["kind"], []).append(place)
            called.update("called" if one.called else "ranked" for one in ranking.suspects[:1])
            print(f"{folder.name}: {truth['service']} ({truth['kind']}) stands at place {place or '–'}; {seconds[-1]:.1f} s")  # fmt: skip
            say(ranking)
        print()
        for folder, one in zip(sorted(options.folder.glob("baseline-*")), quiet, strict=True):
            try:
                ranking = halves(folder.name, one, to)
            except ProofbookError as error:
                print(f"{folder.name}, cut in two: {error}")
                continue
            count = sum(suspect.called for suspect in ranking.suspects)
            print(f"{folder.name}, cut in two: {count} called; {words.of_chance(ranking)}")
    total = len(places)
    first, among = sum(place == 1 for place in places), sum(1 <= place <= SHOWN for place in places)
    print()
    for kind, of_kind in sorted(kinds.items()):
        print(f"{kind}: first {sum(place == 1 for place in of_kind)} of {len(of_kind)}")
    print(f"named first: {first} of {total} ({first / max(1, total):.0%})")
    print(f"among three: {among} of {total} ({among / max(1, total):.0%})")
    print(f"seconds an incident, reading included: {sum(seconds) / max(1, total):.1f} on average, {max(seconds, default=0):.1f} at most")  # fmt: skip
    print(f"called: {called['called']}; only ranked: {called['ranked']}")


if __name__ == "__main__":
    main()
