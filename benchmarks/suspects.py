"""How often a look names a suspect when nothing is wrong, how often it names the one that is there, and how well it says since when.

    OMP_NUM_THREADS=1 python benchmarks/suspects.py [--looks 1000] [--seeds 200] [--onsets 500] [--only NAME] [--draw 0]
    python benchmarks/suspects.py --faults outputs/matrix/pass-1 outputs/matrix/pass-2    the rehearsal's faults, as collected

Everything is drawn from fixed seeds by `proofbook.investigation.practice`: hours of requests whose load wanders, with storms in which one
instance fails for twenty seconds, and where a cause is seeded, requests of one client version in one region that fail. A look
at nothing is one window against those before it alone, as it would be in use: what comes later is not known yet.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import suspects_of_faults

from proofbook.investigation import differs, practice, started
from proofbook.investigation.answers import FOUND, Answer
from proofbook.investigation.differs import Question
from proofbook.investigation.units import Field, Units
from proofbook.stats import steps
from proofbook.stats.proportions import proportion

# An hour holds so many requests, so that 13 minutes hold about 18,500.
AN_HOUR = 85_400
WINDOW_S = 780.0
QUIET = 25
CAUSE = "client = 2.3 and region = eu"
Row = tuple[str, str, int, int, float, str]


# Which draw of all seeds is made: the rule was mended while the first was looked at.
draw = 0


def drawn(seed: int) -> int:
    """A seed of this draw."""
    return seed + 1_000_000 * draw


def units_of(made: practice.Practice) -> Units:
    """The requests as they are counted; what they said is an outcome."""
    fields = [Field.of_texts(name, values) for name, values in made.given.items()]
    said = Field.of_texts("template", [text or None for text in made.said], is_outcome=True)
    return Units(at_s=made.at_s, fields=(*fields, said), word="requests")


def asked(units: Units, bad: np.ndarray, begins_s: float, length_s: float) -> Answer:
    """The answer about the bad ones of a window."""
    return differs.judge(
        Question(
            units=units,
            selected=bad,
            others=~bad,
            span_s=(begins_s, begins_s + length_s),
            in_words="status>=500",
        )
    )


def first(answer: Answer) -> str:
    """The suspect that is named first, if any is called."""
    return str(answer.table["suspect"].iloc[0]) if answer.answer == FOUND else ""


# Looks at nothing ---------------------------------------------------------------------------------------------------


def quiet_looks(length_s: float, count: int) -> Iterator[Answer]:
    """Looks at windows in which there are storms at most; the systems are made anew every forty looks."""
    each = 40
    for seed in range(-(-count // each)):
        hours = (QUIET + each) * length_s / 3600
        made = practice.requests(drawn(1000 + seed), hours=hours, count=int(AN_HOUR * hours))
        units, bad = units_of(made), made.status >= 500
        for window in range(min(each, count - seed * each)):
            begins = (QUIET + window) * length_s
            until = made.at_s < begins + length_s
            # Windows further back than a user with that much history would have are left out.
            kept = until & (made.at_s >= window * length_s)
            yield asked(_some(units, kept), bad[kept], begins, length_s)


def _some(units: Units, kept: np.ndarray) -> Units:
    places = np.flatnonzero(kept)
    low, high = int(places[0]), int(places[-1]) + 1
    fields = []
    for item in units.fields:
        span = slice(*np.searchsorted(item.units, [low, high]).tolist())
        fields.append(dataclasses.replace(item, units=item.units[span] - low, codes=item.codes[span]))
    return dataclasses.replace(units, at_s=units.at_s[low:high], fields=tuple(fields))


def nothing(looks: int) -> list[Row]:
    """Suspects called where nothing is wrong, and among them the instance of a storm."""
    rows = []
    for length_s in (300.0, WINDOW_S):
        called, storms, count = 0, 0, 0
        for answer in quiet_looks(length_s, looks // 2):
            count += 1
            called += answer.answer == FOUND
            storms += answer.answer == FOUND and bool(
                answer.table[answer.table["called"]]["suspect"].str.contains("instance").any()
            )
        rows.append(
            (
                f"a suspect is called in a quiet window of {length_s / 60:.0f} min",
                "at most 6 %",
                called,
                count,
                0.06,
                "at most",
            )
        )
        rows.append(
            (
                f"an instance in a storm is called, {length_s / 60:.0f} min",
                "at most 5 %",
                storms,
                count,
                0.05,
                "at most",
            )
        )
    return rows


# A seeded cause -----------------------------------------------------------------------------------------------------


def causes(seeds: int) -> list[Row]:
    """The seeded cause, thinned to so many bad requests of a window."""
    wanted = {80: (0.99, "99 %"), 40: (0.95, "95 %"), 20: (0.80, "80 %")}
    named, whole = dict.fromkeys(wanted, 0), 0
    hours = (QUIET + 1) * WINDOW_S / 3600
    for seed in range(seeds):
        begins = QUIET * WINDOW_S
        made = practice.requests(
            drawn(5000 + seed),
            hours=hours,
            count=int(AN_HOUR * hours),
            incident=practice.Incident(begins_s=begins, share=0.35),
        )
        units = units_of(made)
        caused = np.flatnonzero(made.said == practice.SAID_BY_INCIDENT)
        rng = np.random.default_rng(seed)
        for count in wanted:
            bad = made.status >= 500
            bad[rng.choice(caused, max(0, len(caused) - count), replace=False)] = False
            thinned = dataclasses.replace(units, fields=units.fields[:-1])
            name = first(asked(thinned, bad, begins, WINDOW_S))
            named[count] += name in (CAUSE, "client = 2.3", "region = eu")
            whole += count == 80 and name == CAUSE
    rows: list[Row] = [
        (
            f"the cause (the pair, or a part of it) is named first, {count} bad requests of it",
            f"at least {words}",
            named[count],
            seeds,
            share,
            "at least",
        )
        for count, (share, words) in wanted.items()
    ]
    return [
        *rows,
        ("the pair is named first, not a part of it, at 80", "at least 90 %", whole, seeds, 0.9, "at least"),
    ]


ALIASES = ("pod = b", "zone = y", "build = 2")


def aliases(seeds: int) -> list[Row]:
    """A revision whose requests fail, and which has a service and a zone of its own: one suspect by three names."""
    one, called = 0, 0
    hours = (QUIET + 1) * WINDOW_S / 3600
    for seed in range(seeds):
        begins = QUIET * WINDOW_S
        made = practice.requests(drawn(9000 + seed), hours=hours, count=int(AN_HOUR * hours / 4))
        rng = np.random.default_rng(seed)
        of_it = rng.random(len(made.at_s)) < 0.1
        bad = (made.status >= 500) | (of_it & (made.at_s >= begins) & (rng.random(len(of_it)) < 0.1))
        names = {
            "pod": np.where(of_it, "b", "a"),
            "zone": np.where(of_it, "y", "x"),
            "build": np.where(of_it, "2", "1"),
        }
        units = units_of(made)
        fields = (
            *units.fields,
            *(Field.of_texts(name, values.astype(object)) for name, values in names.items()),
        )
        answer = asked(dataclasses.replace(units, fields=fields), bad, begins, WINDOW_S)
        shown = pd.concat([answer.table, answer.more["More, weaker"]])
        about = shown[shown["suspect"].str.contains("|".join(ALIASES), regex=True)]
        alone = about[~about["suspect"].str.contains(" and ")]
        one += len(alone) == 1 and all(name in alone["suspect"].iloc[0] for name in ALIASES)
        called += int(about["called"].sum()) == 1
    return [
        ("three names of the same requests are one suspect", "always", one, seeds, 1.0, "at least"),
        ("it is called, and no pair of it with something else", "not stated", called, seeds, 0.0, "at least"),
    ]


# Since when ---------------------------------------------------------------------------------------------------------


def onsets(count: int) -> list[Row]:
    """Starts at a random moment of six hours, under storms; and the same hours without one."""
    inside, found, claimed = 0, 0, 0
    hours, requests = 6.0, 60_000
    for seed in range(count):
        begins = float(np.random.default_rng(seed).uniform(0.5, 0.9)) * hours * 3600
        made = practice.requests(
            drawn(20_000 + seed),
            hours=hours,
            count=requests,
            incident=practice.Incident(begins_s=begins, share=0.35),
        )
        step = _step(made, hours)
        if step is not None:
            found += 1
            of, at = step
            inside += of.at(at.low).timestamp() <= begins < of.at(at.high + 1).timestamp()
        quiet = _step(practice.requests(drawn(40_000 + seed), hours=hours, count=requests), hours)
        claimed += quiet is not None
    return [
        ("a start that is there is found", "not stated", found, count, 0.0, "at least"),
        (
            "its moment lies inside the interval that is stated",
            "at least 95 %",
            inside,
            max(1, found),
            0.95,
            "at least",
        ),
        (
            "no start is claimed where there is none",
            "at least 95 %",
            count - claimed,
            count,
            0.95,
            "at least",
        ),
    ]


def _step(made: practice.Practice, hours: float) -> tuple[started.Series, steps.Step] | None:
    of = started.series(made.at_s, made.status >= 500, span_s=(0.0, hours * 3600), unit="requests")
    answer = started.judge(of, in_words="status>=500")
    if answer.answer != FOUND:
        return None
    found = steps.rise(of.counts, of.exposure, rng=np.random.default_rng(started.SEED))
    return None if found is None else (of, found)


def table(rows: list[Row]) -> str:
    """The rows as Markdown; whether each holds by what was counted, and with which bounds."""
    lines = ["| what | wanted | counted | 95 % bounds | holds |", "|---|---|---|---|---|"]
    for what, wanted, hits, count, share, side in rows:
        if not count:
            lines.append(f"| {what} | {wanted} | 0 of 0 | not known | not known |")
            continue
        bounds = proportion(hits, count, confidence=0.975)
        holds = hits / count <= share if side == "at most" else hits / count >= share
        told = "" if wanted == "not stated" else "yes" if holds else "**no**"
        lines.append(
            f"| {what} | {wanted} | {hits:,} of {count:,} ({hits / count:.1%}) | {bounds.low:.1%} to {bounds.high:.1%} | {told} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--looks", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--onsets", type=int, default=500)
    parser.add_argument("--only", default="")
    parser.add_argument("--draw", type=int, default=0)
    parser.add_argument("--faults", type=Path, nargs="+", metavar="FOLDER", help="look at collected faults")
    given = parser.parse_args()
    if given.faults:
        print(*suspects_of_faults.lines(*suspects_of_faults.looked_at(given.faults)), sep="\n")
        return
    global draw
    draw = given.draw
    parts: dict[str, Callable[[], list[Row]]] = {
        "nothing": lambda: nothing(given.looks),
        "causes": lambda: causes(given.seeds),
        "aliases": lambda: aliases(given.seeds),
        "onsets": lambda: onsets(given.onsets),
    }
    for name, part in parts.items():
        if given.only in ("", name):
            print(table(part()), flush=True)


if __name__ == "__main__":
    main()
