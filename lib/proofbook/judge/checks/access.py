"""What must be refused is refused by name, while what is good is let in: tokens and user ids."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from proofbook.config.case import Identity
from proofbook.evidence.schema import IDENTITIES, REFUSALS
from proofbook.judge import failure_summary
from proofbook.judge.check import SEEN_SHARE, Mutant, Recipe
from proofbook.judge.findings import Control, Estimate, Exposure, Judgement, Method, Verdict
from proofbook.judge.view import InsufficientEvidence, View
from proofbook.protocol import GOOD_KINDS, REFUSED_CODES, REFUSED_STATUS, TokenKind, shows_test_header
from proofbook.stats import proportions, severity

# Whether others were tried depends on the token: only of some can one be forged.
WANTED_KINDS = (TokenKind.MISSING, TokenKind.TAMPERED, TokenKind.EXPIRED, TokenKind.WRONG_AUDIENCE)
_REFUSED = {"greeted": False, "upgraded": False, "http_status": 403, "close_code": pd.NA, "refused": True}
_ACCEPTED = {"greeted": True, "upgraded": True, "http_status": 101, "close_code": 1000, "refused": False}
_TIMED_OUT = {
    "greeted": pd.NA,
    "upgraded": False,
    "http_status": pd.NA,
    "close_code": pd.NA,
    "refused": False,
}


def explicitly_refused(rows: pd.DataFrame) -> pd.Series:
    """Whether each try was refused with a status or close code that says so; a time-out is no refusal."""
    return refused_by_name(rows) & ~accepted(rows)


def accepted(rows: pd.DataFrame) -> pd.Series:
    """Whether each try was let in."""
    return rows["greeted"].fillna(False).astype(bool)


def refuses_tokens(endpoint: str, *, with_test_headers: bool) -> Recipe:
    """A recipe for "bad tokens are refused" on one endpoint, alone or with headers that only tests send."""
    it = _RefusesTokens(endpoint=endpoint, with_test_headers=with_test_headers)
    mutants = (
        Mutant(name="one bad token let in", change=it.one_accepted),
        Mutant(name="time-outs instead of refusals", change=it.timed_out),
    )
    return Recipe(judge=it.judge, mutants=mutants)


@dataclass(frozen=True, slots=True, kw_only=True)
class _RefusesTokens:
    """Bad tokens are refused by one endpoint, alone or with headers that only tests send."""

    endpoint: str
    with_test_headers: bool

    def is_bad(self, rows: pd.DataFrame) -> pd.Series:
        with_header = rows["token_kind"].map(shows_test_header).astype(bool)
        return (rows["endpoint"] == self.endpoint) & (
            with_header if self.with_test_headers else ~with_header & _is_bad(rows)
        )

    def judge(self, view: View) -> Judgement:
        rows = view.need(REFUSALS)
        bad = rows[self.is_bad(rows)]
        if bad.empty:
            raise InsufficientEvidence(
                "not-tried",
                f"no bad token was tried on {self.endpoint}",
                repair="let the environment send bad tokens, or waive this check",
            )
        refused = explicitly_refused(bad)
        kinds = sorted(set(bad["token_kind"]))
        missing = [] if self.with_test_headers else [kind for kind in WANTED_KINDS if kind not in kinds]
        bounds = proportions.proportion(int(refused.sum()), len(bad), confidence=view.confidence)
        verdict, reason, statement = _answer_to_bad(bad)
        return Judgement(
            verdict=verdict,
            reason=reason,
            statement=statement,
            estimate=Estimate.of(bounds, unit="fraction refused by name"),
            method=self.method(view),
            threshold="none let in",
            limits=True,
            # A door of one kind is met by the tries of that kind alone.
            severity=severity.of_tries(_fewest(bad, "token_kind"), rate=SEEN_SHARE),
            severity_at=f"1 of {1 / SEEN_SHARE:.0f} tries with one kind of them is let in",
            exposure=Exposure(n=len(bad), unit="tries"),
            controls=self.controls(bad, rows),
            not_established=tuple(
                f"a token of kind {kind} was not tried: the environment supplies none" for kind in missing
            ),
        )

    def method(self, view: View) -> Method:
        """How it is judged."""
        return Method(
            name="every bad token refused by an HTTP status, a close code or a message that says so",
            confidence=view.confidence,
            side="one-sided",
            null_hypothesis="bad tokens are let in",
            source="Clopper and Pearson 1934",
        )

    def controls(self, bad: pd.DataFrame, rows: pd.DataFrame) -> tuple[Control, ...]:
        """The good token is let in meanwhile, and bad ones were tried."""
        mine = rows[rows["endpoint"] == self.endpoint]
        return (
            _good_token_control(mine, bad),
            Control(
                kind="liveness",
                name="bad tokens were tried",
                guards=("pass", "fail"),
                expected="at least 1",
                got=f"{len(bad)} tries",
                held=len(bad) > 0,
            ),
            *_entry_known(mine),
        )

    def one_accepted(self, view: View) -> View:
        rows = view.need(REFUSALS)
        return view.exchange(REFUSALS, changed(rows, rows.index[self.is_bad(rows)][:1], _ACCEPTED))

    def timed_out(self, view: View) -> View:
        rows = view.need(REFUSALS)
        return view.exchange(REFUSALS, changed(rows, rows.index[self.is_bad(rows)], _TIMED_OUT))


def _entry_known(rows: pd.DataFrame) -> Sequence[Control]:
    """The positive control of "bad tokens are let in": to be connected means to be let in there.

    Who is connected and told nothing may still be asked for his token in a first message, as everybody else is. To be connected
    means something where the server says something, or where it turns somebody away.
    """
    if "heard" not in rows or "greeting_s" not in rows or "understood" not in rows:
        # Older evidence does not tell what was heard.
        return ()
    told = rows["greeting_s"].notna() | rows["heard"].fillna("").ne("") | (rows["replied"] > 0)
    told |= rows["understood"].eq(True).fillna(False)
    # At a path that must not exist nobody is looked at.
    turned_away = ~accepted(rows) & (rows["token_kind"] != TokenKind.AT_UNKNOWN_PATH)
    if told.any() or turned_away.any():
        return ()
    return (
        Control(
            kind="positive",
            name="that to be connected means to be let in",
            guards=("fail",),
            expected="something that the server says, or somebody whom it turns away",
            got=f"{len(rows)} connected, with a good token, a bad one or none, and nothing said to any of them",
            held=False,
            code="silent-to-all",
        ),
    )


def _fewest(rows: pd.DataFrame, column: str) -> int:
    """How many tries that kind had which had the fewest."""
    return int(rows.groupby(column).size().min())


def _answer_to_bad(bad: pd.DataFrame) -> tuple[Verdict, str, str]:
    """Verdict, reason and statement from tries with bad tokens."""
    entered, refused = accepted(bad), explicitly_refused(bad)
    if entered.any():
        names = ", ".join(sorted(set(bad.loc[entered, "token_kind"])))
        return (
            Verdict.FAIL,
            "bad-token-accepted",
            f"{int(entered.sum())} of {len(bad)} bad tokens were let in ({names})",
        )
    if not refused.all():
        odd = failure_summary.in_words(bad[~refused])
        return (
            Verdict.INCONCLUSIVE,
            "unnamed-refusal",
            f"{int((~refused).sum())} of {len(bad)} bad tokens got no named refusal ({odd})",
        )
    kinds = ", ".join(sorted(set(bad["token_kind"])))
    return (
        Verdict.PASS,
        "",
        f"all {len(bad)} tries with bad tokens were refused by name ({kinds})",
    )


def bad_tokens_refused(endpoint: str) -> Callable[[View], Sequence[Control]]:
    """The negative control of "authentication works": no bad token gets in."""

    def control(view: View) -> Sequence[Control]:
        rows = view.table(REFUSALS)
        bad = rows[(rows["endpoint"] == endpoint) & _is_bad(rows)] if rows is not None else None
        if bad is None or bad.empty:
            got, held = "no bad token was tried", False
        else:
            entered = int(accepted(bad).sum())
            named = int(explicitly_refused(bad).sum())
            got, held = f"{named} of {len(bad)} refused by name, {entered} let in", named == len(bad)
        return [
            Control(
                kind="negative",
                name="bad tokens beside the good one",
                guards=("pass",),
                expected="every one refused by name",
                got=got,
                held=held,
            )
        ]

    return control


def _is_bad(rows: pd.DataFrame) -> pd.Series:
    return ~rows["token_kind"].isin(GOOD_KINDS)


def probe_discriminates(endpoint: str) -> Callable[[View], Sequence[Control]]:
    """Controls of "connections are made": the probe sees a refusal where there is one, and not every address is an endpoint."""

    def control(view: View) -> Sequence[Control]:
        rows = view.table(REFUSALS)
        if rows is None:
            return []
        rows = rows[rows["endpoint"] == endpoint]
        bad, unknown = rows[_is_bad(rows)], rows[rows["token_kind"] == TokenKind.AT_UNKNOWN_PATH]
        found = []
        if len(bad):
            seen = int((~accepted(bad)).sum())
            found.append(
                Control(
                    kind="positive",
                    name="the probe sees a connection that is not made",
                    guards=("pass",),
                    expected="at least 1",
                    got=f"{seen} of {len(bad)} tries with bad tokens",
                    held=seen > 0,
                    code="silent-to-all" if _entry_known(rows) else "",
                )
            )
        if len(unknown):
            made = int(accepted(unknown).sum())
            found.append(
                Control(
                    kind="negative",
                    name="a path that must not exist",
                    guards=("pass",),
                    expected="no connection",
                    got=f"{made} of {len(unknown)} made",
                    held=made == 0,
                    code="" if made == 0 else "any-path",
                )
            )
        return found

    return control


def refused_by_name(rows: pd.DataFrame) -> pd.Series:
    """Whether each try got an answer that says no: a status, a close code, or a message of the dialect."""
    by_code = rows["http_status"].isin(REFUSED_STATUS) | rows["close_code"].isin(REFUSED_CODES)
    # A dialect may say it in a message; older evidence does not tell.
    return by_code | rows["refused"].fillna(False).astype(bool) if "refused" in rows else by_code


def identity_table(identities: Sequence[Identity], *, proven: Callable[[View], Sequence[Control]]) -> Recipe:
    """A recipe for "these ids are let in, those are refused". `proven` is what must hold where nobody was let in at all."""
    it = _IdentityTable(identities=identities, proven=proven)
    return Recipe(
        judge=it.judge,
        mutants=(
            Mutant(name="a good id refused", change=it.one_wrong(True)),
            Mutant(name="a wrong id let in", change=it.one_wrong(False)),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _IdentityTable:
    """Ids are let in and refused as a table says."""

    identities: Sequence[Identity]
    proven: Callable[[View], Sequence[Control]]

    @property
    def wanted(self) -> dict[str, bool]:
        """Whether each user id must be let in."""
        return {item.user: item.accept for item in self.identities}

    def judge(self, view: View) -> Judgement:
        rows = view.need(IDENTITIES)
        rows = rows[rows["user"].isin(self.wanted)]
        untried = [user for user in self.wanted if user not in set(rows["user"])]
        if rows.empty:
            raise InsufficientEvidence(
                "not-tried",
                "no user id of the case was tried",
                repair="give the environment a [login] that issues tokens for any user",
            )
        must = rows["user"].map(self.wanted).astype(bool)
        entered, refused = accepted(rows), explicitly_refused(rows)
        wrong = rows[(must & refused) | (~must & entered)]
        unclear = rows[(must & ~entered & ~refused) | (~must & ~entered & ~refused)]
        right = len(rows) - len(wrong) - len(unclear)
        bounds = proportions.proportion(right, len(rows), confidence=view.confidence)
        verdict, reason, statement = _answer_to_ids(self.wanted, rows, wrong, [*unclear["user"], *untried])
        both = len(set(self.wanted.values())) == 2
        return Judgement(
            verdict=verdict,
            reason=reason,
            statement=statement,
            estimate=Estimate.of(bounds, unit="fraction right"),
            method=self.method(view),
            threshold="no wrong answer",
            severity=severity.of_tries(_fewest(rows, "user"), rate=SEEN_SHARE),
            severity_at=f"1 of {1 / SEEN_SHARE:.0f} tries with one id is answered wrongly",
            exposure=Exposure(n=len(rows), unit="tries"),
            controls=self.controls(both, untried, view, entered, rows),
        )

    def method(self, view: View) -> Method:
        """How it is judged."""
        return Method(
            name="every try as the table says",
            confidence=view.confidence,
            side="one-sided",
            null_hypothesis="an id is answered wrongly",
            source="Clopper and Pearson 1934",
        )

    def controls(
        self, both: bool, untried: list[str], view: View, entered: pd.Series, rows: pd.DataFrame
    ) -> tuple[Control, ...]:
        """Ids of both kinds, each tried; where nobody came in, that somebody could."""
        return (
            Control(
                kind="negative",
                name="ids of both kinds",
                guards=("pass",),
                expected="some to let in and some to refuse",
                got="both" if both else "one kind only",
                held=both,
            ),
            Control(
                kind="liveness",
                name="every id was tried",
                guards=("pass",),
                expected=f"{len(self.wanted)} ids",
                got=f"{len(self.wanted) - len(untried)} ids, {len(rows)} tries",
                held=not untried,
            ),
            *(() if entered.any() else self.proven(view)),
        )

    def one_wrong(self, accept: bool) -> Callable[[View], View | None]:
        def change(view: View) -> View | None:
            rows = view.need(IDENTITIES)
            chosen = rows.index[
                rows["user"].isin([user for user, must in self.wanted.items() if must == accept])
            ][:1]
            return (
                view.exchange(IDENTITIES, changed(rows, chosen, _REFUSED if accept else _ACCEPTED))
                if len(chosen)
                else None
            )

        return change


def _answer_to_ids(
    wanted: Mapping[str, bool], rows: pd.DataFrame, wrong: pd.DataFrame, unclear: Sequence[str]
) -> tuple[Verdict, str, str]:
    """Verdict, reason and statement from tries of user ids; `unclear`: users without a clear answer."""
    if len(wrong):
        names = "; ".join(
            f"{user} was {'let in' if not wanted[user] else 'refused'}" for user in sorted(set(wrong["user"]))
        )
        return (
            Verdict.FAIL,
            "wrong-answer",
            f"{len(wrong)} of {len(rows)} tries were answered wrongly ({names})",
        )
    if unclear:
        names = ", ".join(sorted(set(unclear)))
        return (
            Verdict.INCONCLUSIVE,
            "unclear-answer",
            f"no clear answer for {names}",
        )
    accept = sum(wanted.values())
    return (
        Verdict.PASS,
        "",
        f"all {len(wanted)} ids were answered rightly in {len(rows)} tries ({accept} let in, {len(wanted) - accept} refused)",
    )


def changed(rows: pd.DataFrame, chosen: Any, values: dict[str, Any]) -> pd.DataFrame:
    """A copy with `values` in the chosen rows."""
    copy = rows.copy()
    for column, value in values.items():
        copy.loc[chosen, column] = value
    return copy


def _good_token_control(rows: pd.DataFrame, bad: pd.DataFrame) -> Control:
    """Positive: the good token was let in during the same minute as the bad ones were refused."""
    good = rows[rows["token_kind"] == TokenKind.GOOD]
    near = good[
        (good["timestamp"] >= bad["timestamp"].min() - pd.Timedelta(minutes=1))
        & (good["timestamp"] <= bad["timestamp"].max() + pd.Timedelta(minutes=1))
    ]
    entered = int(accepted(near).sum())
    return Control(
        kind="positive",
        name="the good token in the same minute",
        guards=("pass",),
        expected="let in",
        got=f"let in {entered} of {len(near)} times",
        held=entered > 0 and entered == len(near),
        code="good-token-refused" if len(near) and not entered else "",
    )
