"""The options of `run`, `try`, `collect` and `watch`, with the words of their help."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proofbook.cli.times import BEFORE_NOW, length_s

if TYPE_CHECKING:
    from proofbook.execution.supervisor import Limits

Environments = Annotated[
    list[str] | None,
    typer.Argument(metavar="ENV", help="Environments: names, files, or quoted patterns such as 'eu-*'."),
]
Tags = Annotated[
    list[str] | None,
    typer.Option("--tag", metavar="TAG", help="Only environments with this tag; given twice, with both."),
]
Continue = Annotated[
    str | None,
    typer.Option("--run", metavar="RUN", help="Continue this run: collect missing phases, judge again."),
]
ContinueWatch = Annotated[
    str | None,
    typer.Option("--run", metavar="RUN", help="Continue this watch, or watch a run that has only `before`."),
]
AddTo = Annotated[
    str | None,
    typer.Option("--run", metavar="RUN", help="Add the phase to this run. Default: a new run."),
]
Evidence = Annotated[
    str | None,
    typer.Option("--evidence", metavar="RUN", help="Judge this recorded evidence; collect nothing."),
]
Notebooks = Annotated[
    list[str] | None,
    typer.Option("--notebook", metavar="NAME", help="Execute only this notebook; the run is then partial."),
]
MetricsFile = Annotated[
    str, typer.Option("--metrics", metavar="FILE", help="Write metrics for Prometheus, such as x.prom.")
]
RunTimeout = Annotated[
    str,
    typer.Option(
        "--run-timeout", metavar="DURATION", help="Time limit of one environment: 90s, 30m. Default: none."
    ),
]
TotalTimeout = Annotated[
    str,
    typer.Option(
        "--total-timeout", metavar="DURATION", help="Time limit of the whole command: 30m, 2h. Default: none."
    ),
]
ClusterAddress = Annotated[
    str,
    typer.Option(
        "--cluster", metavar="ADDRESS", help="Dask scheduler whose workers do the runs: tcp://10.0.0.5:8786."
    ),
]
Phase = Annotated[
    str, typer.Option("--phase", metavar="PHASE", help="Phase to record: before, rollout or after.")
]
During = Annotated[
    str | None,
    typer.Option(
        "--during", metavar="COMMAND", help="Deploy command for --phase rollout; probing ends with it."
    ),
]
Every = Annotated[
    str, typer.Option("--every", metavar="DURATION", help="Time between two rounds: 90s, 5m, 1h.")
]
For = Annotated[str, typer.Option("--for", metavar="DURATION", help="Longest duration: 30m, 24h.")]

Url = Annotated[
    str,
    typer.Argument(
        metavar="URL",
        help="Service URL, such as https://api.example.com; include an unusual health path, with its query.",
    ),
]
WebSocketPath = Annotated[str, typer.Option("--ws", metavar="PATH", help="WebSocket path, such as /ws.")]
Dialect = Annotated[
    str,
    typer.Option(
        "--dialect", metavar="NAME", help="How the WebSocket is spoken. Default: as it shows itself."
    ),
]
Headers = Annotated[
    list[str] | None,
    typer.Option(
        "--header", metavar="NAME=VALUE", help="Header of every request; NAME=env:VARIABLE for a secret."
    ),
]
Query = Annotated[
    list[str] | None,
    typer.Option(
        "--query",
        metavar="NAME=VALUE",
        help="Added to the WebSocket's address; NAME=env:VARIABLE for a secret.",
    ),
]
Origin = Annotated[
    str,
    typer.Option(
        "--origin", metavar="URL", help="Origin of the page that connects, such as https://app.example.com."
    ),
]
Subprotocols = Annotated[
    list[str] | None,
    typer.Option("--subprotocol", metavar="NAME", help="Subprotocol that is offered to the WebSocket."),
]
TokenVariable = Annotated[
    str, typer.Option("--token-env", metavar="NAME", help="Environment variable with the access token.")
]
Logs = Annotated[
    str,
    typer.Option(
        "--logs",
        metavar="SOURCE",
        help="Log source: a file, - or a short name such as gcp:PROJECT/SERVICE (proofbook logs --list).",
    ),
]
Gone = Annotated[
    list[str] | None,
    typer.Option(
        "--gone",
        metavar="PATTERN",
        help="Symptom of the defect, expected to be gone: a log pattern or a close code.",
    ),
]
Since = Annotated[
    str,
    typer.Option(
        "--since",
        metavar="TIME",
        help=f"Deployment time of the fix: {BEFORE_NOW}. Default: taken from the log.",
    ),
]
Within = Annotated[
    str,
    typer.Option(
        "--within", metavar="DURATION", help="Time limit of probing: 2m, 10m. More time shows more."
    ),
]
Certificate = Annotated[
    str, typer.Option("--cert", metavar="FILE", help="Certificate that the probes show, as a PEM file.")
]
Key = Annotated[str, typer.Option("--key", metavar="FILE", help="Key of --cert, if it is in another file.")]
ServerName = Annotated[
    str,
    typer.Option(
        "--server-name",
        metavar="NAME",
        help="Name to ask for, if the URL has another, such as an IP address.",
    ),
]
CaFile = Annotated[str, typer.Option("--ca", metavar="FILE", help="Certificate authority as a PEM file.")]


def from_here(path: str) -> str:
    """A path that was typed in the current folder, whole; nothing stays nothing."""
    return str(Path(path).resolve()) if path else ""


def limits(jobs: int, *, run_timeout: str, total_timeout: str) -> Limits:
    """How much of `run` goes on at once, and how long.

    Raises:
        UsageError: a text is no duration.
    """
    from proofbook.execution.supervisor import Limits

    return Limits(
        jobs=jobs,
        run_s=length_s("--run-timeout", run_timeout) if run_timeout else None,
        command_s=length_s("--total-timeout", total_timeout) if total_timeout else None,
    )
