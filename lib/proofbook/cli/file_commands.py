"""Commands on files alone, without network: check, explain, schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from proofbook import paths
from proofbook.cli.app import AsJson, Environment, app, console, plain
from proofbook.registry import unusable_extensions

if TYPE_CHECKING:
    from proofbook.config import environment as environments
    from proofbook.validation import Validation

WARNINGS = ("not measured", "missing secret", "unusable")

CaseArgument = Annotated[
    str,
    typer.Argument(metavar="CASE", help="Case: a name, or a TOML file. Default: the environment's own case."),
]


@app.command()
def check(env: Environment, case: CaseArgument = "", as_json: AsJson = False) -> None:
    """Check an environment and a case, and list the checks of a run. No network."""
    from proofbook.validation import Validation

    base = paths.root()
    asked = Validation.load(env, case, base=base)
    where = asked.environment
    missing = [str(item) for item in where.secrets() if not item.is_there(paths.home(base))]
    if as_json:
        told = {
            "environment": where.name,
            "case": asked.case.name,
            "checks": {name: item.claim for name, item in asked.checks.items()},
            "not_measured": asked.not_measured,
            "absent_secrets": missing,
            "unusable_extensions": [str(error) for error in unusable_extensions()],
        }
        print(json.dumps(told, indent=2))
        return
    out = console()
    for status, words in _lines_of_check(asked, missing):
        shown = f"{status:<15} {plain(words)}"
        out.print(f"[yellow]{shown}[/]" if status in WARNINGS else shown, soft_wrap=True)


def _lines_of_check(asked: Validation, missing: list[str]) -> Iterator[tuple[str, str]]:
    """The lines of `proofbook check`: a status, and the words after it."""
    yield "ok", f"{asked.environment.name}: {_counted(asked.environment)}"
    for line in _origins(asked)[:1]:
        yield "ok", line
    yield "ok", f"{asked.case.name}: {asked.case.title}" if asked.case.name else "no case"
    for name, item in asked.checks.items():
        yield "required" if item.required else "optional", f"{name}: {item.claim}"
    for gap in asked.not_measured:
        yield "not measured", gap
    for name in missing:
        yield "missing secret", name
    for error in unusable_extensions():
        yield "unusable", str(error)


@app.command()
def explain(env: Environment, case: CaseArgument = "") -> None:
    """Show an environment and a case with all defaults, and the plan of a run. No network."""
    from proofbook.collect import planning
    from proofbook.config.toml import as_toml
    from proofbook.validation import Validation

    asked = Validation.load(env, case, base=paths.root())
    where, what = asked.environment, asked.case
    print(f"# {where.name}, with defaults\n{as_toml(where.in_full())}")
    for line in _origins(asked):
        print(f"# {line}")
    print(f"# {what.name or 'no case'}\n{as_toml(what)}")
    print("# The plan of: proofbook run ENV")
    for line in planning.describe_plan(where, what, "after"):
        print(f"# {line}")


@app.command()
def schema(
    of: Annotated[
        Literal["run", "environment", "case"],
        typer.Argument(metavar="KIND", help="Kind of file: run, environment or case."),
    ] = "run",
) -> None:
    """Print the JSON Schema of run.json, of environment files or of case files."""
    from proofbook.config.case import Case
    from proofbook.config.environment import Environment
    from proofbook.runs import record

    schemas = {
        "run": record.schema,
        "environment": Environment.schema_of_files,
        "case": Case.schema_of_files,
    }
    print(json.dumps(schemas[of](), indent=2))


def _origins(asked: Validation) -> list[str]:
    """What an environment extends, then where each of its values comes from; nothing for one that extends none."""
    from proofbook.config import layers

    if asked.environment_file is None:
        return []
    found = layers.read(asked.environment_file)
    own, *others = map(paths.shown, found.files)
    if not others:
        return []
    count = sum(file == found.files[0] for file in found.origins.values())
    return [
        f"{own} extends {', '.join(others)}; {count} of {len(found.origins)} values are its own",
        *(
            f"{key}: {paths.shown(file)}{f', in place of {paths.shown(found.replaced[key])}' if key in found.replaced else ''}"
            for key, file in sorted(found.origins.items())
        ),
    ]


def _counted(where: environments.Environment) -> str:
    """How many services, endpoints and logs an environment has, in words."""
    counts = {
        "service": len(where.services),
        "WebSocket endpoint": len(where.websockets),
        "log": len(where.logs),
        "probe": len(where.probes),
    }
    return (
        ", ".join(f"{count} {name}{'' if count == 1 else 's'}" for name, count in counts.items() if count)
        or "nothing"
    )
