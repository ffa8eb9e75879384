"""Groups of checks: what ships with Proofbook and what other packages register as `proofbook.checks`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.errors import ExtensionError
from proofbook.judge.check import Check, Recipe
from proofbook.judge.findings import Judgement, Verdict
from proofbook.judge.view import View
from proofbook.registry import Registry

Declare = Callable[[Environment, Case], Iterable[Check]]
OWN_TITLE = "Further checks"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckGroup:
    """A group of checks: its name, its title in the report, and the function that declares its checks."""

    name: str
    title: str
    declare: Declare

    def __call__(self, environment: Environment, case: Case) -> list[Check]:
        """The checks that an environment and a case declare, each in this group unless it names another."""
        return [
            item if not isinstance(item, Check) or item.group else replace(item, group=self.name)
            for item in self.declare(environment, case)
        ]


CLAIMS = Registry(
    "group of checks",
    group="proofbook.checks",
    own={
        "services": "proofbook.judge.groups.services:service_checks",
        "websocket": "proofbook.judge.groups.websocket:websocket_checks",
        "symptoms": "proofbook.judge.groups.symptoms:symptom_checks",
        "logs": "proofbook.judge.groups.logs:log_checks",
        "stability": "proofbook.judge.groups.stability:stability_checks",
        "deployment": "proofbook.judge.groups.deployment:deployment_checks",
        "contracts": "proofbook.judge.groups.contracts:contract_checks",
    },
    wanted=CheckGroup,
)


def claims(name: str, *, title: str) -> Callable[[Declare], CheckGroup]:
    """A decorator that makes a group of checks of a function from an environment and a case to checks.

    >>> @claims("naming", title="Are things called by their names?")
    ... def naming(environment, case):
    ...     yield from ()
    >>> naming.title
    'Are things called by their names?'
    """
    return lambda declare: CheckGroup(name=name, title=title, declare=declare)


def group_titles() -> dict[str, str]:
    """The title of every group that can be loaded, by its name, in the order in which a report shows them."""
    groups, _ = CLAIMS.usable()
    return {group.name: group.title for group in groups.values()} | {"own": OWN_TITLE}


def declared_by_all(environment: Environment, case: Case) -> dict[str, Check]:
    """Every check by id, ours first; for each extension that cannot be used one check whose finding is that error."""
    groups, problems = CLAIMS.usable()
    checks: dict[str, Check] = {}
    for name, group in groups.items():
        if CLAIMS.is_ours(name):
            checks |= {check.id: check for check in group(environment, case)}
            continue
        try:
            checks |= _of_extension(name, group, environment, case, known=checks)
        except ExtensionError as error:
            problems.append(error)
    for problem in problems:
        check = _unusable(problem, known=checks)
        checks[check.id] = check
    return checks


def _of_extension(
    name: str, group: CheckGroup, environment: Environment, case: Case, *, known: Mapping[str, Check]
) -> dict[str, Check]:
    """The checks of another package by id.

    Raises:
        ExtensionError: it raises, declares what is no check, or declares an id that is taken.
    """
    try:
        declared = group(environment, case)
    # Whatever a function of somebody else raises.
    except Exception as error:
        why = f"declaring its checks raised {type(error).__name__}: {error}"
        raise CLAIMS.failed(name, why) from error
    found: dict[str, Check] = {}
    for check in declared:
        if not isinstance(check, Check):
            raise CLAIMS.failed(name, f"expected a Check, got {type(check).__name__}")
        taken = found.get(check.id) or known.get(check.id)
        if taken is not None:
            by = "itself" if check.id in found else taken.extension or "Proofbook"
            raise CLAIMS.failed(name, f"it declares the check {check.id!r}, which {by} declares already")
        found[check.id] = replace(check, extension=CLAIMS.place(name))
    return found


def is_unusable(check: Check) -> bool:
    """Whether it stands for an extension that cannot be used; no notebook asks for such a check."""
    return isinstance(check.recipe.judge, _Unusable)


@dataclass(frozen=True, slots=True)
class _Unusable:
    """The judge of an extension that cannot be used: always that error."""

    error: ExtensionError

    def __call__(self, view: View) -> Judgement:
        return extension_error(str(self.error))


def extension_error(sentence: str) -> Judgement:
    """The judgement where an extension did not work: an error, which says nothing about the system."""
    return Judgement(verdict=Verdict.ERROR, reason="extension", statement=sentence)


def _unusable(error: ExtensionError, *, known: Mapping[str, Check]) -> Check:
    """A check whose finding names the extension that cannot be used, and where it comes from."""
    base = check_id = f"extension-{re.sub(r'[^a-z0-9]+', '-', error.name.lower()).strip('-')}"
    number = 1
    while check_id in known:
        number += 1
        check_id = f"{base}-{number}"
    return Check(
        id=check_id,
        kind="guard",
        claim=f"the {error.kind} {error.name} can be used",
        group="own",
        recipe=Recipe(judge=_Unusable(error)),
        critical=False,
        extension=error.place,
    )
