"""Commands about files alone: are they right, what do they mean, what may they say. Nothing here touches the network."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import typer

from proofbook import paths
from proofbook.cli.app import AsJson, Environment, app, console, plain

CaseArgument = Annotated[
    str,
    typer.Argument(
        metavar="[CASE]", help="Case: a name, or a TOML file. Default: the environment's own, or none."
    ),
]


@app.command()
def check(env: Environment, case: CaseArgument = "", as_json: AsJson = False) -> None:
    """Say whether an environment and a case can be used, and what a run of them owes. Nothing is asked over the network."""
    from proofbook.validation import Validation

    base = paths.root()
    asked = Validation.load(env, case, base=base)
    where, what, declared = asked.environment, asked.case, asked.checks
    absent = [str(reference) for reference in where.secrets() if not reference.is_there(paths.home(base))]
    gaps = asked.not_measured
    if as_json:
        told = {
            "environment": where.name,
            "case": what.name,
            "checks": {name: item.claim for name, item in declared.items()},
            "not_measured": gaps,
            "absent_secrets": absent,
        }
        print(json.dumps(told, indent=2))
        return
    out = console()
    out.print(f"right      {where.name}: {_counted(where)}")
    out.print(f"right      {what.name or 'no case'}: {plain(what.title)}", soft_wrap=True)
    for name, item in declared.items():
        out.print(f"{'owed' if item.required else 'judged':<10} {name}: {plain(item.claim)}", soft_wrap=True)
    for gap in gaps:
        out.print(f"[yellow]not known[/]  {plain(gap)}", soft_wrap=True)
    for name in absent:
        out.print(f"[yellow]absent[/]     a secret: {plain(name)}", soft_wrap=True)


@app.command()
def explain(env: Environment, case: CaseArgument = "") -> None:
    """Show everything that an environment and a case say, with what they leave to the defaults, and the plan."""
    from proofbook.collect import planning
    from proofbook.config.toml import as_toml
    from proofbook.validation import Validation

    asked = Validation.load(env, case, base=paths.root())
    where, what = asked.environment, asked.case
    print(f"# {where.name}: what is not in the file says so\n{as_toml(where.in_full())}")
    print(f"# {what.name or 'no case'}\n{as_toml(what)}")
    print("# The plan of: proofbook run ENV")
    for line in planning.describe_plan(where, what, "after"):
        print(f"# {line}")


@app.command()
def schema(
    of: Annotated[
        Literal["run", "environment", "case"],
        typer.Argument(help="run.json, or the files that editors complete."),
    ] = "run",
) -> None:
    """Print a JSON Schema: of run.json, or of environment and case files."""
    from proofbook.config.case import Case
    from proofbook.config.environment import Environment
    from proofbook.runs import record

    found: dict[str, Any] = (
        Environment.schema_of_files()
        if of == "environment"
        else Case.schema_of_files()
        if of == "case"
        else record.schema()
    )
    print(json.dumps(found, indent=2))


def _counted(where: Any) -> str:
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
