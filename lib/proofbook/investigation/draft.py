"""The draft of a case: what the selected requests wrote and others did not, as symptoms that a fix must make go away."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from proofbook import paths
from proofbook.config.case import Case
from proofbook.config.toml import toml_value
from proofbook.errors import UsageError
from proofbook.files import replace_text
from proofbook.investigation import answers, pins, symptoms
from proofbook.investigation.symptoms import CONFIDENCE, Sign
from proofbook.report import finding_html

if TYPE_CHECKING:
    from proofbook.investigation.look import Look


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
        """How many requests without any symptom show, with 95 % confidence, that each comes up less often than it did: the rarest decides."""
        rarest = min(sign.requests for sign in self.signs)
        # Of so many occurrences none would fall after, by luck, with the chance that is left: the test by which the claim is judged.
        return math.ceil(self.asked * math.expm1(-math.log(1 - CONFIDENCE) / rarest))

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
    signs, left_out = symptoms.of(look, selected=selected, asked=asked)
    if not signs:
        quiet = " and came up more often than in the quiet time" if symptoms.quiet_is_given(look) else ""
        raise UsageError(
            f"expected messages that tell {look.in_words} from other requests{quiet}, found none{': ' + left_out[0] if left_out else ''}; select what wrote something of its own, such as look.where(severity='ERROR')"
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
