"""The results of a command over one or more environments, and the exit code of the whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

import typer

from proofbook.errors import EXIT_CODES, EXIT_LOCKED, EXIT_USAGE, ProofbookError, UsageError
from proofbook.runs import unexpected

if TYPE_CHECKING:
    from proofbook.runs.record import JsonObject, RunRecord

# From best to worst: something wrong outweighs what could not be run, that what could not be started, and that what stayed open.
WORST = (EXIT_CODES["pass"], EXIT_CODES["inconclusive"], EXIT_USAGE, EXIT_LOCKED, EXIT_CODES["error"], EXIT_CODES["fail"])  # fmt: skip

Prepared = TypeVar("Prepared")
Done = TypeVar("Done")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one environment: its run as JSON, or the sentence of what prevented it."""

    content: JsonObject
    exit_code: int

    @classmethod
    def of(cls, folder: Path, found: RunRecord) -> Result:
        return cls(
            content={"folder": str(folder), **found.to_json()}, exit_code=EXIT_CODES[found.verdict.value]
        )

    @classmethod
    def of_error(cls, environment: str, error: ProofbookError) -> Result:
        content: JsonObject = {
            "environment": environment,
            "verdict": "error",
            "reason": error.reason,
            "sentence": str(error),
        }
        return cls(content=content, exit_code=error.exit_code)


def of_each(
    environments: Sequence[str],
    prepare: Callable[[str], Prepared],
    execute: Callable[[Prepared], Result],
    *,
    base: Path,
    say: Callable[[str], None],
) -> list[Result]:
    """The result of each environment, in their order; what goes wrong with one costs no other.

    prepare: reads files and asks; all of it is done first, so that what cannot be started is known at once.

    Raises:
        UsageError: there is one environment, and the command or a file of it is wrong.
    """

    attempt = partial(_attempt, alone=len(environments) == 1, base=base, say=say)
    prepared = [attempt(name, partial(prepare, name)) for name in environments]
    return [
        item if isinstance(item, Result) else attempt(name, partial(execute, item))
        for name, item in zip(environments, prepared, strict=True)
    ]


def _attempt(
    environment: str, work: Callable[[], Done], *, alone: bool, base: Path, say: Callable[[str], None]
) -> Done | Result:
    try:
        return work()
    except Exception as error:
        known = error if isinstance(error, ProofbookError) else unexpected.keep(error, base=base)
        if alone and isinstance(known, UsageError):
            raise
        say(str(known) if alone else f"{environment}: {known}")
        return Result.of_error(environment, known)


def end_with_worst(results: Sequence[Result], *, as_json: bool) -> NoReturn:
    """Ends the command with the exit code of the worst result."""
    if as_json:
        print(json.dumps([result.content for result in results], indent=2))
    raise typer.Exit(max((result.exit_code for result in results), key=WORST.index))
