"""The option of all commands: `-v` writes the log of the library to stderr, without secrets."""

from __future__ import annotations

import sys
from typing import Annotated

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
) -> None:  # fmt: skip
    """Sets up what all commands share."""
    if verbose:
        log_to_stderr(debug=verbose > 1)


def log_to_stderr(*, debug: bool) -> None:
    """Writes the library's log records to stderr from now on: INFO and above, DEBUG too if wanted."""
    # Late: most commands log nothing.
    import logging

    from proofbook.redaction.log_filter import RedactingFilter

    logger = logging.getLogger("proofbook")
    for earlier in [handler for handler in logger.handlers if handler.name == NAME]:
        logger.removeHandler(earlier)
    handler = logging.StreamHandler(sys.stderr)
    handler.name = NAME
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(RedactingFilter())
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if debug else logging.INFO)
