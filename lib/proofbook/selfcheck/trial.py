"""Trials of Proofbook itself: evidence collected from a rehearsal that is broken, or well, in a known way, and its judgement."""

from __future__ import annotations

import shutil
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from proofbook.collect import phases
from proofbook.collect.planning import Sizes
from proofbook.config import case, environment
from proofbook.config.case import Case, Targets
from proofbook.config.environment import Environment
from proofbook.evidence import store
from proofbook.judge.findings import Finding
from proofbook.judge.verdict import Overall, overall
from proofbook.rehearsal.faults import FAULTS, HEALTHY, Fault, Healthy
from proofbook.rehearsal.stack import Stack
from proofbook.validation import Assessment

ENVIRONMENT, CASE = "rehearsal", "ssot-fixes"
PLAIN = HEALTHY["healthy"]
# For what shows in every request: as few as a verdict needs, against targets that so few can show.
SMALL = Sizes(latency=60, tries=2, bad_tokens=20, unmarked=2)
SMALL_TARGETS = Targets(health=0.9, connection=0.9, delivery=0.9, authentication=0.9)


class Trial:
    """A rehearsal whose phases before and rollout are recorded once, and shared by every collection after."""

    def __init__(self, base: Path, *, shared: Path) -> None:
        self.base, self.shared = base, shared
        self.stack = Stack(base / "outputs" / "rehearsal" / "up")

    async def start(self, variant: Healthy = PLAIN) -> None:
        """Brings the stack up, as that variant was before too, and records both phases."""
        lasting = [variant.name] if variant.before_too else []
        await self.stack.start(traffic=variant.traffic, faults=lasting)
        await self.record("before", self.shared, variant)
        await self.record("rollout", self.shared, variant, during=self.stack.deploy("after", lasting))

    async def stop(self) -> None:
        await self.stack.stop()

    async def collect(
        self, seed: Fault | Healthy = PLAIN, *, to: Path, patience: float = 1.0, small: bool = False
    ) -> None:
        """Deploys anew with that fault, or in that way of being well, and records what comes after, and the rollout if that is the matter.

        Where nothing grows, memory is watched only as long as the other probes of that time take; where something may,
        `patience` times as long as the environment says. small: asks as few times as SMALL says, and watches as long as the
        environment says, for claims about the log; to be judged likewise.
        """
        shutil.copytree(self.shared, to)
        variant = seed if isinstance(seed, Healthy) else PLAIN
        faults = [] if seed is PLAIN else [seed.name]
        if seed.in_rollout:
            await self.record("rollout", to, variant, during=self.stack.deploy("after", faults))
        else:
            await self.stack.deploy("after", faults)
        quick = isinstance(seed, Fault) and not seed.grows and not small
        usual_s = asked(self.base, variant)[0].observe_s
        await self.record("after", to, variant, observe_s=0.0 if quick else patience * usual_s, small=small)

    async def record(
        self,
        phase: str,
        folder: Path,
        variant: Healthy = PLAIN,
        *,
        during: Coroutine[Any, Any, None] | None = None,
        observe_s: float | None = None,
        small: bool = False,
    ) -> None:
        where, what = asked(self.base, variant, small=small)
        if observe_s is not None:
            where = where.model_copy(update={"observe_s": observe_s})
        await phases.record(
            where,
            what,
            phase,
            folder=folder,
            base=self.base,
            during=during,
            say=lambda _: None,
            sizes=SMALL if small else None,
        )


def asked(base: Path, variant: Healthy = PLAIN, *, small: bool = False) -> tuple[Environment, Case]:
    """The rehearsal's environment and case, with what they must say of a platform that is well in that way."""
    where, what = environment.load(ENVIRONMENT, base=base), case.load(CASE, base=base)
    rollout = where.rollout.model_copy(update={"max_connection_s": variant.max_connection_s})
    budgets = what.budgets.model_copy(update={"restarts": variant.restarts})
    targets = SMALL_TARGETS if small else what.targets
    return (
        where.model_copy(update={"rollout": rollout}),
        what.model_copy(update={"budgets": budgets, "targets": targets}),
    )


def judge(
    folder: Path, base: Path, variant: Healthy = PLAIN, *, small: bool = False
) -> tuple[dict[str, Finding], Overall]:
    """Every finding by id, and the verdict, over collected evidence."""
    where, what = asked(base, variant, small=small)
    found = Assessment.of(where, what, store.read(folder), base=base).judge_all()
    return {item.id: item for item in found}, overall(found)


def seeds(names: Sequence[str]) -> list[Fault | Healthy]:
    """The faults and variants of these names; all of both where none is given."""
    known: dict[str, Fault | Healthy] = {**HEALTHY, **FAULTS}
    return [known[name] for name in names] if names else list(known.values())
