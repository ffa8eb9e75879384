"""The verdict of a run, from its findings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from proofbook.judge.findings import Finding, Verdict
from proofbook.judge.reasons import situation


@dataclass(frozen=True, slots=True, kw_only=True)
class Overall:
    """The verdict over all findings, in one sentence."""

    verdict: Verdict
    reason: str
    sentence: str
    blocking: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    waived: tuple[str, ...] = ()


def overall(
    findings: Iterable[Finding],
    *,
    missing: Iterable[str] = (),
    partial: bool = False,
    broken: Mapping[str, str] | None = None,
) -> Overall:
    """The run's verdict (METHODS: any required fail, then error, then inconclusive, else pass; guards veto).

    Args:
        findings: every finding of the run.
        missing: ids of checks that the run owed and that no notebook judged.
        partial: only some notebooks were run, so what is missing was not asked for.
        broken: notebooks that did not reach their end, and why: an error of the run, unless something failed already.

    >>> overall([]).verdict
    <Verdict.INCONCLUSIVE: 'inconclusive'>
    """
    found = sorted(findings, key=lambda item: item.kind != "fix")  # what the case is about comes first
    absent = tuple(sorted(missing))
    counted = [item for item in found if not item.waived or item.verdict is Verdict.FAIL]
    failed = [item for item in counted if item.verdict is Verdict.FAIL and (item.required or item.critical)]
    unseen = [item for item in counted if item.verdict is Verdict.ERROR and item.required]
    unclear = [item for item in counted if item.verdict is Verdict.INCONCLUSIVE and item.required]
    required = [item for item in counted if item.required]
    beside = tuple(
        item.id
        for item in counted
        if item.verdict is not Verdict.PASS and item not in failed + unseen + unclear
    )
    waived = tuple(item.id for item in found if item.waived)
    fixes = [item for item in required if item.kind == "fix"]

    def answer(verdict: Verdict, reason: str, sentence: str, blocking: Iterable[str] = ()) -> Overall:
        return Overall(
            verdict=verdict,
            reason=reason,
            sentence=sentence,
            blocking=tuple(blocking),
            beside=beside,
            waived=waived,
        )

    if failed:
        broken_fix = any(item.kind == "fix" for item in failed)
        words = "NOT FIXED" if broken_fix else "BROKEN"
        return answer(
            Verdict.FAIL,
            failed[0].reason,
            f"{words}: {_list(item.claim for item in failed)}",
            (item.id for item in failed),
        )
    for name, problem in (broken or {}).items():
        return answer(Verdict.ERROR, "notebook", f"COULD NOT LOOK: notebook {name}: {problem}")
    if absent and not partial:
        return answer(Verdict.ERROR, "missing", f"COULD NOT LOOK: no notebook judged {_list(absent)}", absent)
    if unseen:
        return answer(
            Verdict.ERROR,
            unseen[0].reason,
            f"COULD NOT LOOK: {unseen[0].statement}",
            (item.id for item in unseen),
        )
    if absent:
        return answer(
            Verdict.INCONCLUSIVE, "partial", f"PARTIAL: not judged in this run: {_list(absent)}", absent
        )
    if unclear:
        return answer(
            Verdict.INCONCLUSIVE,
            unclear[0].reason,
            f"NOT KNOWN, {situation(unclear[0].reason)}: {unclear[0].statement}",
            (item.id for item in unclear),
        )
    if not required:
        return answer(
            Verdict.INCONCLUSIVE, "nothing-required", "NOT KNOWN: nothing that this case requires was judged"
        )
    absent_only = sum(item.reason == "absent" for item in fixes)
    words = "HEALTHY" if not fixes else "ABSENT" if absent_only == len(fixes) else "FIXED"
    if words == "FIXED" and absent_only:
        words += f" ({absent_only} of {len(fixes)} symptoms only absent)"
    tail = f" ({len(waived)} waived)" if waived else ""
    return answer(Verdict.PASS, "", f"{words}{tail}: {len(required)} required findings hold")


def _list(items: Iterable[str], *, most: int = 3) -> str:
    names = list(items)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return "; ".join(names[:most]) + more
