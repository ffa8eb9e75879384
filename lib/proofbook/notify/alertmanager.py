"""Tells an Alertmanager by its API, version 2: one alert for a verdict that lasts, ended when that does.

An Alertmanager forgets its alerts when it starts anew and ends those that nobody repeats, so what lasts is posted again with
every run; it tells people of it once.
"""

from __future__ import annotations

import datetime as dt

from proofbook.config.unattended import Alertmanager
from proofbook.notify import webhook
from proofbook.notify.notice import OVERDUE, TROUBLE, Notice, lines, subject
from proofbook.redaction.scrubbing import Secret
from proofbook.runs.json_reader import JsonObject
from proofbook.runs.provenance import rfc3339

PATH = "/api/v2/alerts"
VERDICT, SILENT, TEST = "ProofbookVerdict", "ProofbookOverdue", "ProofbookTest"
LASTING = (*TROUBLE, OVERDUE)


def tell(
    notice: Notice,
    receiver: Alertmanager,
    *,
    url: str,
    token: Secret | None,
    lasts_s: float,
    now: dt.datetime,
) -> None:
    """Posts what follows from a notice.

    Args:
        lasts_s: how long an alert lasts that nobody repeats.
    Raises:
        NotDelivered: it was not taken.
    """
    headers = {"Authorization": f"Bearer {token.reveal()}"} if token is not None else {}
    alerts = alerts_of(notice, receiver.labels, lasts_s=lasts_s, now=now)
    webhook.post(url.rstrip("/") + PATH, alerts, headers=headers, timeout_s=receiver.timeout_s)


def alerts_of(
    notice: Notice, labels: dict[str, str], *, lasts_s: float, now: dt.datetime
) -> list[JsonObject]:
    """The alerts of a notice: the end of what was, and what is now.

    An alert is known by its labels, and the verdict is one, by which it is routed: another verdict is another alert.
    """
    ends = rfc3339(now + dt.timedelta(seconds=lasts_s))
    if notice.kind == "test":
        return [_alert(notice, labels, TEST, "", notice.at, rfc3339(now + dt.timedelta(minutes=1)))]
    found = []
    if notice.was in LASTING and notice.was != notice.now:
        found.append(_alert(notice, labels, _name(notice.was), notice.was, notice.was_since, rfc3339(now)))
    if notice.now in LASTING and notice.kind != "resumed":
        found.append(_alert(notice, labels, _name(notice.now), notice.now, notice.since, ends))
    return found


def _name(verdict: str) -> str:
    return SILENT if verdict == OVERDUE else VERDICT


def _alert(
    notice: Notice, labels: dict[str, str], name: str, verdict: str, starts: str, ends: str
) -> JsonObject:
    own = {"alertname": name, "environment": notice.environment}
    if name == VERDICT:
        own |= {"case": notice.case, "verdict": verdict}
    alert: JsonObject = {
        "labels": {**labels, **own},
        "annotations": {"summary": subject(notice), "description": "\n".join(lines(notice)[1:])},
        "startsAt": min(starts, ends),
        "endsAt": ends,
    }
    if notice.report.startswith(("http://", "https://")):
        alert["generatorURL"] = notice.report
    return alert
