"""Certificates that a client would accept, and will go on accepting for a while."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from proofbook.evidence.schema import CERTIFICATES, HEALTH
from proofbook.judge.check import Mutant, Recipe
from proofbook.judge.checks.probe_controls import transport_known
from proofbook.judge.findings import Control, Estimate, Exposure, Judgement, Method, Verdict
from proofbook.judge.view import InsufficientEvidence, View


def valid(service: str, *, least_days: float) -> Recipe:
    """A recipe for "the certificate verifies, and does so for at least `least_days` more"."""
    it = _Valid(service=service, least_days=least_days)
    return Recipe(
        judge=it.judge,
        mutants=(
            Mutant(name=f"{least_days / 2:g} days left", change=it.ending),
            Mutant(name="expired", change=it.expired),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Valid:
    """The certificate of one service."""

    service: str
    least_days: float

    def row_of(self, view: View) -> pd.Series:
        rows = view.need(CERTIFICATES)
        rows = rows[rows["service"] == self.service]
        if rows.empty or not rows.iloc[0]["reached"]:
            why = f": {rows.iloc[0]['problem']}" if len(rows) else ""
            raise InsufficientEvidence(
                "no-certificate",
                f"{self.service} showed no certificate{why}",
                repair="see whether it answers at all, and whether its url begins with https://",
            )
        return rows.iloc[0]

    def others(self, view: View) -> pd.Series:
        """Days left of the certificates that health requests were shown, each on a connection of its own; instances may have their own."""
        rows = view.table(HEALTH)
        if rows is None or "certificate_days" not in rows:
            return pd.Series(dtype="float64")
        return rows.loc[rows["service"] == self.service, "certificate_days"].dropna()

    def judge(self, view: View) -> Judgement:
        row, others = self.row_of(view), self.others(view)
        days = (
            min(float(row["days"]), others.min()) if row["verified"] and len(others) else float(row["days"])
        )
        good = bool(row["verified"]) and days >= self.least_days
        soon = others[others < self.least_days]
        told = f", on {len(soon):,} of {len(others):,} connections" if len(soon) else ""
        return Judgement(
            verdict=Verdict.PASS if good else Verdict.FAIL,
            reason="" if good else "certificate",
            statement=f"valid for {days:.1f} more days{told}"
            if row["verified"]
            else f"clients that check it refuse it: {row['problem']}",
            estimate=Estimate(value=days, low=days, high=days, unit="days left") if row["verified"] else None,
            method=self.method(),
            threshold=f"at least {self.least_days:g} days",
            exposure=Exposure(n=1 + len(others), unit="connections" if len(others) else "certificate"),
            controls=tuple(self.controls(view, row)),
        )

    def controls(self, view: View, row: pd.Series) -> Iterator[Control]:
        """That one was shown, as its users are, and that who trusts nobody refuses it."""
        yield from transport_known(self.service)(view)
        yield Control(
            kind="liveness",
            name="a certificate was shown",
            guards=("pass", "fail"),
            expected="a handshake",
            got="verified" if row["verified"] else "refused",
            held=True,
        )
        yield Control(
            kind="negative",
            name="a client that trusts nobody",
            guards=("pass",),
            expected="refuses the certificate",
            got="refused" if row["distrusted"] else "accepted, or not answered",
            held=bool(row["distrusted"]),
        )

    def method(self) -> Method:
        """How it is judged."""
        return Method(
            name="a handshake that checks the certificate, and the date at which it ends",
            null_hypothesis=f"it ends within {self.least_days:g} days",
            source="RFC 5280",
        )

    def ending(self, view: View) -> View:
        rows = view.need(CERTIFICATES)
        mine = rows["service"] == self.service
        return view.exchange(CERTIFICATES, rows.assign(days=rows["days"].where(~mine, self.least_days / 2)))

    def expired(self, view: View) -> View:
        rows = view.need(CERTIFICATES)
        mine = rows["service"] == self.service
        return view.exchange(CERTIFICATES, rows.assign(verified=rows["verified"] & ~mine))
