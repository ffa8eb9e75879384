"""The verdict of a run, from its findings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from proofbook.judge.findings import Finding, Verdict
from proofbook.judge.reasons import situation


@dataclass(frozen=True, slots=True, kw_only=True)
class Overall:
    """The verdict over all findings: a headline in capitals, and what it rests on."""

    verdict: Verdict
    reason: str
    headline: str
    detail: str
    blocking: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    waived: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        return f"{self.headline}: {self.detail}"


def overall(
    findings: Iterable[Finding],
    *,
    missing: Iterable[str] = (),
    partial: bool = False,
    broken: Mapping[str, str] | None = None,
) -> Overall:
    """The run's verdict (any required fail, then error, then inconclusive, else pass; a failed check of a critical service fails the run).

    Args:
        findings: every finding of the run.
        missing: ids of expected checks that no notebook judged.
        partial: only some notebooks were run, so what is missing was not asked for.
        broken: notebooks that did not reach their end, and why: an error of the run, unless something failed already.

    >>> overall([]).verdict
    <Verdict.INCONCLUSIVE: 'inconclusive'>
    """
    sorted_findings = sorted(
        findings, key=lambda item: item.kind != "fix"
    )  # what the case is about comes first
    found = _Counted.of(sorted_findings)
    absent = tuple(sorted(missing))
    answer = (
        _failed(found)
        or _not_looked(found, () if partial else absent, broken or {})
        or _not_known(found, absent)
        or _passed(found)
    )
    return replace(
        answer,
        beside=tuple(item.id for item in found.items if found.is_beside(item)),
        waived=tuple(item.id for item in sorted_findings if item.waived),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    """The findings that count, waived ones left out unless they failed; and those that give each verdict."""

    items: list[Finding]
    failed: list[Finding]
    unseen: list[Finding]
    unclear: list[Finding]
    waived: int

    @classmethod
    def of(cls, found: list[Finding]) -> _Counted:
        """Sorts them out: a guard vetoes where what it guards is critical."""
        items = [item for item in found if not item.waived or item.verdict is Verdict.FAIL]
        return cls(
            items=items,
            failed=[
                item for item in items if item.verdict is Verdict.FAIL and (item.required or item.critical)
            ],
            unseen=[item for item in items if item.verdict is Verdict.ERROR and item.required],
            unclear=[item for item in items if item.verdict is Verdict.INCONCLUSIVE and item.required],
            waived=sum(bool(item.waived) for item in found),
        )

    @property
    def required(self) -> list[Finding]:
        return [item for item in self.items if item.required]

    def is_beside(self, item: Finding) -> bool:
        """Whether it did not pass, and did not decide the verdict either."""
        return item.verdict is not Verdict.PASS and item not in self.failed + self.unseen + self.unclear


def _failed(found: _Counted) -> Overall | None:
    if not found.failed:
        return None
    # What was seen: a claim beside the word BROKEN would read as its opposite.
    first, more = found.failed[0], len(found.failed) - 1
    return Overall(
        verdict=Verdict.FAIL,
        reason=first.reason,
        headline="NOT FIXED" if any(item.kind == "fix" for item in found.failed) else "BROKEN",
        detail=(first.seen or first.statement) + (f"; and {more} more" if more else ""),
        blocking=tuple(item.id for item in found.failed),
    )


def _not_looked(found: _Counted, missing: tuple[str, ...], broken: Mapping[str, str]) -> Overall | None:
    """An error of the run: a notebook that did not reach its end, a check that nobody judged, one that broke."""
    blocking: tuple[str, ...] = ()
    if broken:
        name, problem = next(iter(broken.items()))
        reason, detail = "notebook", f"notebook {name}: {problem}"
    elif missing:
        reason, detail, blocking = "missing", f"no notebook judged {_list(missing)}", missing
    elif found.unseen:
        first = found.unseen[0]
        reason, detail = first.reason, first.statement
        blocking = tuple(item.id for item in found.unseen)
    else:
        return None
    return Overall(
        verdict=Verdict.ERROR, reason=reason, headline="COULD NOT LOOK", detail=detail, blocking=blocking
    )


def _not_known(found: _Counted, missing: tuple[str, ...]) -> Overall | None:
    blocking: tuple[str, ...] = ()
    if missing:
        reason, headline = "partial", "PARTIAL"
        detail, blocking = f"not judged in this run: {_list(missing)}", missing
    elif found.unclear:
        reason = found.unclear[0].reason
        headline, detail = f"NOT KNOWN, {situation(reason)}", found.unclear[0].statement
        blocking = tuple(item.id for item in found.unclear)
    elif not found.required:
        reason, headline = "nothing-required", "NOT KNOWN"
        detail = "nothing that this case requires was judged"
    else:
        return None
    return Overall(
        verdict=Verdict.INCONCLUSIVE, reason=reason, headline=headline, detail=detail, blocking=blocking
    )


def _passed(found: _Counted) -> Overall:
    fixes = [item for item in found.required if item.kind == "fix"]
    absent_only = sum(item.reason == "absent" for item in fixes)
    words = "HEALTHY" if not fixes else "ABSENT" if absent_only == len(fixes) else "FIXED"
    if words == "FIXED" and absent_only:
        words += f" ({absent_only} of {len(fixes)} symptoms only absent)"
    return Overall(
        verdict=Verdict.PASS,
        reason="",
        headline=words + (f" ({found.waived} waived)" if found.waived else ""),
        detail="1 required finding holds"
        if len(found.required) == 1
        else f"{len(found.required)} required findings hold",
    )


def _list(items: Iterable[str], *, most: int = 3) -> str:
    names = list(items)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return "; ".join(names[:most]) + more
