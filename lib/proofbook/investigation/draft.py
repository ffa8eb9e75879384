"""The draft of a case: what the selected requests wrote and others did not, as symptoms that a fix must make go away."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from proofbook import paths
from proofbook.config import duckdb_text
from proofbook.config.case import Case
from proofbook.config.duckdb_text import quoted
from proofbook.config.toml import toml_value
from proofbook.errors import UsageError
from proofbook.files import replace_text
from proofbook.investigation import answers, pins
from proofbook.investigation.conditions import ERROR
from proofbook.judge.log_text import tracebacks
from proofbook.report import finding_html

if TYPE_CHECKING:
    from proofbook.investigation.look import Look

# A message tells the selected requests from the others if they wrote it so many times as often.
LEAST_RATIO = 3.0
LEAST_REQUESTS = 2
# What most of its writers wrote without being selected at another time is no sign of what is wrong.
LEAST_SELECTED = 0.5
# A message below a warning is a step on the way to an error where nearly all of its writers wrote one.
MOSTLY, WARNING = 0.95, 13
MOST_SYMPTOMS, MOST_EXAMPLES, MOST_NEAR_MISSES = 3, 3, 2
LONGEST_EXAMPLE = 300
# A pattern of less says nothing by itself.
LEAST_LETTERS = 8
CONFIDENCE = 0.95
_TEXT = "coalesce(header, '') || coalesce(body, '')"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A case that was drafted and not written yet.

    text: the case file. signs: its symptoms. selected, asked: requests that were selected, and all of the same time. left_out: messages
    that told them apart too, and why they are no symptom.
    """

    name: str
    text: str
    file: Path
    signs: tuple[Sign, ...]
    selected: int
    asked: int
    left_out: tuple[str, ...]

    @property
    def needed(self) -> int:
        """How many requests without a symptom show, with 95 % confidence, that it comes up less often than it did."""
        share = min(max(sign.requests for sign in self.signs) / max(self.asked, 1), 1 - 1e-9)
        return math.ceil(math.log(1 - CONFIDENCE) / math.log1p(-share)) if share > 0 else 0

    @property
    def table(self) -> pd.DataFrame:
        """The symptoms as rows: pattern, what shares of the selected and of other requests wrote it, entries that it matches."""
        others = self.asked - self.selected
        return pd.DataFrame(
            {
                "pattern": [sign.in_words for sign in self.signs],
                "selected": [f"{sign.requests:,} of {self.selected:,}" for sign in self.signs],
                "others of the same time": [f"{sign.others:,} of {others:,}" for sign in self.signs],
                "entries matched": [f"{sign.matches:,}, {sign.matches_everywhere:,} in the whole log" for sign in self.signs],
            }
        )  # fmt: skip

    @property
    def notes(self) -> tuple[str, ...]:
        """What the draft needs and what it does not say, in sentences."""
        matched = sum(sign.matches for sign in self.signs)
        return (
            f"On what is selected the claim fails, as it must: {matched:,} entries match.",
            f"At this rate {self.needed:,} requests without a match show with {CONFIDENCE:.0%} confidence that it is gone.",
            *self.left_out,
            f"Write it with .save(), read {paths.shown(self.file)}, then: proofbook check ENV {self.name}; proofbook run ENV --case {self.name}",
        )

    def save(self, *, replace: bool = False) -> Path:
        """Writes the case file; gives its path.

        Raises:
            UsageError: there is a case of this name already, or the file cannot be written.
        """
        if self.file.exists() and not replace:
            raise UsageError(
                f"expected a new case, and {paths.shown(self.file)} is there already; name another, or save(replace=True)"
            )
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            replace_text(self.file, self.text)
        except OSError as error:
            raise UsageError(f"{paths.shown(self.file)}: cannot be written: {error.strerror}") from None
        return self.file

    def _repr_html_(self) -> str:
        escape = finding_html.escape
        notes = "".join(finding_html.note(text) for text in self.notes)
        return f"<div class='pb-finding tex2jax_ignore mathjax_ignore'><b>Draft of the case {escape(self.name)}</b>{answers.as_html(self.table)}{notes}<details><summary>{escape(self.file.name)}</summary><pre>{escape(self.text)}</pre></details></div>"

    def __repr__(self) -> str:
        return "\n".join([f"draft of the case {self.name}", answers.as_text(self.table), *self.notes, "", self.text])  # fmt: skip


def of(look: Look, name: str, *, title: str) -> Draft:
    """The draft of a case from what a look selects.

    Raises:
        UsageError: it is no name of a case, or nothing that was written tells the selected requests from others.
    """
    if not paths.is_name(name):
        raise UsageError(
            f"expected a name that begins with a letter or a digit and goes on with those, spaces or any of . _ - +, got {name!r}"
        )
    selected, asked = _sizes(look)
    if not selected:
        holds = "only what our own probes caused" if len(look) else "nothing"
        raise UsageError(
            f"expected a selection that holds something, and {look.in_words} holds {holds}; widen it"
        )
    found, left_out = _messages(look, selected=selected, others=asked - selected)
    found += _statuses(look, selected=selected, others=asked - selected)
    signs = sorted(found, key=lambda sign: -sign.requests)[:MOST_SYMPTOMS]
    if not signs:
        raise UsageError(
            f"expected messages that tell {look.in_words} from other requests, found none{': ' + left_out[0] if left_out else ''}; select what wrote something of its own, such as look.where(severity='ERROR')"
        )
    text = _as_toml(look, title or _pinned(look) or signs[0].said, signs)
    _check(text, name)
    return Draft(
        name=name, text=text, file=paths.kept("cases", paths.root()) / f"{name}.toml", signs=tuple(signs),
        selected=selected, asked=asked, left_out=tuple(left_out),
    )  # fmt: skip


def _pinned(look: Look) -> str:
    """What was last pinned of this very selection; empty if nothing was, or it was ruled out."""
    said = [pin.said for pin in pins.about(look.records.source.shown) if pin.select == look.code and pin.kind != "ruled out"]  # fmt: skip
    return said[-1] if said else ""


def _sizes(look: Look) -> tuple[int, int]:
    """How many requests (and entries of none) are selected, and how many there are in the same time."""
    query = "SELECT count(DISTINCT unit) AS n FROM entries WHERE NOT own"
    return int(look.sql(query)["n"].iloc[0]), int(look.of_same_time().sql(query)["n"].iloc[0])


def _messages(look: Look, *, selected: int, others: int) -> tuple[list[Sign], list[str]]:
    """Messages by which the selected requests are told apart, the most frequent first; and of others why they are no symptom."""
    signs: list[Sign] = []
    left_out = []
    for row in _candidates(look, selected=selected, others=others).to_dict("records"):
        sign = _sign(look, str(row["template"]), str(row["sample"]), requests=int(row["requests"]), others=int(row["others"]))  # fmt: skip
        if isinstance(sign, str):
            left_out.append(sign)
        elif _is_step(row):
            left_out.append(f"“{sign.said}” is no symptom: nearly all that wrote it wrote an error too, which says more.")  # fmt: skip
        else:
            signs.append(sign)
        if len(signs) == MOST_SYMPTOMS:
            break
    return signs, left_out


def _statuses(look: Look, *, selected: int, others: int) -> list[Sign]:
    """Errors that requests at one path were answered with, by which the selected ones are told apart."""
    found = look.of_same_time().sql(
        f"""WITH chosen AS (SELECT DISTINCT unit FROM entries WHERE {look.selected})
        SELECT http_status AS status, path, count(DISTINCT e.unit) FILTER (c.unit IS NOT NULL) AS requests,
            count(DISTINCT e.unit) FILTER (c.unit IS NULL) AS others, count(*) AS entries
        FROM entries e LEFT JOIN chosen c ON e.unit = c.unit WHERE http_status >= 400 AND path IS NOT NULL AND NOT own
        GROUP BY ALL HAVING requests >= {LEAST_REQUESTS} ORDER BY requests DESC, status, path"""
    )
    signs = []
    for row in found.to_dict("records"):
        count, rest = int(row["requests"]), int(row["others"])
        if others and count / selected < LEAST_RATIO * (rest + 0.5) / (others + 1):
            continue
        status, path = int(row["status"]), str(row["path"])
        everywhere = look.records.ask(f"SELECT count(*) AS n FROM {look.records.relation} WHERE http_status = {status} AND path = {quoted(path)} AND NOT own")  # fmt: skip
        signs.append(
            Sign(
                said=f"{status} at {path}", status=status, path=path.replace("<*>", "*"), requests=count, others=rest,
                matches=int(row["entries"]), matches_everywhere=int(everywhere["n"].iloc[0]),
            )
        )  # fmt: skip
    return signs


def _candidates(look: Look, *, selected: int, others: int) -> pd.DataFrame:
    """Messages that a greater share of the selected requests wrote than of the others, the most frequent first: template, sample, requests, others."""
    whole = look.of_same_time()
    found = whole.sql(
        f"""WITH chosen AS (SELECT DISTINCT unit FROM entries WHERE {look.selected}), broken AS (SELECT DISTINCT unit FROM entries WHERE {_grave(look)})
        SELECT template, min(body) FILTER (chosen.unit IS NOT NULL) AS sample, max(severity_number) AS severity_number,
            count(DISTINCT entries.unit) FILTER (chosen.unit IS NOT NULL) AS requests,
            count(DISTINCT entries.unit) FILTER (chosen.unit IS NULL) AS others, bool_or({_grave(look)}) AS is_grave,
            count(DISTINCT broken.unit) FILTER (chosen.unit IS NOT NULL) AS broken
        FROM entries LEFT JOIN chosen ON entries.unit = chosen.unit LEFT JOIN broken ON entries.unit = broken.unit WHERE template IS NOT NULL AND NOT own
        GROUP BY template HAVING requests >= {LEAST_REQUESTS} ORDER BY requests DESC, severity_number DESC, template"""
    )
    share, elsewhere = found["requests"] / selected, (found["others"] + 0.5) / (others + 1)
    # Where everything is selected nothing can be told apart: errors are taken.
    telling = share >= LEAST_RATIO * elsewhere if others else found["severity_number"] >= ERROR
    return found[telling]


def _grave(look: Look) -> str:
    """SQL for whether an entry says by itself that something broke."""
    raised = ", ".join(map(quoted, sorted(look.records.exceptions))) or "NULL"
    return f"coalesce(severity_number >= {ERROR} OR http_status >= 500 OR template IN ({raised}), false)"


def _is_step(row: dict[Hashable, Any]) -> bool:
    """Whether a message is a step on the way to an error: where all requests of a kind fail, they write what they always did too."""
    is_plain = not row["is_grave"] and not row["severity_number"] >= WARNING
    return is_plain and row["broken"] >= MOSTLY * row["requests"]


def _sign(look: Look, template: str, sample: str, *, requests: int, others: int) -> Sign | str:
    """A message as a symptom; or why it is none."""
    pattern = pattern_of(template, sample)
    if pattern is None:
        return f"“{template}” is no symptom: too little of it is the same each time."
    if look.conditions and (share := _share_selected(look, template)) < LEAST_SELECTED:
        return f"“{template}” is no symptom: at any time {1 - share:.0%} of what wrote it was not {look.conditions_in_words}."
    hit = f"regexp_matches({_TEXT}, {quoted(pattern)}, 's')"
    found = look.of_same_time().sql(
        f"SELECT template, count(*) AS entries, count(*) FILTER ({look.selected}) AS inside, min(body) AS sample FROM entries WHERE {hit} AND NOT own GROUP BY template ORDER BY entries DESC"
    )
    wrong = found[(found["template"] != template) & (found["inside"] == 0)]
    if len(wrong):
        return f"“{template}” is no symptom: its pattern {pattern!r} matches “{str(wrong['sample'].iloc[0])[:LONGEST_EXAMPLE]}” too."
    mine = found[found["template"] == template]
    if mine.empty:
        return f"“{template}” is no symptom: no pattern made of it matches its entries."
    everywhere = look.records.ask(f"SELECT count(*) AS n FROM {look.records.relation} WHERE {hit} AND NOT own")  # fmt: skip
    return Sign(
        said=template, pattern=pattern, requests=requests, others=others,
        matches=int(found["entries"].sum()), matches_everywhere=int(everywhere["n"].iloc[0]),
        examples=_examples(look, template, pattern), near_misses=_near_misses(look, template, pattern),
    )  # fmt: skip


def _share_selected(look: Look, template: str) -> float:
    """Of the requests of the whole log that wrote a message, the share that holds the conditions of the look."""
    held = " AND ".join(f"({item.sql})" for item in look.conditions)
    found = look.records.ask(
        f"""WITH chosen AS (SELECT DISTINCT unit FROM {look.records.relation} WHERE {held})
        SELECT count(DISTINCT e.unit) AS all_of_it, count(DISTINCT e.unit) FILTER (c.unit IS NOT NULL) AS selected
        FROM {look.records.relation} e LEFT JOIN chosen c ON e.unit = c.unit WHERE template = {quoted(template)} AND NOT own"""
    ).iloc[0]
    return float(found["selected"]) / max(float(found["all_of_it"]), 1.0)


def pattern_of(template: str, sample: str) -> str | None:
    """A regular expression for a message: what is the same each time as it is, a value as what has no blank; None where too little is the same.

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
    pattern = re.sub(r"^[\s:,;|-]+", "", r"\S+".join(parts)).strip()
    if parsed is None and re.search(r"\s\s|[^\S ]", sample.strip()):
        # A template has one blank where the message has a new line or several.
        pattern = pattern.replace(" ", r"\s+")
    return pattern if len(re.sub(r"\\[sS]\+|[\W\d_]", "", pattern)) >= LEAST_LETTERS else None


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


def _as_toml(look: Look, title: str, signs: list[Sign]) -> str:
    """The case file."""
    first, last = look.span
    lines = [
        f"# Drafted from {_in_comment(look.records.source.shown)}, {first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S} UTC:",
        f"# {_in_comment(look.code)}",
        "",
        "[[fix]]",
        f"title = {toml_value(title)}",
        'deployed = "auto"',
    ]
    for sign in signs:
        lines += [
            "",
            "[[fix.symptom]]",
            *(
                (
                    f"log = {toml_value(sign.pattern)}",
                    f"examples = {toml_value(list(sign.examples))}",
                    f"near_misses = {toml_value(list(sign.near_misses))}",
                )
                if sign.pattern
                else (f"http_status = {sign.status}", f"path = {toml_value(sign.path)}")
            ),
        ]
    risk = "that this is the cause, and not only what is seen of it"
    lines += ["", "[[risk]]", f"title = {toml_value('Not established: ' + risk)}", 'status = "open"']
    return "\n".join(lines) + "\n"


def _in_comment(text: str) -> str:
    return " ".join(text.split())


def _check(text: str, name: str) -> None:
    """Raises ValueError where the draft is no case: a fault of this module."""
    Case.model_validate(tomllib.loads(text)).model_copy(update={"name": name})
