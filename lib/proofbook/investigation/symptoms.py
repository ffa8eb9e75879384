"""Symptoms by which selected requests are told from others: the fewest that are strong, each looked for by a pattern or a status."""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from proofbook.config import duckdb_text
from proofbook.config.duckdb_text import quoted
from proofbook.investigation.conditions import ERROR
from proofbook.judge.log_text import tracebacks
from proofbook.stats import events
from proofbook.stats.steps import Places

if TYPE_CHECKING:
    from proofbook.investigation.look import Look

# A message tells the selected requests from the others if they wrote it so many times as often; and is of a time if it was as much rarer before.
LEAST_RATIO = 3.0
LEAST_REQUESTS = 2
# What most of its writers wrote without being selected at another time is no sign of what is wrong.
LEAST_SELECTED = 0.5
# What nearly all of its requests are told by already adds nothing; nor does what so few meet, beside the first.
TOLD, LEAST_SHARE = 0.9, 0.05
# Of two that are met about as often, by up to so many times, a message says more than a status.
ALIKE = 1.25
CONFIDENCE = 0.95
MOST_SYMPTOMS, MOST_EXAMPLES, MOST_NEAR_MISSES, MOST_LEFT_OUT = 3, 3, 2, 5
LONGEST_EXAMPLE = 300
# A pattern of less says nothing by itself.
LEAST_LETTERS = 8
# A value has no blank, else a few: `150 ms`, `Sep 7 13:21`.
VALUES = (r"\S+", r"\S+(?:\s\S+){0,3}?")
_TEXT = "coalesce(header, '') || coalesce(body, '')"


Row = dict[Hashable, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """What tells the selected requests from others: a message, or the status of the answer at a path.

    said: the message without its values, or the status. pattern: of the message; empty for a status. requests: of the selected ones how
    many wrote it; others: how many of the others of the same time. matches: entries that the pattern matches, there and in the whole log.
    """

    said: str
    pattern: str = ""
    status: int = 0
    path: str = ""
    requests: int
    others: int
    matches: int
    matches_everywhere: int
    examples: tuple[str, ...] = ()
    near_misses: tuple[str, ...] = ()

    @property
    def in_words(self) -> str:
        """How it is looked for."""
        return self.pattern or self.said


def of(look: Look, *, selected: int, asked: int) -> tuple[list[Sign], list[str]]:
    """The symptoms, the strongest first, and why other messages are none. selected, asked: requests that are selected, and all of the same time."""
    signs: list[Sign] = []
    left_out: list[str] = []
    covered: list[str] = []
    told: Places = np.array([], dtype=np.int64)
    for row in _candidates(look, selected=selected, others=asked - selected).to_dict("records"):
        why = _none(look, row, signs, selected=selected)
        if not why and signs and np.isin(_units(look, row), told).mean() >= TOLD:
            covered.append(f"“{row['said']}”")
            continue
        sign = why or _sign(look, row)
        if isinstance(sign, str):
            left_out.append(sign)
            continue
        signs.append(sign)
        told = np.union1d(told, _units(look, row))
        if len(signs) == MOST_SYMPTOMS:
            break
    if covered:
        more = f" and {len(covered) - MOST_SYMPTOMS} more" if len(covered) > MOST_SYMPTOMS else ""
        left_out.insert(0, f"Nothing is added by {', '.join(covered[:MOST_SYMPTOMS])}{more}: nearly all that met it are told already.")  # fmt: skip
    return signs, left_out[:MOST_LEFT_OUT]


def _none(look: Look, row: Row, signs: list[Sign], *, selected: int) -> str:
    """Why something is no symptom, or too weak a one beside those that there are; empty where it may be one."""
    if signs and row["requests"] < LEAST_SHARE * signs[0].requests:
        return f"“{row['said']}” is weak beside “{signs[0].said}”: {row['requests']:,} of {selected:,} met it; select them alone for a case of their own."
    if row["template"] and look.conditions and (share := _share_selected(look, row["template"])) < LEAST_SELECTED:  # fmt: skip
        return f"“{row['said']}” is no symptom: at any time {1 - share:.0%} of what wrote it was not {look.conditions_in_words}."
    return ""


def _candidates(look: Look, *, selected: int, others: int) -> pd.DataFrame:
    """What a greater share of the selected requests met than of the others, the strongest first: said, template, sample, status, path, requests, others, entries."""
    found = pd.concat([_messages(look), _statuses(look)], ignore_index=True)
    share, elsewhere = found["requests"] / selected, (found["others"] + 0.5) / (others + 1)
    # Where everything is selected nothing can be told apart: errors are taken.
    found = found[share >= LEAST_RATIO * elsewhere if others else found["is_grave"]]
    if look.stated_span is not None:
        began = _grown(look, found, asked=selected + others)
        # What was given as quiet time says what is usual; in one log the time before may hold the incident too.
        found = found[began] if began.any() or quiet_is_given(look) else found
    weight = found["requests"] * np.where(found["status"] > 0, 1.0, ALIKE)
    order = ["is_grave", "weight", "said"]
    return found.assign(weight=weight).sort_values(order, ascending=[False, False, True], ignore_index=True)


def _messages(look: Look) -> pd.DataFrame:
    """Each message of the same time, with how many of the selected requests wrote it and how many of the others."""
    return look.of_same_time().sql(
        f"""WITH chosen AS (SELECT DISTINCT unit FROM entries WHERE {look.selected})
        SELECT template AS said, template, min(body) FILTER (chosen.unit IS NOT NULL) AS sample, 0 AS status, '' AS path,
            count(DISTINCT entries.unit) FILTER (chosen.unit IS NOT NULL) AS requests,
            count(DISTINCT entries.unit) FILTER (chosen.unit IS NULL) AS others, count(*) AS entries, bool_or({_grave(look)}) AS is_grave
        FROM entries LEFT JOIN chosen ON entries.unit = chosen.unit WHERE template IS NOT NULL AND NOT own
        GROUP BY template HAVING requests >= {LEAST_REQUESTS}"""
    )


def _statuses(look: Look) -> pd.DataFrame:
    """Each error that requests at one path were answered with, counted likewise."""
    return look.of_same_time().sql(
        f"""WITH chosen AS (SELECT DISTINCT unit FROM entries WHERE {look.selected})
        SELECT http_status || ' at ' || path AS said, '' AS template, '' AS sample, http_status AS status, path,
            count(DISTINCT e.unit) FILTER (c.unit IS NOT NULL) AS requests,
            count(DISTINCT e.unit) FILTER (c.unit IS NULL) AS others, count(*) AS entries, true AS is_grave
        FROM entries e LEFT JOIN chosen c ON e.unit = c.unit WHERE http_status >= 400 AND path IS NOT NULL AND NOT own
        GROUP BY ALL HAVING requests >= {LEAST_REQUESTS}"""
    )


def quiet_is_given(look: Look) -> bool:
    """Whether a log of quiet time was given to compare with, which says what is usual."""
    return look.records.source.evidence is None and look.records.own_span[0] > look.records.span[0]


def _grown(look: Look, found: pd.DataFrame, *, asked: int) -> Any:
    """Of each whether it came up more often than in the time before this look; true where nothing was asked then."""
    before = f"timestamp < TIMESTAMPTZ {quoted(look.span[0].isoformat())} AND NOT own"
    count = int(look.records.ask(f"SELECT count(DISTINCT unit) AS n FROM {look.records.relation} WHERE {before}")["n"].iloc[0])  # fmt: skip
    if not count:
        return pd.Series(True, index=found.index)
    met = look.records.ask(
        f"""SELECT template AS said, count(DISTINCT unit) AS n FROM {look.records.relation} WHERE template IS NOT NULL AND {before} GROUP BY ALL
        UNION ALL SELECT http_status || ' at ' || path, count(DISTINCT unit) FROM {look.records.relation} WHERE http_status >= 400 AND path IS NOT NULL AND {before} GROUP BY ALL"""
    ).set_index("said")["n"]
    earlier, now = found["said"].map(met).fillna(0).astype("int64"), found["requests"] + found["others"]
    # Of many that are compared, one is more frequent by luck: errors among errors.
    compared = found.groupby("is_grave")["said"].transform("size")
    luck = [
        many * events.fewer_by_luck(before_events=some, before_exposure=asked, after_events=few, after_exposure=count)
        for some, few, many in zip(now, earlier, compared, strict=True)
    ]  # fmt: skip
    return (now / asked >= LEAST_RATIO * (earlier + 0.5) / (count + 1)) & (np.array(luck) <= 1 - CONFIDENCE)


def _units(look: Look, row: Row) -> Places:
    """The selected requests that met it."""
    held = f"http_status = {row['status']} AND path = {quoted(row['path'])}" if row["status"] else f"template = {quoted(row['template'])}"  # fmt: skip
    found = look.of_same_time().sql(
        f"SELECT DISTINCT unit FROM entries WHERE {held} AND NOT own AND unit IN (SELECT unit FROM entries WHERE {look.selected})"
    )
    return found["unit"].to_numpy(dtype=np.int64)


def _sign(look: Look, row: Row) -> Sign | str:
    """What was met as a symptom; or why it is none."""
    return _status(look, row) if row["status"] else _message(look, row)


def _status(look: Look, row: Row) -> Sign:
    status, path = int(row["status"]), str(row["path"])
    everywhere = look.records.ask(f"SELECT count(*) AS n FROM {look.records.relation} WHERE http_status = {status} AND path = {quoted(path)} AND NOT own")  # fmt: skip
    return Sign(
        said=row["said"], status=status, path=path.replace("<*>", "*"), requests=int(row["requests"]), others=int(row["others"]),
        matches=int(row["entries"]), matches_everywhere=int(everywhere["n"].iloc[0]),
    )  # fmt: skip


def _grave(look: Look) -> str:
    """SQL for whether an entry says by itself that something broke."""
    raised = ", ".join(map(quoted, sorted(look.records.exceptions))) or "NULL"
    return f"coalesce(severity_number >= {ERROR} OR http_status >= 500 OR template IN ({raised}), false)"


def _message(look: Look, row: Row) -> Sign | str:
    """A message as a symptom; or why it is none."""
    template = str(row["template"])
    found, pattern = pd.DataFrame(), ""
    for value in VALUES:
        pattern = pattern_of(template, str(row["sample"]), value=value) or ""
        if not pattern:
            return f"“{template}” is no symptom: too little of it is the same each time."
        found = _matched(look, pattern)
        if found.loc[found["template"] == template, "entries"].sum() == row["entries"]:
            break
    wrong = found[(found["template"] != template) & (found["inside"] == 0)]
    if len(wrong):
        return f"“{template}” is no symptom: its pattern {pattern!r} matches “{str(wrong['sample'].iloc[0])[:LONGEST_EXAMPLE]}” too."
    if not (found["template"] == template).any():
        return f"“{template}” is no symptom: no pattern made of it matches its entries."
    everywhere = look.records.ask(f"SELECT count(*) AS n FROM {look.records.relation} WHERE {_hit(pattern)} AND NOT own")  # fmt: skip
    return Sign(
        said=template, pattern=pattern, requests=int(row["requests"]), others=int(row["others"]),
        matches=int(found["entries"].sum()), matches_everywhere=int(everywhere["n"].iloc[0]),
        examples=_examples(look, template, pattern), near_misses=_near_misses(look, template, pattern),
    )  # fmt: skip


def _matched(look: Look, pattern: str) -> pd.DataFrame:
    """What a pattern matches in the same time, by template: entries, inside (of the selected requests), sample."""
    return look.of_same_time().sql(
        f"SELECT template, count(*) AS entries, count(*) FILTER ({look.selected}) AS inside, min(body) AS sample FROM entries WHERE {_hit(pattern)} AND NOT own GROUP BY template ORDER BY entries DESC"
    )


def _hit(pattern: str) -> str:
    """SQL for whether an entry is matched."""
    return f"regexp_matches({_TEXT}, {quoted(pattern)}, 's')"


def _share_selected(look: Look, template: str) -> float:
    """Of the requests of the whole log that wrote a message, the share that holds the conditions of the look."""
    held = " AND ".join(f"({item.sql})" for item in look.conditions)
    found = look.records.ask(
        f"""WITH chosen AS (SELECT DISTINCT unit FROM {look.records.relation} WHERE {held})
        SELECT count(DISTINCT e.unit) AS all_of_it, count(DISTINCT e.unit) FILTER (c.unit IS NOT NULL) AS selected
        FROM {look.records.relation} e LEFT JOIN chosen c ON e.unit = c.unit WHERE template = {quoted(template)} AND NOT own"""
    ).iloc[0]
    return float(found["selected"]) / max(float(found["all_of_it"]), 1.0)


def pattern_of(template: str, sample: str, *, value: str = VALUES[0]) -> str | None:
    """A regular expression for a message: what is the same each time as it is, values by an expression of their own; None where too little is the same.

    Of a traceback what was raised.

    >>> pattern_of("Decode failed: unexpected frame of client <*>", "")
    'Decode failed: unexpected frame of client'
    >>> pattern_of("took <*> ms for [<*>]", "")
    'took \\\\S+ ms for \\\\['
    """
    parsed = tracebacks.parse(sample)
    if parsed is not None:
        kind, message = parsed.raised.type, parsed.raised.message.split("\n")[0]
        template = f"{kind}: {re.sub('[0-9]+', '<*>', message)}" if message else kind
    parts = [duckdb_text.literal(part) for part in template.split("<*>")]
    while len(parts) > 1 and not re.search(r"\w", parts[-1]):
        # A value at the end need not be there.
        last = parts.pop()
        if last and not parts[-1].strip():
            break
    while len(parts) > 1 and not re.search(r"\w", parts[0]):
        parts.pop(0)
    pattern = re.sub(r"^[\s:,;|-]+", "", value.join(parts)).strip()
    if parsed is None and re.search(r"\s\s|[^\S ]", sample.strip()):
        # A template has one blank where the message has a new line or several.
        pattern = pattern.replace(" ", r"\s+")
    return pattern if len(re.sub(r"\\[sS]|[\W\d_]", "", pattern)) >= LEAST_LETTERS else None


def _examples(look: Look, template: str, pattern: str) -> tuple[str, ...]:
    """Lines that the pattern must match: of the first, the middle and the last entry."""
    found = look.of_same_time().sql(
        f"SELECT {_TEXT} AS text FROM entries WHERE template = {quoted(template)} ORDER BY entry"
    )["text"]
    places = dict.fromkeys([0, len(found) // 2, len(found) - 1])
    lines = [_line(str(found.iloc[place]), pattern) for place in places]
    kept = [line for line in dict.fromkeys(lines) if duckdb_text.found_in(pattern, [line])[0]]
    return tuple(kept[:MOST_EXAMPLES])


def _near_misses(look: Look, template: str, pattern: str) -> tuple[str, ...]:
    """Lines that the pattern must not match: the other messages with the most words in common."""
    kinds = look.records.ask(
        f"SELECT template, min({_TEXT}) AS text FROM {look.records.relation} WHERE template IS NOT NULL AND template <> {quoted(template)} AND NOT regexp_matches({_TEXT}, {quoted(pattern)}, 's') GROUP BY template ORDER BY template"
    )
    mine = _words(template)
    common = [len(mine & _words(other)) / max(len(mine | _words(other)), 1) for other in kinds["template"]]
    nearest = sorted(range(len(kinds)), key=lambda place: (-common[place], place))[:MOST_NEAR_MISSES]
    lines = [str(kinds["text"].iloc[place]).split("\n")[0][:LONGEST_EXAMPLE] for place in nearest]
    return tuple(line for line in lines if line and not duckdb_text.found_in(pattern, [line])[0])


def _words(text: str) -> set[str]:
    return set(re.findall(r"[A-Za-z]{2,}", text.lower()))


def _line(text: str, pattern: str) -> str:
    """The line of an entry that the pattern matches."""
    lines = text.split("\n")
    hits = duckdb_text.found_in(pattern, lines)
    found = next((line for line, hit in zip(lines, hits, strict=True) if hit), text)
    return found if len(found) <= LONGEST_EXAMPLE else found[:LONGEST_EXAMPLE]
