"""Copies runs between an object store and this machine.

A process of its own, begun by `object_store`: clients of stores begin threads, and a process that has some cannot be copied,
which is how notebooks are executed. It is told what to do on its standard input, and answers on its standard output.

A run is in the store once its run.json is, which is sent last and removed first.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from proofbook.concurrency import locks
from proofbook.errors import Locked
from proofbook.execution import endings
from proofbook.files import digest, read_json
from proofbook.runs import stored
from proofbook.runs.place import Info, Place, There, is_same, opened, stamp_of, why
from proofbook.runs.stored import DELETED, MANIFEST, RUN, STATE, Mark

# As in `retention`: what says that evidence was removed.
REMOVED = "evidence-removed.json"
LARGE = ("evidence", "notebooks")
# What a mark says while a run is being sent.
SENDING = "sending"
# The tables by which a run tells later ones what it read in a log, and of how many runs; as in `collect.logs.past`.
PAST, MOST_PAST = ("log_rhythm", "log_patterns", "log_sources", "log_matches"), 200
PATIENCE_S = 60.0
BEAT_S = 1.0


class Changed(Exception):
    """Somebody else wrote a run meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of an order. problems: sentences about single runs. ended: the one that ended it. misused: that was known without asking the store."""

    problems: list[str] = field(default_factory=list)
    ended: str = ""
    misused: bool = False


def refresh(place: Place, *, environment: str = "", past: bool = False) -> None:
    """Brings what each run of the store says of itself, and takes away here what the store no longer has.

    What is to be sent from here stays as it is. past: also what earlier runs read in logs, which a run takes into account.
    """
    for name, there in place.listed(environment).items():
        folder = place.here / name
        folder.mkdir(parents=True, exist_ok=True)
        _bring(place, folder, there.runs)
        if past:
            _bring_past(place, folder, there.runs)
        # An environment without any run may be a store that was emptied: then what is here is all there is.
        for path in stored.runs(place.here, name) if there.runs else ():
            if path.name not in there.runs and stored.of(path) is not None and not stored.waits(path):
                with contextlib.suppress(Locked):
                    _delete(path)
        _bring_state(place, folder, there.state)


def _bring(place: Place, folder: Path, runs: Mapping[str, Mapping[str, Info]]) -> None:
    wanted = []
    for run, files in runs.items():
        key = RUN if RUN in files else MANIFEST
        here, known = folder / run, stored.of(folder / run)
        if key in files and not stored.waits(here) and (known is None or known.there != stamp_of(files[key])):
            wanted.append((here, key, stamp_of(files[key])))
    for here, _, _ in wanted:
        here.mkdir(mode=place.mode, exist_ok=True)
    asides = [here / f".{secrets.token_hex(8)}.new" for here, _, _ in wanted]
    try:
        place.get([f"{folder.name}/{here.name}/{key}" for here, key, _ in wanted], asides)
        for (here, key, there), aside in zip(wanted, asides, strict=True):
            # Who writes this run here has what is newer.
            with contextlib.suppress(Locked), locks.held(here):
                if not stored.waits(here):
                    (here / key).parent.mkdir(exist_ok=True)
                    aside.replace(here / key)
                    stored.write(here, Mark(here=stored.stamp(here), there=there, whole=False))
    finally:
        for aside in asides:
            aside.unlink(missing_ok=True)


def _bring_past(place: Place, folder: Path, runs: Mapping[str, Mapping[str, Info]]) -> None:
    read = [run for run in sorted(runs, reverse=True) if any("/log_rhythm." in name for name in runs[run])]
    wanted = [
        f"{run}/{name}"
        for run in read[:MOST_PAST]
        if not stored.is_whole(folder / run)
        for name, info in runs[run].items()
        if name == MANIFEST or (name.startswith("evidence/") and Path(name).stem in PAST)
        # What was brought half has another size.
        if not (folder / run / name).is_file() or (folder / run / name).stat().st_size != info["size"]
    ]
    place.get([f"{folder.name}/{name}" for name in wanted], [folder / name for name in wanted])


def fetch(place: Place, *, run: str) -> None:
    """Brings all of a run, which then takes the place of what was here of it.

    Raises:
        Changed: somebody wrote it meanwhile.
    """
    folder, files = place.here / run, place.of_run(run)
    key = RUN if RUN in files else MANIFEST
    if stored.waits(folder) or key not in files:
        return
    aside = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}{DELETED}")
    try:
        aside.mkdir(parents=True)
        aside.chmod(place.mode)
        place.get([f"{run}/{name}" for name in files], [aside / name for name in files])
        changed = stamp_of(place.of_run(run).get(key, {})) != stamp_of(files[key])
        if changed or any((aside / name).stat().st_size != info["size"] for name, info in files.items()):
            raise Changed(f"run {folder.name} was written by somebody else meanwhile; try again")
        stored.write(aside, Mark(here=stored.stamp(aside), there=stamp_of(files[key])))
        if folder.exists():
            _delete(folder)
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def send(place: Place, *, environment: str = "", runs: Sequence[str] = (), force: bool = False) -> list[str]:
    """Sends the runs that wait, of one environment or of all, or only those named; gives a sentence for each that cannot be.

    What is being written by another process is sent by that one. force: also over what somebody else wrote meanwhile.
    """
    problems = []
    for folder in [place.here / run for run in runs] or list(stored.runs(place.here, environment)):
        if stored.waits(folder) or (force and stored.stamp(folder)):
            try:
                with locks.held(folder):
                    _send(place, folder, force=force)
            except Changed as error:
                problems.append(str(error))
            except Locked:
                continue
    for folder in [place.here / environment] if environment else stored.folders(place.here):
        if folder.is_dir():
            _send_state(place, folder)
    return problems


def _send(place: Place, folder: Path, *, force: bool) -> None:
    run, files = f"{folder.parent.name}/{folder.name}", list(_to_be_sent(folder))
    here, there, known = stored.stamp(folder), place.of_run(run), stored.of(folder)
    key = RUN if RUN in there else MANIFEST
    ours = key not in there or (
        known is not None
        # Where this machine had begun to send, run.json is gone until it ends.
        and (known.there == stamp_of(there[key]) or (known.here == SENDING and key != RUN))
    )
    if not (ours or force or ((folder / key).is_file() and place.holds(f"{run}/{key}", folder / key))):
        raise Changed(
            f"run {folder.name} in the store was written by somebody else since it was copied here; to keep theirs delete the folder, to keep this one: proofbook push {folder.name} --force"
        )
    stored.write(folder, Mark(here=SENDING, there=known.there if known else "", whole=known is None or known.whole))  # fmt: skip
    last = [name for name in (MANIFEST, RUN) if name in files]
    new = [name for name in files if name not in last and not is_same(there.get(name), folder / name)]
    old = [name for name in there if name not in files] if known is None or known.whole else []
    if RUN in there and (new or old or not is_same(there.get(MANIFEST), folder / MANIFEST)):
        place.remove([f"{run}/{RUN}"])
    place.put([folder / name for name in new], [f"{run}/{name}" for name in new])
    for name in last:
        place.put([folder / name], [f"{run}/{name}"])
    place.remove([f"{run}/{name}" for name in old])
    stored.write(folder, Mark(here=here, there=stamp_of(place.of_run(run).get(last[-1], {}))))


def _to_be_sent(folder: Path) -> Iterator[str]:
    """The files of a run that others may see, by their names in it.

    Of a run that did not end, none that the search for secrets has not seen; of one in which it found any, only what says so.
    """
    try:
        content = read_json(folder / RUN)
    except (OSError, ValueError):
        content = {}
    about = content if isinstance(content, Mapping) else {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not path.is_file() or any(part.startswith(".") for part in name.split("/")):
            continue
        is_recorded = about.get("reason") != "secret-found" and name.startswith(("evidence/", "inputs/"))
        if name == RUN or about.get("ended") or is_recorded:
            yield name


def remove(place: Place, *, runs: Sequence[str], evidence: Sequence[str], removed: str) -> None:
    """Removes runs from the store, and of others evidence and executed notebooks. removed: what then says so, as the text of a file."""
    there = {
        f"{name}/{run}": files
        for name in {run.partition("/")[0] for run in (*runs, *evidence)}
        for run, files in place.listed(name).get(name, There()).runs.items()
    }
    for run in runs:
        files = there.get(run, {})
        first = [name for name in (RUN, MANIFEST) if name in files]
        place.remove([f"{run}/{name}" for name in [*first, *(name for name in files if name not in first)]])
    for run in evidence:
        large = [name for name in there.get(run, {}) if name.partition("/")[0] in LARGE]
        if large:
            # Said first: whoever is stopped now leaves a run that says what may be missing.
            place.client.pipe_file(f"{place.root}/{run}/{REMOVED}", removed.encode())
            place.remove([f"{run}/{name}" for name in large])


def _bring_state(place: Place, folder: Path, there: Mapping[str, Info]) -> None:
    with locks.held(folder, patience_s=PATIENCE_S):
        marks, here = stored.of_state(folder), stored.digests(folder)
        for name in STATE:
            known, stamp = marks.get(name), stamp_of(there[name]) if name in there else ""
            if stamp == (known.there if known else "") or here.get(name, "") != (known.here if known else ""):
                continue
            if stamp:
                aside = folder / f".{secrets.token_hex(8)}.new"
                place.get([f"{folder.name}/{name}"], [aside])
                aside.replace(folder / name)
                marks[name] = Mark(here=digest(folder / name), there=stamp)
            else:
                (folder / name).unlink()
                del marks[name]
            stored.write_state(folder, marks)


def _send_state(place: Place, folder: Path) -> None:
    with locks.held(folder, patience_s=PATIENCE_S):
        marks, here = stored.of_state(folder), stored.digests(folder)
        for name in STATE:
            if here.get(name, "") == (marks[name].here if name in marks else ""):
                continue
            if name in here:
                place.put([folder / name], [f"{folder.name}/{name}"])
                marks[name] = Mark(here=here[name], there=place.stamp(f"{folder.name}/{name}"))
            else:
                place.remove([f"{folder.name}/{name}"])
                del marks[name]
            stored.write_state(folder, marks)


def _delete(folder: Path) -> None:
    """Deletes a run here, first under a name that is no run's.

    Raises:
        Locked: it is being written.
    """
    with locks.held(folder):
        aside = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}{DELETED}")
        folder.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


STEPS: Mapping[str, Callable[..., list[str] | None]] = {"refresh": refresh, "fetch": fetch, "send": send, "remove": remove}  # fmt: skip


def main() -> None:
    """Does what is ordered, and prints the answer; before that, empty lines while something moves."""
    order = json.loads(sys.stdin.readline())
    if sys.platform == "linux":
        endings.end_with_parent(order["parent"])
    last = 0.0

    def beat() -> None:
        nonlocal last
        if time.monotonic() - last > BEAT_S:
            last = time.monotonic()
            print(flush=True)

    try:
        place = opened(order["address"], here=Path(order["here"]), mode=order["mode"], alive=beat)
        problems = [line for step in order["steps"] for line in STEPS[step.pop("do")](place, **step) or ()]
        answer = Answer(problems=problems)
    except (Locked, Changed) as error:
        answer = Answer(ended=str(error))
    except Exception as error:
        sentence, known = why(error, order["address"])
        answer = Answer(ended=sentence, misused=known)
    print(json.dumps(asdict(answer)), flush=True)


if __name__ == "__main__":
    main()
