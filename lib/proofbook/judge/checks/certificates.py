"""Certificates that a client would accept, and will go on accepting for a while."""

from __future__ import annotations

import pandas as pd

from proofbook.evidence.schema import CERTIFICATES
from proofbook.judge.check import Mutant, Recipe
from proofbook.judge.findings import Control, Estimate, Exposure, Judgement, Method, Verdict
from proofbook.judge.view import InsufficientEvidence, View


def valid(service: str, *, least_days: float) -> Recipe:
    """A recipe for "the certificate verifies, and does so for at least `least_days` more"."""

    def row_of(view: View) -> pd.Series:
        rows = view.need(CERTIFICATES)
        rows = rows[rows["service"] == service]
        if rows.empty or not rows.iloc[0]["reached"]:
            why = f": {rows.iloc[0]['problem']}" if len(rows) else ""
            raise InsufficientEvidence(
                "no-certificate",
                f"{service} showed no certificate{why}",
                repair="see whether it answers at all, and whether its url begins with https://",
            )
        return rows.iloc[0]

    def judge(view: View) -> Judgement:
        row = row_of(view)
        days = float(row["days"])
        good = bool(row["verified"]) and days >= least_days
        return Judgement(
            verdict=Verdict.PASS if good else Verdict.FAIL,
            reason="" if good else "certificate",
            statement=f"valid for {days:.1f} more days"
            if row["verified"]
            else f"clients that check it refuse it: {row['problem']}",
            estimate=Estimate(value=days, low=days, high=days, unit="days left") if row["verified"] else None,
            method=Method(
                name="a handshake that checks the certificate, and the date at which it ends",
                null_hypothesis=f"it ends within {least_days:g} days",
                source="RFC 5280",
            ),
            threshold=f"at least {least_days:g} days",
            exposure=Exposure(n=1, unit="certificate"),
            controls=(
                Control(
                    kind="liveness",
                    name="a certificate was shown",
                    guards=("pass", "fail"),
                    expected="a handshake",
                    got="verified" if row["verified"] else "refused",
                    held=True,
                ),
                Control(
                    kind="negative",
                    name="a client that trusts nobody",
                    guards=("pass",),
                    expected="refuses the certificate",
                    got="refused" if row["distrusted"] else "accepted, or not answered",
                    held=bool(row["distrusted"]),
                ),
            ),
        )

    def ending(view: View) -> View:
        rows = view.need(CERTIFICATES)
        mine = rows["service"] == service
        return view.exchange(CERTIFICATES, rows.assign(days=rows["days"].where(~mine, least_days / 2)))

    def expired(view: View) -> View:
        rows = view.need(CERTIFICATES)
        mine = rows["service"] == service
        return view.exchange(CERTIFICATES, rows.assign(verified=rows["verified"] & ~mine))

    return Recipe(
        judge=judge,
        mutants=(
            Mutant(name=f"{least_days / 2:g} days left", change=ending),
            Mutant(name="expired", change=expired),
        ),
    )
