"""A notice: what somebody is told about an environment, as facts, and the sentences made of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from proofbook.errors import CouldNotLook
from proofbook.judge.findings import MARKS, Verdict
from proofbook.redaction.unseen import visible
from proofbook.runs.json_reader import JsonObject
from proofbook.runs.record import moment

# A verdict that rests on accepted findings alone: shown in every report, and no news.
KNOWN = "known"
OVERDUE = "overdue"
TROUBLE = ("fail", "error", "inconclusive")
Kind = Literal["changed", "recovered", "accepted", "more", "reminder", "overdue", "resumed", "test"]


class NotDelivered(CouldNotLook):
    """A receiver could not be told; the sentence says why and holds no secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing that is told. Times are RFC 3339 in UTC.

    was, now: verdicts, or `known`, `overdue`, or empty where nothing was known. since: when `now` began; was_since: when `was`
    did. sentence: what the first finding of that verdict says, or of those that came to it. others: how many more there are. report: URL or path.
    """

    kind: Kind
    environment: str
    case: str = ""
    was: str = ""
    now: str = ""
    since: str = ""
    was_since: str = ""
    run_id: str = ""
    at: str
    sentence: str = ""
    others: int = 0
    report: str = ""

    @property
    def id(self) -> str:
        """The same whenever and however often this notice is sent, and of no other one."""
        said = "\n".join((self.kind, self.environment, self.case, self.was, self.now, self.run_id, self.since, self.at))  # fmt: skip
        return hashlib.sha256(said.encode()).hexdigest()[:24]

    def to_json(self) -> JsonObject:
        """Its facts, with its id and the sentences, for programs."""
        return {"id": self.id, **asdict(self), "subject": subject(self), "text": "\n".join(lines(self))}


def subject(notice: Notice) -> str:
    """One line that says what happened where.

    >>> subject(Notice(kind="changed", environment="eu", case="c", was="pass", now="fail", at=""))
    '✘ eu · c: pass → fail'
    """
    place = " · ".join(filter(None, (notice.environment, notice.case)))
    return visible(f"{_mark(notice)} {place}: {_what(notice)}").replace("\n", " ")


def lines(notice: Notice) -> Sequence[str]:
    """All of it in plain text: what happened, since when, the first finding, where the report is."""
    told = [subject(notice)]
    if notice.since:
        told.append(f"Since {moment(notice.since)}." + _lasted(notice))
    if notice.sentence:
        more = f" And {notice.others} more." if notice.others else ""
        told.append(f"{notice.sentence}{more}")
    if notice.report:
        told.append(f"Report: {notice.report}")
    elif notice.run_id:
        told.append(f"Run: {notice.run_id}")
    return [visible(line).replace("\n", " ") for line in told]


def _lasted(notice: Notice) -> str:
    if notice.was_since and notice.was in (*TROUBLE, OVERDUE):
        return f" It had been {notice.was} since {moment(notice.was_since)}."
    return ""


def _mark(notice: Notice) -> str:
    if notice.kind == "test":
        return "·"
    if notice.now in (OVERDUE, KNOWN):
        return "!" if notice.now == OVERDUE else "·"
    return MARKS[Verdict(notice.now)]


def _what(notice: Notice) -> str:
    was = notice.was or "no earlier verdict"
    words = {
        "changed": f"{was} → {notice.now}",
        "recovered": f"recovered: {was} → {notice.now}",
        "accepted": f"{was}, now accepted as known",
        "more": f"still {notice.now}, now by more findings",
        "reminder": f"still {notice.now}",
        "overdue": "no finished run in time",
        "resumed": f"runs again: {notice.now}",
        "test": "a test message; nothing happened",
    }
    return words[notice.kind]
