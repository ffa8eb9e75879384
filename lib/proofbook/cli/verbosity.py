"""The options of all commands: `-v` writes the log of the library to stderr, without secrets; `--log-format` says how."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer

from proofbook.cli.app import app

NAME = "proofbook-stderr"


@app.callback()
def common(
    verbose: Annotated[
        int,
        typer.Option(
            "--verbose", "-v", count=True, show_default=False,
            help="Log to stderr: -v for steps and retries, -vv for every request.",
        ),
    ] = 0,
    log_format: Annotated[
        Literal["text", "json"],
        typer.Option("--log-format", help="Lines on stderr: text, or JSON with time, run, environment, phase, notebook."),
    ] = "text",
) -> None:  # fmt: skip
    """Sets up what all commands share."""
    # Late, so that help is there at once.
    from proofbook.redaction import log_lines

    log_lines.use(log_format)
    if verbose or log_format == "json":
        log_to_stderr(debug=verbose > 1, as_json=log_format == "json")


def log_to_stderr(*, debug: bool, as_json: bool = False) -> None:
    """Writes the library's log records to stderr from now on: INFO and above, DEBUG too if wanted."""
    # Late: most commands log nothing.
    import logging

    from proofbook.redaction import log_lines
    from proofbook.redaction.log_filter import RedactingFilter

    logger = logging.getLogger("proofbook")
    for earlier in [handler for handler in logger.handlers if handler.name == NAME]:
        logger.removeHandler(earlier)
    handler = logging.StreamHandler(sys.stderr)
    handler.name = NAME
    text = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(log_lines.JsonLines() if as_json else text)
    handler.addFilter(RedactingFilter())
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if debug else logging.INFO)
