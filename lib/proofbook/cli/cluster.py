"""Runs of a command on the workers of a Dask cluster: prepared here, executed there."""

from __future__ import annotations

import concurrent.futures
import contextlib
import datetime as dt
import os
import secrets
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proofbook import paths
from proofbook.cli.app import say
from proofbook.cli.results import Result
from proofbook.errors import CouldNotLook, UsageError
from proofbook.execution import elsewhere
from proofbook.runs import object_store, record
from proofbook.runs.folders import new_folder

# How long a scheduler may take to answer.
ANSWER_S = 15.0
LOOK_S = 0.5


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A Dask scheduler. words: the options of `run` that its workers get too."""

    address: str
    words: tuple[str, ...]
    base: Path
    command_s: float | None = None

    def results(self, environments: Mapping[int, str]) -> Generator[tuple[int, Result]]:
        """The result of each environment by its number, as they come.

        A run whose worker is lost is continued by another worker, in the same folder. Of a cluster that is lost in the middle,
        what had ended by then is kept.

        Raises:
            CouldNotLook: nobody answers at the address. UsageError: Dask is not installed.
        """
        # For the workers the copy of an object store is a folder like any other; what they write there is sent from here.
        object_store.refresh(base=self.base, anew=True)
        with _client(self.address) as client:
            executor, command = client.get_executor(), secrets.token_hex(8)
            runs: dict[Any, _Begun] = {}
            for number, name in environments.items():
                begun = self._begun(number, name)
                future = executor.submit(
                    elsewhere.run,
                    [begun.path, "--run", begun.folder.name, *self.words],
                    wanted=elsewhere.version(),
                    command=command,
                    variables=self._variables(),
                )
                runs[future] = begun
            try:
                yield from self._done(runs)
            finally:
                _end(client, list(runs), command)

    def _begun(self, number: int, name: str) -> _Begun:
        """A run that is begun now, so that whoever comes second continues it."""
        is_file = name.endswith(".toml")
        stem = Path(name).stem if is_file else name
        folder = new_folder(stem, base=self.base)
        begun = _Begun(number=number, name=name, path=str(Path(name).resolve()) if is_file else name, folder=folder)  # fmt: skip
        record.write_unfinished(
            folder, stem, "", dt.datetime.now(dt.UTC), "unfinished", f"the run did not end; {begun.how_to_go_on}"
        )  # fmt: skip
        return begun

    def _variables(self) -> dict[str, str]:
        named = {"PROOFBOOK_WORKSPACE": str(self.base), "PROOFBOOK_OUTPUTS": str(paths.outputs(self.base))}
        return named if "PROOFBOOK_WORKSPACE" in os.environ or paths.home(self.base) == self.base else {"PROOFBOOK_OUTPUTS": named["PROOFBOOK_OUTPUTS"]}  # fmt: skip

    def _stored(self, result: Result) -> Result:
        """The same, after its run was sent to the object store, where one keeps the runs."""
        try:
            if result.folder is not None:
                object_store.send(base=self.base, environment=result.folder.parent.name)
        except CouldNotLook as error:
            say(str(error))
            return result.not_stored(str(error))
        return result

    def _done(self, runs: Mapping[Any, _Begun]) -> Iterator[tuple[int, Result]]:
        left, over = set(runs), None if self.command_s is None else time.monotonic() + self.command_s
        while left:
            done, left = concurrent.futures.wait(left, timeout=LOOK_S, return_when=concurrent.futures.FIRST_COMPLETED)  # fmt: skip
            for future in done:
                yield runs[future].number, self._stored(self._result(future, runs[future]))
            if over is not None and time.monotonic() > over:
                why = f"the command was not done within {self.command_s:g} s (--total-timeout)"
                yield from ((runs[future].number, runs[future].without_answer(why)) for future in left)
                return

    def _result(self, future: Any, run: _Begun) -> Result:
        try:
            answer = future.result()
        except concurrent.futures.CancelledError:
            # Nobody but us cancels, and Dask itself, once it has lost its scheduler.
            return run.without_answer(f"the cluster at {self.address} was lost before the run had ended")
        except Exception as error:
            return run.without_answer(f"the cluster gave the run up: {type(error).__name__}: {error}")
        if answer.content is None:
            return Result.of_error(run.name, CouldNotLook(answer.refused))
        return Result(content=dict(answer.content), exit_code=answer.exit_code)


@dataclass(frozen=True, kw_only=True)
class _Begun:
    """A run that is begun here. name: its environment as it was typed; path: as a worker finds it."""

    number: int
    name: str
    path: str
    folder: Path

    @property
    def how_to_go_on(self) -> str:
        return f"go on with: proofbook run {self.name} --run {self.folder.name}"

    def without_answer(self, why: str) -> Result:
        """What the run has written if it ended all the same, else why there is nothing."""
        with contextlib.suppress(CouldNotLook):
            found = record.read(self.folder)
            if found.ended:
                return Result.of(self.folder, found)
        return Result.of_error(self.name, CouldNotLook(f"{why}; {self.how_to_go_on}"))


def _end(client: Any, futures: Sequence[Any], command: str) -> None:
    """Ends what is under way for a command; nothing where all of it is done, or the cluster is gone: it has ended what it began."""
    left = [future for future in futures if not future.done()]
    for future in left:
        future.cancel()
    if left and client.status == "running":
        # Of the system, Dask's own among them: the cluster goes at this moment.
        with contextlib.suppress(OSError):
            client.run(elsewhere.end, command, on_error="ignore")


@contextlib.contextmanager
def _client(address: str) -> Iterator[Any]:
    try:
        import dask

        # What it says of a cluster that is gone, in tracebacks, is said here in a sentence.
        dask.config.set({"logging": dict.fromkeys(("distributed", "distributed.client"), "critical")})
        import distributed
    except ImportError:
        raise UsageError("--cluster: expected Dask to be installed, found it is not: pip install 'proofbook[cluster]'") from None  # fmt: skip
    try:
        client: Any = distributed.Client(address, timeout=ANSWER_S, set_as_default=False)  # type: ignore[no-untyped-call]  # it has no types
    except (OSError, ValueError) as error:
        raise CouldNotLook(
            f"--cluster: expected a Dask scheduler at {address}, got no answer within {ANSWER_S:g} s ({type(error).__name__}); start one: dask scheduler"
        ) from None
    try:
        yield client
    finally:
        client.close(timeout=5)


def words_of(given: Mapping[str, object]) -> tuple[str, ...]:
    """Options as they are typed: `{"case": "a", "notebook": ["x", "y"], "yes": True}`; those without a value are left out.

    >>> words_of({"case": "a", "notebook": ["x", "y"], "yes": True, "before": ""})
    ('--case', 'a', '--notebook', 'x', '--notebook', 'y', '--yes')
    """
    words: list[str] = []
    for name, value in given.items():
        option = f"--{name}"
        if value is True:
            words.append(option)
        elif isinstance(value, Sequence) and not isinstance(value, str):
            words += [word for item in value for word in (option, str(item))]
        elif value:
            words += [option, str(value)]
    return tuple(words)
