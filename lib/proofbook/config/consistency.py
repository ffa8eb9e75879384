"""Cross-validation of an environment and a case, each of which is valid by itself."""

from __future__ import annotations

import datetime as dt
import difflib
import fnmatch
from collections.abc import Iterator, Sequence

from proofbook.config import json_schema
from proofbook.config.case import Case, Indicator
from proofbook.config.environment import Environment
from proofbook.config.fixes import Fix, Symptom
from proofbook.errors import ConfigurationError


def check_names(environment: Environment, case: Case) -> None:
    """The case and the environment must speak of the same logs and endpoints.

    Raises:
        ConfigurationError: the case names one that the environment does not have.
    """
    problems = [
        problem
        for key, symptom in _signatures(case)
        for problem in _names_problems(key, symptom, environment)
    ]
    if problems:
        raise ConfigurationError(f"cases/{case.name}.toml", problems)


def _names_problems(
    key: str, symptom: Symptom | Indicator, environment: Environment
) -> Iterator[tuple[str, str]]:
    """What a symptom or an indicator names and the environment does not have."""
    sources = sorted(source.name for source in environment.logs)
    endpoints = sorted(socket.name for socket in environment.websockets)
    if symptom.pattern and not sources:
        yield key, _none_there(environment, "log")
    elif symptom.source is not None and symptom.source not in sources:
        yield f"{key}.source", _another(environment, "log", sources, symptom.source)
    if not isinstance(symptom, Symptom):
        return
    if (symptom.close_code is not None or symptom.refused_user is not None) and not endpoints:
        yield key, _none_there(environment, "websocket")
    if symptom.websocket is not None and symptom.websocket not in endpoints:
        yield f"{key}.websocket", _another(environment, "websocket", endpoints, symptom.websocket)


def _none_there(environment: Environment, kind: str) -> str:
    return f"expected environment {environment.name} to have a [[{kind}]], it has none; add one or leave this out"


def _another(environment: Environment, kind: str, names: Sequence[str], got: str) -> str:
    return f"expected a {kind} of environment {environment.name} ({', '.join(names)}), got {got!r}"


def check_findings(case: Case, known: Sequence[str]) -> None:
    """An impact or a risk that names no finding of this run would stay unproven for ever, by a typing mistake.

    Raises:
        ConfigurationError: it names one that is not among the `known` ids.
    """
    named = [(f"impact[{index}]", name) for index, item in enumerate(case.impacts) for name in item.findings]
    named += [
        (f"risk[{index}]", name)
        for index, item in enumerate(case.risks)
        for name in [*item.findings, *item.voids]
    ]
    problems = [
        (key, f"expected the id of a finding, got {name!r}; {_near(name, known)}")
        for key, name in named
        if not fnmatch.filter(known, name)
    ]
    if problems:
        raise ConfigurationError(f"cases/{case.name}.toml", problems)


def check_schemas(case: Case) -> None:
    """The message schemas that the case names are JSON Schemas.

    Raises:
        ConfigurationError: one is not.
    """
    problems = [
        (f"message[{index}].schema", f"expected a JSON Schema in {message.json_schema}, got: {problem}")
        for index, message in enumerate(case.messages)
        if (problem := json_schema.schema_problem(case.schemas[message.json_schema]))
    ]
    if problems:
        raise ConfigurationError(f"cases/{case.name}.toml", problems)


def check_deployed(case: Case, *, now: dt.datetime) -> None:
    """What comes after a deployment can only be recorded once it is over.

    Raises:
        ConfigurationError: the time that the case states lies in the future.
    """
    stated = case.deployment.time
    if stated is not None and stated > now:
        wanted = f"expected a time that is over, got {stated.isoformat()}, and it is {now:%Y-%m-%dT%H:%M:%SZ}; record what is before it with: proofbook collect ENV --phase before"
        raise ConfigurationError(f"cases/{case.name}.toml", [("deployment.time", wanted)])


def _signatures(case: Case) -> Iterator[tuple[str, Symptom | Indicator]]:
    def place(fix: Fix, index: int) -> str:
        return f"fix {fix.id!r}: symptom[{index}]"

    yield from (
        (place(fix, index), symptom) for fix in case.fixes for index, symptom in enumerate(fix.symptoms)
    )
    yield from ((f"indicator {indicator.id!r}", indicator) for indicator in case.indicators)


def _near(name: str, known: Sequence[str]) -> str:
    found = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {found[0]!r}?" if found else "see: proofbook show RUN"
