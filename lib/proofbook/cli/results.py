"""The results of a command over one or more environments, and the exit code of the whole."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

import typer

from proofbook import paths
from proofbook.cli.progress import Progress
from proofbook.errors import EXIT_CODES, EXIT_LOCKED, EXIT_USAGE, CouldNotLook, ProofbookError, UsageError
from proofbook.redaction.scrubbing import for_others
from proofbook.runs import unexpected

if TYPE_CHECKING:
    from proofbook.cli.cluster import Cluster
    from proofbook.execution.executor import Orders
    from proofbook.execution.supervisor import Client, Limits
    from proofbook.report.junit import InconclusiveAs
    from proofbook.runs.json_reader import JsonObject
    from proofbook.runs.record import RunRecord

# From best to worst: something wrong outweighs what could not be run, that what could not be started, and that what stayed open.
WORST = (EXIT_CODES["pass"], EXIT_CODES["inconclusive"], EXIT_USAGE, EXIT_LOCKED, EXIT_CODES["error"], EXIT_CODES["fail"])  # fmt: skip

Prepared = TypeVar("Prepared")
Done = TypeVar("Done")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one environment: its run as JSON, or the sentence of what prevented it.

    folder: of the run, where there is one. misused: the command or a file is wrong.
    """

    content: JsonObject
    exit_code: int
    misused: bool = False

    @property
    def folder(self) -> Path | None:
        return Path(str(self.content["folder"])) if "folder" in self.content else None

    @property
    def reason(self) -> str:
        return str(self.content["reason"])

    @classmethod
    def of(cls, folder: Path, found: RunRecord) -> Result:
        return cls(
            content={"folder": str(folder), **found.to_json()}, exit_code=EXIT_CODES[found.verdict.value]
        )

    def not_stored(self, why: str) -> Result:
        """The same of a run that is not in the object store: an error, which only a failure outweighs. Itself where it is."""
        if not why:
            return self
        worse = max(self.exit_code, EXIT_CODES["error"], key=WORST.index)
        return replace(self, content={**self.content, "not_stored": why}, exit_code=worse)

    @classmethod
    def of_error(cls, environment: str, error: ProofbookError) -> Result:
        content: JsonObject = {
            "environment": environment,
            "verdict": "error",
            "reason": error.reason,
            "sentence": str(error),
        }
        return cls(content=content, exit_code=error.exit_code, misused=isinstance(error, UsageError))


@dataclass(frozen=True, slots=True, kw_only=True)
class Many:
    """The environments of a command, each in a process of its own where those can be copied.

    loads_first: whether their notebooks are all that there is to do. cluster: does them instead of this machine.
    """

    base: Path
    limits: Limits
    as_json: bool = False
    loads_first: bool = True
    cluster: Cluster | None = None

    def results(
        self,
        environments: Sequence[str],
        prepare: Callable[[str], Prepared],
        execute: Callable[[Prepared, Orders | None, Callable[[str], None]], Result],
    ) -> list[Result]:
        """The result of each environment, in their order; what goes wrong with one costs no other.

        prepare: reads files and asks; all of it is done first, so that what cannot be started is known at once.

        Raises:
            UsageError: there is one environment, and the command or a file of it is wrong.
        """
        progress = Progress(environments)
        found: dict[int, Result] = {}
        ready: dict[int, Prepared] = {}
        for number, name in enumerate(environments):
            came = _attempt(name, partial(prepare, name), base=self.base)
            if isinstance(came, Result):
                self._keep(found, number, came, progress)
            else:
                ready[number] = came
        with contextlib.closing(self._executed(environments, ready, execute, progress)) as done:
            for number, result in done:
                self._keep(found, number, result, progress)
        progress.end()
        return [found[number] for number in range(len(environments))]

    def _keep(self, found: dict[int, Result], number: int, result: Result, progress: Progress) -> None:
        if result.misused and len(progress.names) == 1:
            misused = UsageError(str(result.content["sentence"]))
            misused.exit_code = result.exit_code
            raise misused
        found[number] = result
        progress.done(number)
        if result.folder is None:
            progress.say(number, str(result.content["sentence"]), separator=": ")
        elif not self.as_json:
            from proofbook.cli.app import print_result
            from proofbook.runs import record

            progress.clear()
            print_result(result.folder, record.RunRecord.from_json(result.content))

    def _executed(
        self,
        environments: Sequence[str],
        ready: dict[int, Prepared],
        execute: Callable[[Prepared, Orders | None, Callable[[str], None]], Result],
        progress: Progress,
    ) -> Generator[tuple[int, Result]]:
        from proofbook.execution import supervisor

        names = {number: environments[number] for number in ready}
        if self.cluster is not None:
            yield from self.cluster.results(names)
            return
        if not supervisor.CAN_COPY:
            for number, item in ready.items():
                alone = partial(execute, item, None, partial(progress.say, number))
                yield number, _attempt(names[number], alone, base=self.base)
            return

        def work(number: int, client: Client) -> JsonObject:
            here = partial(execute, ready[number], client, client.say)
            return asdict(_attempt(names[number], here, base=self.base))

        tasks = {supervisor.Task(name=environments[number], work=partial(work, number)): number for number in ready}  # fmt: skip
        events = supervisor.run(
            list(tasks), limits=self.limits, load_first=self.loads_first, load_more=_load_the_rest
        )
        with contextlib.closing(events):
            for event in events:
                number = tasks[event.task]
                if event.what == "done":
                    yield number, Result(**event.result)
                elif event.what == "lost":
                    yield number, Result.of_error(event.task.name, CouldNotLook(event.text))
                else:
                    progress.tell(number, event.what, event.text)


def _load_the_rest() -> None:
    """Loads what an environment's process needs beside its notebooks."""
    from proofbook.pipeline import afterwards, validate  # noqa: F401  # to be loaded
    from proofbook.report import writer

    writer.load()


def _attempt(environment: str, work: Callable[[], Done], *, base: Path) -> Done | Result:
    try:
        return work()
    except Exception as error:
        known = error if isinstance(error, ProofbookError) else unexpected.keep(error, base=base)
        return Result.of_error(environment, known)


def write_all(
    found: Mapping[str, Result], *, base: Path, inconclusive_as: InconclusiveAs, say: Callable[[str], None]
) -> None:
    """Writes the page, summary and JUnit XML of all environments; a problem there is printed and changes no verdict.

    Nothing where not one has a run: then nothing was touched.
    """
    from proofbook.report import markdown, matrix
    from proofbook.runs.record import RunRecord

    ended = [
        matrix.Ended(
            environment=Path(name).stem if name.endswith(".toml") else name,
            sentence=for_others(str(item.content["sentence"])),
            reason=item.reason,
            run=RunRecord.from_json(item.content) if item.folder else None,
            folder=item.folder,
        )
        for name, item in found.items()
    ]
    outputs = paths.outputs(base)
    if not any(one.run for one in ended):
        return
    try:
        page = matrix.write(outputs, ended, inconclusive_as=inconclusive_as)
        markdown.add_to_job_summary((outputs / matrix.SUMMARY).read_text(encoding="utf-8"))
    except Exception as error:
        say(str(unexpected.keep(error, base=base)))
        return
    say(f"{matrix.in_words(ended)}; all of them: {paths.shown(page)}")


def end_with_worst(results: Sequence[Result], *, as_json: bool) -> NoReturn:
    """Ends the command with the exit code of the worst result."""
    if as_json:
        print(json.dumps([result.content for result in results], indent=2))
    raise typer.Exit(max((result.exit_code for result in results), key=WORST.index))
