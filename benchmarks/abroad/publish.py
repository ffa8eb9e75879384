"""The results as lines, as the page docs/abroad.md with its figures, and as a picture."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from html import escape

from abroad.catalogue import KINDS
from abroad.kinds import State
from abroad.trials import FALSE_FAIL, FALSE_PASS, KNOWN, LONGEST_WAIT_S, OPENED, OTHER, RIGHT, Result
from proofbook.stats.proportions import proportion

COLOURS = {RIGHT: "#1a7f4b", OPENED: "#c98500", OTHER: "#c98500", KNOWN: "#8a8a8a", FALSE_PASS: "#c0262d", FALSE_FAIL: "#c0262d"}  # fmt: skip
# The bounds that the catalogue is held to.
MOST_FALSE, MOST_OPEN = 0.02, 0.10


def rates(results: Sequence[Result]) -> list[tuple[str, int, int, float | None]]:
    """What is counted, among how many, how many times, and the share that is allowed; None where any is."""
    broken, well, unasked, beyond = (of_state(results, state) for state in State)
    healthy = [*well, *unasked]
    return [
        ("broken: ✔ all the same", len(broken), _count(broken, FALSE_PASS), MOST_FALSE),
        ("broken: the verdict that is right", len(broken), _count(broken, RIGHT), None),
        ("broken: not ✔, and not the verdict that is right", len(broken), _count(broken, OTHER), None),
        ("well, however it was asked: ✘ all the same", len(healthy), _count(healthy, FALSE_FAIL), MOST_FALSE),
        ("well: ✔", len(well), _count(well, RIGHT), None),
        ("well: not known, or not to be looked at", len(well), _count(well, OPENED), MOST_OPEN),
        ("well, and asked in a way that cannot show it: said so", len(unasked), _count(unasked, RIGHT), None),
        ("broken by what a try does not ask for: ✔", len(beyond), _count(beyond, KNOWN), None),
    ]


def of_state(results: Sequence[Result], state: State) -> list[Result]:
    """The results of kinds of that state."""
    return [item for item in results if KINDS[item.name].state is state]


def lines(results: Sequence[Result]) -> list[str]:
    """The rates, and below them whatever was not right."""
    found = [f"{count} of {among} · {what}{_allowed(count, among, most)}" for what, among, count, most in rates(results)]  # fmt: skip
    for item in results:
        if item.outcome not in (RIGHT, KNOWN):
            found.append(f"{item.outcome}: {item.name}, turn {item.turn} ({item.make}), {item.verdict}")
            found += [f"    {line}" for line in item.shown if line]
    return found


def _allowed(count: int, among: int, most: float | None) -> str:
    if most is None or not among:
        return ""
    share, bound = count / among, proportion(count, among).high
    told = "kept" if bound <= most else "kept, its bound is not" if share <= most else "NOT KEPT"
    return f" ({share:.1%}, at 95 % at most {bound:.1%}; at most {most:.0%}: {told})"


def as_json(results: Sequence[Result]) -> str:
    """Everything that the page is made of; what a person read is kept of what was not right."""
    kept = [{**asdict(item), "shown": [] if item.outcome in (RIGHT, KNOWN) else _anywhere(item)} for item in results]  # fmt: skip
    return json.dumps({"collections": kept}, indent=1, ensure_ascii=False) + "\n"


def _anywhere(item: Result) -> list[str]:
    return [line for line in item.shown if line]


def as_markdown(results: Sequence[Result]) -> str:
    """The page docs/abroad.md."""
    python = sum(item.make in ("aiohttp", "grpcio") for item in results)
    return "\n".join(
        [
            "# How often is a first try of somebody else's server wrong?",
            "",
            "The rehearsal's own faults are in [the confusion table](matrix.md). Here `proofbook try` meets servers of other make that are broken, or well, in ways that were reported of real ones. "
            "Each collection has a server and a workspace of its own; ports, paths, names, words, tokens, delays and the make of the server are drawn anew, and it is judged once, without notebooks. What is given is what its user would know from its manual: address, path, token, header, certificate. "
            "This page is written by `python benchmarks/matrix.py --abroad`; the figures are in [abroad.json](abroad.json).",
            "",
            "Its kinds were chosen by the same people who wrote the rules, and rules were mended where the first collections were wrong; what counts here was collected afterwards, with other draws. So this says how often known kinds are told apart, and not how often the next unknown one is. Intervals are Clopper-Pearson, 95 % one-sided, and take collections for independent, which those of one kind are only as far as their draws differ.",
            "",
            "![Every collection as a square, by kind and outcome](pictures/abroad.svg)",
            "",
            f"{sum(item.starved for item in results)} collections were made anew, whatever had come of them, since the machine had kept a process waiting for longer than {LONGEST_WAIT_S:g} s, and so the servers too. "
            f"{len(results)} collections of {len({item.name for item in results})} kinds, {len(results) - python} of them of servers that are not Python.",
            "",
            "| | collections | times | share, with its bound | allowed |",
            "|---|---|---|---|---|",
            *(_row(*item) for item in rates(results)),
            "",
            *_table("Broken", "what is broken", results, State.BROKEN),
            *_table("Well, in a way of its own", "what is odd", results, State.WELL),
            *_table(
                "Well, and asked in a way that cannot show it", "what was not known", results, State.UNASKED
            ),
            *_beyond(results),
            *_makes(results),
        ]
    )


def _row(what: str, among: int, count: int, most: float | None) -> str:
    if not among:
        return f"| {what} | 0 | | | |"
    bounds = proportion(count, among)
    bound = f"at least {bounds.low:.1%}" if 2 * count > among else f"at most {bounds.high:.1%}"
    return f"| {what} | {among} | {count} | {count / among:.1%}, {bound} | {'' if most is None else f'{most:.0%}'} |"


def _table(title: str, head: str, results: Sequence[Result], state: State) -> list[str]:
    rows = []
    for name, part in _by_name(of_state(results, state)).items():
        others = "; ".join(f"{item.outcome}: {item.verdict} by {', '.join(f'`{said}`' for said in item.said_by) or 'nothing'}" for item in part if item.outcome != RIGHT)  # fmt: skip
        kind = KINDS[name]
        rows.append(f"| `{name}` | {kind.what} | {' or '.join(kind.right)} | {_count(part, RIGHT)} of {len(part)} | {others} |")  # fmt: skip
    return [f"## {title}", "", f"| kind | {head} | right | right in | otherwise |", "|---|---|---|---|---|", *rows, ""]  # fmt: skip


def _beyond(results: Sequence[Result]) -> list[str]:
    rows = [
        f"| `{name}` | {KINDS[name].what} | {KINDS[name].why} | {_count(part, KNOWN)} of {len(part)} |"
        for name, part in _by_name(of_state(results, State.BEYOND)).items()
    ]
    head = ["| kind | what is broken | why it is not seen | ✔ |", "|---|---|---|---|"]
    told = "These pass, and are counted apart: the summary says that a fault which needs other users, messages, load or times than those tried would not have shown."
    return ["## Beyond what a try asks", "", told, "", *head, *rows, ""]


def _makes(results: Sequence[Result]) -> list[str]:
    counts = Counter(item.make for item in results)
    rows = [
        f"| {make} | {number} | {sum(item.make == make and item.outcome in (RIGHT, KNOWN) for item in results)} |"
        for make, number in counts.most_common()
    ]
    return [
        "## Makes of servers",
        "",
        "| make | collections | as they should be |",
        "|---|---|---|",
        *rows,
        "",
    ]


def as_svg(results: Sequence[Result]) -> str:
    """Every collection as a square in the colour of its outcome, a row for each kind."""
    rows = _by_name(results)
    step, left = 14, 240
    width, height = 700, 40 + step * len(rows)
    shapes = []
    for line, (name, part) in enumerate(rows.items()):
        y = 34 + step * line
        shapes.append(f'<text x="{left - 8}" y="{y + 10}" text-anchor="end">{escape(name)}</text>')
        shapes += [
            f'<rect x="{left + step * place}" y="{y}" width="11" height="11" rx="2" fill="{COLOURS[item.outcome]}"><title>{escape(f"{item.outcome}: {item.verdict}, {item.make}")}</title></rect>'
            for place, item in enumerate(part)
        ]
    legend = [(RIGHT, "as it should be"), (OPENED, "not known, or another verdict"), (FALSE_PASS, "false ✔ or false ✘"), (KNOWN, "beyond what is asked")]  # fmt: skip
    for place, (outcome, words) in enumerate(legend):
        x = 10 + place * 175
        shapes.append(f'<rect x="{x}" y="10" width="12" height="12" rx="2" fill="{COLOURS[outcome]}"/><text x="{x + 18}" y="20">{words}</text>')  # fmt: skip
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">'
        f'<rect width="100%" height="100%" fill="white"/>{"".join(shapes)}</svg>\n'
    )


def _count(results: Sequence[Result], outcome: str) -> int:
    return sum(item.outcome == outcome for item in results)


def _by_name(results: Sequence[Result]) -> dict[str, list[Result]]:
    found: dict[str, list[Result]] = {name: [] for name in KINDS}
    for item in results:
        found[item.name].append(item)
    return {name: part for name, part in found.items() if part}
