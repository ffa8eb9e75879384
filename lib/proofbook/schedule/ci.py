"""Files for GitHub Actions and GitLab CI.

A checkout there is new each time, so `outputs/` is carried over as a cache, unless an object store keeps the runs: without it no verdict could change.
"""

from __future__ import annotations

import shlex

from proofbook.collect.fingerprints import FILE as KEY
from proofbook.errors import UsageError
from proofbook.schedule.document import in_yaml
from proofbook.schedule.plan import Plan, cron_times

INSTALL = "pip install --constraint requirements.lock ."
# Of the shell; a scheduler's job fails by what is wrong, and inconclusive is an answer of its own.
CODE = "code=0; {run} || code=$?"
PYTHON = "3.12"
# GitHub starts nothing more often.
GITHUB_MINUTES = 5


def github(plan: Plan) -> str:
    """A workflow for GitHub Actions.

    Raises:
        UsageError: GitHub runs nothing so often.
    """
    if plan.every_s < GITHUB_MINUTES * 60:
        raise UsageError(f"--every: GitHub starts a schedule every {GITHUB_MINUTES} minutes at most, got {plan.every}")  # fmt: skip
    run = shlex.join(["proofbook", *plan.run(here=False)])
    key = f"{plan.name}-${{{{ github.run_id }}}}"
    kept = _kept(plan)
    steps = [
        {"uses": "actions/checkout@v4"},
        {"uses": "actions/setup-python@v5", "with": {"python-version": PYTHON}},
        {"run": _install(plan)},
        *([] if plan.store else [{"uses": "actions/cache/restore@v4", "with": {"path": "outputs", "key": key, "restore-keys": f"{plan.name}-"}}]),
        {"name": "Validate", "run": "\n".join([CODE.format(run=run), 'if [ "$code" -eq 3 ]; then echo "::warning::inconclusive"; exit 0; fi', 'exit "$code"', ""])},
        *([] if plan.store else [{"uses": "actions/cache/save@v4", "if": "always()", "with": {"path": "outputs", "key": key}}]),
        {"uses": "actions/upload-artifact@v4", "if": "always()", "with": {"name": "outputs", "path": f"{kept}\n!{kept}**/{KEY}\n", "retention-days": 7, **({"include-hidden-files": True} if plan.store else {})}},
    ]  # fmt: skip
    job = {
        "runs-on": "ubuntu-latest",
        "timeout-minutes": max(1, plan.every_s // 60),
        **_with("env", {**_stored(plan), **{name: f"${{{{ secrets.{name} }}}}" for name in plan.secrets}}),
        "steps": steps,
    }
    return _yaml(
        plan,
        [
            f".github/workflows/{plan.name}.yml",
            *_secrets(plan, "secrets of the repository"),
            "GitHub starts schedules late and ends them in a repository that nobody touches for 60 days; to hear of that, elsewhere:",
            f"proofbook {shlex.join(plan.due(here=False))}",
        ],
        {
            "name": plan.name,
            # Quoted below: YAML 1.1 takes a bare `on` for true.
            "on": {"schedule": [{"cron": cron_times(plan)}], "workflow_dispatch": {}},
            "permissions": {"contents": "read"},
            "concurrency": {"group": plan.name, "cancel-in-progress": False},
            "jobs": {"validate": job},
        },
    )


def gitlab(plan: Plan) -> str:
    """A job for GitLab CI."""
    job = {
        "image": f"python:{PYTHON}",
        "rules": [{"if": '$CI_PIPELINE_SOURCE == "schedule"'}],
        "resource_group": plan.name,
        "interruptible": False,
        "retry": 0,
        "timeout": f"{max(1, plan.every_s // 60)} minutes",
        **({} if plan.store else {"cache": {"key": plan.name, "paths": ["outputs/"], "when": "always"}}),
        **_with("variables", _stored(plan)),
        "script": [_install(plan), shlex.join(["proofbook", *plan.run(here=False)])],
        "allow_failure": {"exit_codes": [3]},
        "artifacts": {
            "when": "always",
            "paths": [_kept(plan)],
            "exclude": [f"{_kept(plan)}**/{KEY}"],
            "expire_in": "1 week",
        },
    }
    notes = [
        f".gitlab-ci.yml; then, under Build > Pipeline schedules: {cron_times(plan)}",
        *_secrets(plan, "CI/CD variables, masked"),
        "To hear when no pipeline came, elsewhere:",
        f"proofbook {shlex.join(plan.due(here=False))}",
    ]
    return _yaml(plan, notes, {plan.name: job})


def _install(plan: Plan) -> str:
    """What installs Proofbook, with the client of the store."""
    kind = plan.store.partition("://")[0]
    return f"{INSTALL.removesuffix('.')}'.[{kind}]'" if kind not in ("", "file") else INSTALL


def _kept(plan: Plan) -> str:
    """The folder in which runs are found afterwards, sent to a store or not."""
    return ".outputs/" if plan.store else "outputs/"


def _stored(plan: Plan) -> dict[str, str]:
    return {"PROOFBOOK_OUTPUTS": plan.store} if plan.store else {}


def _secrets(plan: Plan, where: str) -> list[str]:
    return [f"{where[0].upper()}{where[1:]}: {', '.join(plan.secrets)}"] if plan.secrets else []


def _with(key: str, value: dict[str, str]) -> dict[str, dict[str, str]]:
    return {key: value} if value else {}


def _yaml(plan: Plan, notes: list[str], content: dict[str, object]) -> str:
    return in_yaml([plan.title, *notes], content)
