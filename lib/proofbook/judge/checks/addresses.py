"""Every address of the name of an endpoint or a service leads to it."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from proofbook.evidence.asked import ASKED, Asks, Reach
from proofbook.judge.check import Mutant, Recipe
from proofbook.judge.checks import asked_words, comparison
from proofbook.judge.findings import Exposure, Judgement, Verdict
from proofbook.judge.view import InsufficientEvidence, View


def each_leads_there(endpoint: str, *, host: str, asks: Asks = Asks.ADDRESS) -> Recipe:
    """A recipe for "every address of the name leads to the endpoint". host: the name; empty where it is not written. asks: `address`, or `health-address` of a service."""
    it = _Addresses(endpoint=endpoint, host=host, asks=asks)
    return Recipe(
        judge=it.judge, mutants=(Mutant(name="another server at the last address", change=it.other),)
    )


Parts = dict[str, pd.DataFrame]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Addresses:
    """What became of each address of one name."""

    endpoint: str
    host: str
    asks: Asks

    def mine(self, rows: pd.DataFrame) -> pd.Series:
        return (rows["endpoint"] == self.endpoint) & (rows["asks"] == self.asks)

    def judge(self, view: View) -> Judgement:
        good, bad = self.parts(view)
        count = len(good) + len(bad)
        well = sum(len(part) for part in good.values())
        kinds = {address: self.kind_of(address, part, good) for address, part in bad.items()}
        proven = {
            address: part
            for address, part in bad.items()
            if kinds[address] == "fault"
            and comparison.fails_more(
                (int((~comparison.answered(part)).sum()), len(part)), (0, well), alpha=view.alpha_fail
            )
        }
        told = f"{len(good)} of {count} {'address' if count == 1 else 'addresses'} of its name: {', '.join(good)}"
        told += f"; {_told(bad)}" if bad else ""
        verdict, reason = _verdict(set(kinds.values()), is_proven=bool(proven))
        return Judgement(
            verdict=verdict,
            reason=reason,
            statement=told,
            method=comparison.method("connections to each address beside those to the others", view=view),
            threshold="each leads to the endpoint",
            exposure=Exposure(n=count, unit="addresses"),
            controls=(
                comparison.beside(
                    "connections to the other addresses",
                    expected="at least 1 well",
                    got=f"{well:,} well",
                    held=well > 0,
                ),
            ),
        )

    def parts(self, view: View) -> tuple[Parts, Parts]:
        """The rows of each address that gave what was expected each time, and of each that did not.

        Raises:
            InsufficientEvidence: no address was asked, or none gave that.
        """
        rows = view.need(ASKED)
        rows = rows[self.mine(rows)]
        if rows.empty:
            raise InsufficientEvidence(
                "no-samples",
                "no address was chosen here: a proxy chooses it",
                repair="ask from where no proxy is needed",
            )
        parts = {str(address): part for address, part in rows.groupby("address", sort=False)}
        good = {address: part for address, part in parts.items() if comparison.answered(part).all()}
        bad = {address: part for address, part in parts.items() if address not in good}
        if not good:
            where = "websocket-connection" if self.asks is Asks.ADDRESS else f"health-{self.endpoint}"
            raise InsufficientEvidence(
                "no-samples",
                f"none of {len(parts)} addresses gave what was expected each time: {_told(bad)}",
                repair=f"see {where}",
            )
        return good, bad

    def kind_of(self, address: str, rows: pd.DataFrame, good: Parts) -> str:
        """What an address that is not well shows: a `fault`; `ours`, where the way from here may be shut; or `nothing` that a user meets."""
        reached = set(rows.loc[~comparison.answered(rows), "detail"])
        if reached == {Reach.CLOSED.value} and _is_own(self.host, address):
            # The hosts file of this machine says where its own name leads, and clients go on to the next.
            return "nothing"
        known = {ipaddress.ip_address(other.partition("%")[0]).version for other in good}
        version = ipaddress.ip_address(address.partition("%")[0]).version
        if reached <= {Reach.NO_WAY.value} or (
            reached <= {Reach.NO_WAY.value, Reach.SILENT.value} and version not in known
        ):
            return "ours"
        return "fault"

    @property
    def other(self) -> Callable[[View], View | None]:
        def changed(view: View) -> View | None:
            rows = view.need(ASKED).copy()
            last = rows.index[self.mine(rows)][-1:]
            if not len(last):
                return None
            rows.loc[last, "upgraded"] = False
            rows.loc[last, "http_status"] = 404
            rows.loc[last, "let_in"] = pd.NA
            return view.exchange(ASKED, rows)

        return changed


def _is_own(host: str, address: str) -> bool:
    """Whether a name is that of this machine itself, which nobody publishes."""
    name = host.rstrip(".").lower()
    own = name == "localhost" or name.endswith(".localhost")
    return own and ipaddress.ip_address(address.partition("%")[0]).is_loopback


_REACHED = {
    Reach.CLOSED.value: "nothing listens there",
    Reach.NO_WAY.value: "no way leads there from here",
    Reach.SILENT.value: "nothing answers there",
}


def _verdict(kinds: set[str], *, is_proven: bool) -> tuple[Verdict, str]:
    """The verdict with its reason, by the kinds of addresses that are not well."""
    if is_proven:
        return Verdict.FAIL, "address"
    if "fault" in kinds:
        return Verdict.INCONCLUSIVE, "too-early"
    return (Verdict.INCONCLUSIVE, "no-way") if "ours" in kinds else (Verdict.PASS, "")


def _told(bad: dict[str, pd.DataFrame]) -> str:
    told = []
    for address, rows in bad.items():
        failed = rows[~comparison.answered(rows)]
        reached = set(failed["detail"])
        how = _REACHED.get(next(iter(reached)), "") if len(reached) == 1 else ""
        ended = f"{len(failed)} of {len(rows)} failed, {asked_words.endings(failed)}"
        told.append(f"{address}: {how or ended}")
    return "; ".join(told)
