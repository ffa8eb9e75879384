"""The control of health that answers are of one kind: some that tell of an ill part, or are another page, are those of one sick instance."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from proofbook.config.services import Service
from proofbook.judge.checks.success_rate import MoreControls
from proofbook.judge.findings import Control
from proofbook.judge.view import View

_KEY = re.compile(r'"([^"\\]{1,60})"\s*:')
_TITLE = re.compile(r"<title\b[^>]*>([^<]*)", re.IGNORECASE)
_PAGE = re.compile(r"<(?:!doctype html|html|head|body|title|h1)\b", re.IGNORECASE)
_LONGEST = 80
_FOR_PEOPLE = "a page for people"
# One of twenty; in seconds, and against half of all.
_A_FEW, _SLOW_S, _SLOWER = 0.05, 1.0, 10


def answers_alike(item: Service, *, target: float) -> MoreControls:
    """The comparability control of health: of the answers that count as healthy no more than may fail are unlike the others.

    A regular expression says which answers count, and what else stands in them is then nobody's matter.
    """

    def control(view: View) -> Sequence[Control]:
        rows = view.table("health")
        if rows is None or "part" not in rows or (item.health_expect and item.health_expect.regex):
            return []
        rows = rows[(rows["service"] == item.name) & (rows["kind"] == "health")]
        found = unlike(rows[rows["ok"].astype(bool)])
        held = len(found) <= (1 - target) * len(rows)
        if found.empty:
            return []
        return [
            Control(
                kind="comparability",
                name="answers compared with each other",
                guards=("pass",),
                expected="alike, but for as many as may fail",
                got=f"{len(found):,} of {len(rows):,} {found.iloc[0]}",
                held=held,
                code="" if held else "mixed-answers",
            )
        ]

    return control


def unlike(rows: pd.DataFrame) -> pd.Series:
    """How each answer that is unlike most of them differs, by its row; of two that are as frequent, the one that says less.

    A part that is ill in every answer is one that the service does without.
    """
    ill = rows["part"].fillna("").astype(str)
    says_well = rows["says"].eq("well").fillna(False).astype(bool)
    bodies = rows["body"].fillna("").astype(str)
    found = pd.Series("", index=rows.index, dtype=object)
    told = ill.ne("")
    if told.all():
        told = ~told
    if 2 * int(told.sum()) > len(rows):
        told = ~told
        found[told] = f"do not say {ill[~told].iloc[0]}, as the others do"
    else:
        found[told] = "say " + ill[told] + ", the others do not"
    if 2 * int(says_well.sum()) >= len(rows):
        found[(found == "") & ~says_well] = "say nothing of their health, the others do"
    other = _other_documents(bodies, rows["status"])
    found[(found == "") & (other != "")] = other
    return found[found != ""]


def beside(rows: pd.DataFrame) -> str:
    """What is to be said of answers that count: that a few say something else than the others, or take much longer; else empty.

    It takes no pass away: instances may name themselves, and be slow.
    """
    told = []
    bodies = rows["body"].fillna("").astype(str).str.strip()
    counts = bodies.value_counts()
    others = bodies[bodies != counts.index[0]]
    if (
        len(rows) <= 2 * counts.iloc[0]
        and len(others) >= _A_FEW * len(rows)
        and _kind(counts.index[0]) != _FOR_PEOPLE
    ):
        told.append(
            f"{len(others):,} of them say otherwise: {' '.join(others.iloc[0].split())[:_LONGEST] or 'nothing'}"
        )
    usual_s = rows["total_s"].median()
    slow = rows.loc[rows["total_s"] >= max(_SLOW_S, _SLOWER * usual_s), "total_s"]
    if len(slow) >= _A_FEW * len(rows):
        told.append(f"{len(slow):,} of them took {slow.min():.1f} s or more, the median is {usual_s:.2g} s")
    return f"although {' and '.join(told)}" if told else ""


def _other_documents(bodies: pd.Series, statuses: pd.Series) -> pd.Series:
    """What each answer is, where most with its status are another document; else empty."""
    kinds = bodies.map(_kind)
    marks = bodies.map(_marks)
    found = pd.Series("", index=bodies.index, dtype=object)
    for status in statuses.dropna().unique():
        here = statuses.eq(status).fillna(False).astype(bool)
        usual = kinds[here].mode().iloc[0]
        counts = marks[here].explode().value_counts()
        common = frozenset(counts.index[2 * counts > int(here.sum())])
        alien = marks.map(lambda own, common=common: bool(own) and bool(common) and not own & common)
        found[here & (kinds != usual)] = kinds.map(lambda kind, usual=usual: f"are {kind}, most are {usual}")
        found[here & (kinds == usual) & alien] = bodies.map(lambda body: f"are of another make: {' '.join(body.split())[:_LONGEST]}")  # fmt: skip
    return found


def _kind(body: str) -> str:
    """What kind of document a body begins as.

    >>> _kind(""), _kind('{"a": 1}'), _kind("<html>"), _kind("OK")
    ('empty', 'JSON', 'a page for people', 'text')
    """
    text = body.strip().lstrip("\ufeff")
    if not text:
        return "empty"
    if text[0] in "{[":
        return "JSON"
    if text[0] != "<":
        return "text"
    return _FOR_PEOPLE if _PAGE.search(text) else "XML"


def _marks(body: str) -> frozenset[str]:
    """By what a document is known again: the names in JSON, the words of the title of a page.

    >>> sorted(_marks('{"version": "1", "up": 3}')), sorted(_marks("<title>Welcome to nginx!</title>"))
    (['up', 'version'], ['nginx', 'to', 'welcome'])
    """
    title = _TITLE.search(body)
    if title is not None:
        return frozenset(re.findall(r"\w+", title[1].lower()))
    return frozenset(_KEY.findall(body)) if _kind(body) == "JSON" else frozenset()
