"""How often Proofbook was right about rehearsals whose state is known: the confusion table, as lines, JSON, a page and a picture."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

from proofbook.judge.findings import Finding, Verdict
from proofbook.judge.verdict import Overall
from proofbook.rehearsal.faults import FAULTS, HEALTHY, Fault, Healthy
from proofbook.selfcheck.rule_error_rates import Rate
from proofbook.stats.proportions import proportion

RIGHT, ADMITTED, OTHER, MISSED, ALARM, OPEN = (
    "right",
    "admitted",
    "other reason",
    "missed",
    "false alarm",
    "open",
)
COLOURS = {RIGHT: "#1a7f4b", ADMITTED: "#7fb89a", OTHER: "#c98500", MISSED: "#c0262d", ALARM: "#c0262d", OPEN: "#c98500"}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One independent collection, judged once.

    outcome: for a fault `right` (the expected verdict, said by the finding that should say it), `admitted` (it passed, and
    its bound allows what was seeded), `other reason`, or `missed`; for what is well `right`, `false alarm` or `open`.
    said_by: the findings that gave the verdict. judging_s: CPU seconds.
    """

    name: str
    rehearsal: str
    outcome: str
    verdict: str
    said_by: tuple[str, ...]
    statement: str
    judging_s: float = 0.0

    @classmethod
    def of(
        cls,
        seed: Fault | Healthy,
        findings: Mapping[str, Finding],
        overall: Overall,
        rehearsal: str,
        *,
        judging_s: float = 0.0,
    ) -> Result:
        """The outcome of a judgement."""
        verdict = overall.verdict.value
        expected = [findings[name] for name in seed.finding] if isinstance(seed, Fault) else []
        saying = [item for item in expected if item.verdict.value == seed.verdict]
        telling = saying or [findings[name] for name in overall.blocking if name in findings]
        return cls(
            name=seed.name,
            rehearsal=rehearsal,
            outcome=_outcome(seed, verdict, expected, saying),
            verdict=verdict,
            said_by=tuple(item.id for item in telling),
            statement=telling[0].statement if telling else overall.sentence,
            judging_s=round(judging_s, 2),
        )

    @classmethod
    def of_problem(cls, seed: Fault | Healthy, problem: str, rehearsal: str) -> Result:
        """A collection that broke: `error`, which is neither a pass nor a right answer."""
        outcome = OTHER if isinstance(seed, Fault) else OPEN
        return cls(
            name=seed.name, rehearsal=rehearsal, outcome=outcome, verdict="error", said_by=(), statement=problem
        )  # fmt: skip


def _outcome(seed: Fault | Healthy, verdict: str, expected: list[Finding], saying: list[Finding]) -> str:
    if isinstance(seed, Healthy):
        wanted = {"pass": RIGHT, "inconclusive": RIGHT if seed.verdict == "inconclusive" else OPEN}
        return wanted.get(verdict, ALARM if verdict == "fail" else OPEN)
    if verdict == seed.verdict and saying:
        return RIGHT
    if verdict != Verdict.PASS.value:
        return OTHER
    highest = max((item.estimate.high or 0.0 for item in expected if item.estimate is not None), default=0.0)
    return ADMITTED if seed.rate is not None and highest >= seed.rate else MISSED


def left_open(
    seed: Fault | Healthy, findings: Mapping[str, Finding], overall: Overall, *, also: Sequence[str] = ()
) -> bool:
    """Whether a collection is worth another: something is inconclusive that should not be, and nothing is wrong.

    A verdict that is wrong is never asked again, or a mistake made half of the time would be overlooked.

    Args:
        also: findings that should pass besides.
    """
    beside = [findings[name].verdict for name in also]
    if any(verdict in (Verdict.FAIL, Verdict.ERROR) for verdict in beside):
        return False
    outcome = Result.of(seed, findings, overall, "").outcome
    if outcome == RIGHT:
        return Verdict.INCONCLUSIVE in beside
    expected = seed.finding if isinstance(seed, Fault) else overall.blocking
    # A run passes where a finding that it does not require could not tell; that finding is asked about here.
    return overall.verdict in (Verdict.INCONCLUSIVE, Verdict.PASS) and all(
        findings[name].verdict is Verdict.INCONCLUSIVE for name in expected
    )


def lines(results: Sequence[Result]) -> list[str]:
    """One line per fault and variant, and what was wrong below it."""
    found = []
    for name, part in _by_name(results).items():
        counts = Counter(result.outcome for result in part)
        found.append(f"{name}: {', '.join(f'{number} {outcome}' for outcome, number in counts.items())}")
        found += [
            f"    {result.outcome} ({result.verdict}) by {', '.join(result.said_by) or 'nothing'}: {result.statement}"
            for result in part
            if result.outcome not in (RIGHT, ADMITTED)
        ]
    return found


def as_json(results: Sequence[Result], rates: Sequence[Rate]) -> str:
    """Everything that the page is made of."""
    content = {
        "collections": [asdict(result) for result in results],
        "simulated": [asdict(rate) for rate in rates],
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def as_markdown(results: Sequence[Result], rates: Sequence[Rate]) -> str:
    """The page `docs/matrix.md`."""
    broken = [result for result in results if result.name in FAULTS]
    well = [result for result in results if result.name in HEALTHY and HEALTHY[result.name].verdict == "pass"]
    quiet = [result for result in results if result.name in HEALTHY and result not in well]
    slowest = max((result.judging_s for result in results), default=0.0)
    return "\n".join(
        [
            *_in_short(broken, well, quiet, slowest),
            *_of_faults(broken),
            *_not_collected(results),
            *_of_healthy([*well, *quiet]),
            *_simulated(rates),
        ]
    )


def _in_short(
    broken: Sequence[Result], well: Sequence[Result], quiet: Sequence[Result], slowest: float
) -> list[str]:
    """The lines of the head, with one row for each kind of outcome."""
    return [
        "# How often is Proofbook wrong?",
        "",
        "Each row is a way in which reports about real systems go wrong, made on purpose in the rehearsal, deployed, probed and judged. "
        "Every collection is independent: a deployment and samples of its own, judged once. Intervals are Clopper-Pearson, 95 % one-sided. "
        "This page is written by `python benchmarks/matrix.py`; the figures are in [matrix.json](matrix.json).",
        "",
        "![Every collection as a square, by fault and outcome](pictures/matrix.svg)",
        "",
        "## In short",
        "",
        "| | collections | outcome | share, with its bound |",
        "|---|---|---|---|",
        _row("faults: the expected verdict, by the finding that should say it", broken, {RIGHT}, low=True),
        _row("faults: passed, and the bound of the pass admits the fault", broken, {ADMITTED}, low=False),
        _row("faults: another verdict or another finding", broken, {OTHER}, low=False),
        _row("faults: **missed**", broken, {MISSED}, low=False),
        _row("healthy: pass", well, {RIGHT}, low=True),
        _row("healthy: **false alarm** (`fail`)", well, {ALARM}, low=False),
        _row("healthy: `inconclusive` or `error`", well, {OPEN}, low=False),
        _row("healthy, too little traffic to say: not a false alarm", quiet, {RIGHT}, low=True),
        "",
        f"Reading the tables of one collection and judging it took at most {slowest:.1f} s of CPU.",
        "",
    ]


def _of_faults(broken: Sequence[Result]) -> list[str]:
    """The lines of the table of faults."""
    parts = [
        "## Faults",
        "",
        "| fault | what it does | expected | right | otherwise | chance to miss it | said by |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, part in _by_name(broken).items():
        fault = FAULTS[name]
        counts = Counter(result.outcome for result in part)
        others = ", ".join(f"{number} {outcome}" for outcome, number in counts.items() if outcome != RIGHT)
        said = Counter(finding for result in part if result.outcome == RIGHT for finding in result.said_by)
        miss = "none" if fault.miss == 0 else f"{fault.miss:.2g}"
        parts.append(
            f"| `{name}` | {fault.what} | {fault.verdict} | {counts[RIGHT]} of {len(part)} | {others} | {miss}: {fault.miss_because} | {', '.join(f'`{finding}`' for finding in said)} |"
        )
    return parts


def _not_collected(results: Sequence[Result]) -> list[str]:
    """The line of what the catalogue holds and nobody collected: a page without it would look as if there were no more."""
    there = {result.name for result in results}
    missing = [f"`{name}`" for name in (*FAULTS, *HEALTHY) if name not in there]
    return (
        ["", f"Not collected yet, of which this page says nothing: {', '.join(missing)}."] if missing else []
    )


def _of_healthy(results: Sequence[Result]) -> list[str]:
    """The lines of the table of variants that are odd and well."""
    parts = ["", "## Odd, and well", "", "| variant | what is odd | pass | otherwise |", "|---|---|---|---|"]
    for name, part in _by_name(results).items():
        verdicts = Counter(result.verdict for result in part)
        others = "; ".join(
            f"{result.verdict}: {', '.join(f'`{finding}`' for finding in result.said_by)}"
            for result in part
            if result.verdict != "pass"
        )
        parts.append(f"| `{name}` | {HEALTHY[name].what} | {verdicts['pass']} of {len(part)} | {others} |")
    return parts


def _simulated(rates: Sequence[Rate]) -> list[str]:
    """The lines of the table of decision rules."""
    return [
        "",
        "## The decision rules, simulated",
        "",
        "Samples drawn by a random generator (seeded), not collected: they say how the statistics behave, nothing about probing. "
        "*False pass* is at the boundary, where a pass is wrong by a hair; *power* is the chance to pass at the stated alternative.",
        "",
        "| rule | at the boundary | false pass | alternative | power | simulations |",
        "|---|---|---|---|---|---|",
        *[
            f"| {rate.rule} | {rate.boundary} | {rate.false_pass:.2%} | {rate.alternative} | {rate.power:.1%} | {rate.simulations:,} |"
            for rate in rates
        ],
        "",
    ]


def as_svg(results: Sequence[Result]) -> str:
    """Every collection as a square in the colour of its outcome, a row for each fault and variant."""
    rows = _by_name(results)
    step, left = 18, 230
    most = max((len(part) for part in rows.values()), default=1)
    width, height = left + 20 + step * most, 50 + step * len(rows)
    shapes = []
    for line, (name, part) in enumerate(rows.items()):
        y = 40 + step * line
        shapes.append(f'<text x="{left - 8}" y="{y + 12}" text-anchor="end">{escape(name)}</text>')
        shapes += [
            f'<rect x="{left + step * place}" y="{y}" width="14" height="14" rx="2" fill="{COLOURS[result.outcome]}"><title>{escape(f"{result.outcome}: {result.verdict}")}</title></rect>'
            for place, result in enumerate(part)
        ]
    legend = [(RIGHT, "as expected"), (ADMITTED, "passed, admitted by the bound"), (OTHER, "open, or for another reason"), (MISSED, "missed, or a false alarm")]  # fmt: skip
    for place, (outcome, words) in enumerate(legend):
        x = 10 + place * 190
        shapes.append(
            f'<rect x="{x}" y="10" width="14" height="14" rx="2" fill="{COLOURS[outcome]}"/><text x="{x + 20}" y="22">{words}</text>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {max(width, 790)} {height}" font-family="sans-serif" font-size="12">'
        f'<rect width="100%" height="100%" fill="white"/>{"".join(shapes)}</svg>\n'
    )


def _row(what: str, results: Sequence[Result], outcomes: set[str], *, low: bool) -> str:
    count, number = len(results), sum(result.outcome in outcomes for result in results)
    if not count:
        return f"| {what} | 0 | | |"
    bounds = proportion(number, count)
    bound = f"at least {bounds.low:.1%}" if low else f"at most {bounds.high:.1%}"
    return f"| {what} | {count} | {number} | {number / count:.1%}, {bound} |"


def _by_name(results: Sequence[Result]) -> dict[str, list[Result]]:
    order: dict[str, Any] = {**FAULTS, **HEALTHY}
    found: dict[str, list[Result]] = {name: [] for name in order}
    for result in results:
        found[result.name].append(result)
    return {name: part for name, part in found.items() if part}
