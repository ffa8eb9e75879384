"""The environments of a command on the workers of a cluster: each a run that is begun here and done there."""

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

# How long a scheduler may take to answer, at the start and after it was lost.
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

        A run whose worker is lost is continued by another worker, in the same folder.

        Raises:
            CouldNotLook: nobody answers at the address. UsageError: Dask is not installed.
        """
        # For the workers the copy of an object store is a folder like any other; what they write there is sent from here.
        object_store.refresh(base=self.base, anew=True)
        with _client(self.address) as client:
            executor, command = client.get_executor(), secrets.token_hex(8)
            futures = {
                executor.submit(
                    elsewhere.run,
                    self._words(name),
                    wanted=elsewhere.version(),
                    command=command,
                    variables=self._variables(),
                ): number
                for number, name in environments.items()
            }
            try:
                yield from self._done(client, futures, environments)
            finally:
                for future in futures:
                    future.cancel()
                with contextlib.suppress(Exception):  # whoever is gone has ended what it began
                    client.run(elsewhere.end, command)

    def _words(self, name: str) -> list[str]:
        """What is typed on the worker: this environment, and a run that is begun now, so that who comes second continues it."""
        stem = Path(name).stem if name.endswith(".toml") else name
        folder = new_folder(stem, base=self.base)
        record.write_unfinished(
            folder, stem, "", dt.datetime.now(dt.UTC), "unfinished", f"the run did not end; go on with: proofbook run {name} --run {folder.name}"
        )  # fmt: skip
        path = str(Path(name).resolve()) if name.endswith(".toml") else name
        return [path, "--run", folder.name, *self.words]

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

    def _done(
        self, client: Any, futures: Mapping[Any, int], environments: Mapping[int, str]
    ) -> Iterator[tuple[int, Result]]:
        left, over = set(futures), None if self.command_s is None else time.monotonic() + self.command_s
        answered = time.monotonic()
        while left:
            done, left = concurrent.futures.wait(left, timeout=LOOK_S, return_when=concurrent.futures.FIRST_COMPLETED)  # fmt: skip
            for future in done:
                yield futures[future], self._stored(_result(future, environments[futures[future]]))
            now = time.monotonic()
            answered = now if client.status == "running" else answered
            why = (
                f"the command was not done within {self.command_s:g} s (--total-timeout)"
                if over is not None and now > over
                else f"the cluster at {self.address} was lost"
                if now - answered > ANSWER_S
                else ""
            )
            if why:
                yield from ((futures[item], Result.of_error(environments[futures[item]], CouldNotLook(why))) for item in left)  # fmt: skip
                return


def _result(future: Any, environment: str) -> Result:
    try:
        answer = future.result()
    except (concurrent.futures.CancelledError, Exception) as error:
        return Result.of_error(environment, CouldNotLook(f"the cluster gave the run up: {type(error).__name__}: {error}"))  # fmt: skip
    if answer.content is None:
        return Result.of_error(environment, CouldNotLook(answer.refused))
    return Result(content=dict(answer.content), exit_code=answer.exit_code)


@contextlib.contextmanager
def _client(address: str) -> Iterator[Any]:
    try:
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
