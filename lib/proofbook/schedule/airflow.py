"""A DAG for Airflow."""

from __future__ import annotations

import re

from proofbook.schedule.plan import Plan

DAG = """# {title}. Put this file into the folder of your DAGs; it takes Airflow 2 and 3.
{secrets}# To hear when no run came, elsewhere: {due}

import datetime as dt

try:
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG
    from airflow.operators.bash import BashOperator

with DAG(
    dag_id={dag_id!r},
    schedule=dt.timedelta(seconds={every_s}),
    start_date=dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=dt.timedelta(seconds={every_s}),
    # Never tried again: a check that is repeated until it passes proves nothing.
    default_args={{"retries": 0}},
):
    BashOperator(
        task_id="run",
        bash_command={command!r},
        cwd={folder!r},
        env={variables!r},
        append_env=True,
        # Inconclusive is neither a success nor a failure.
        skip_on_exit_code=3,
    )
"""


def text(plan: Plan) -> str:
    """The file of a DAG with one task."""
    named = ", ".join(plan.secrets)
    return DAG.format(
        title=plan.title,
        secrets=f"# The environment of the worker has to set {named}.\n" if named else "",
        due=plan.command(plan.due(here=True)),
        dag_id=plan.name,
        every_s=plan.every_s,
        # Airflow takes a text that ends with .sh for the name of a template.
        command=f"{_literal(plan.command(plan.run(here=True)))} ",
        folder=_literal(str(plan.folder)),
        variables={name: _literal(value) for name, value in plan.variables},
    )


def _literal(text: str) -> str:
    """A text as Airflow's templates leave it; they would fill in what looks like one of theirs."""
    return f"{{% raw %}}{text}{{% endraw %}}" if re.search(r"\{[{%#]", text) else text
