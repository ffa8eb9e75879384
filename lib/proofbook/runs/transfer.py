"""Copies runs between an object store and this machine.

A process of its own, begun by `object_store`: clients of stores begin threads, and a process that has some cannot be copied,
which is how notebooks are executed. It is told what to do on its standard input, and answers on its standard output.

A run is in the store once its run.json is, which is sent last and removed first.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from proofbook import paths
from proofbook.concurrency import locks
from proofbook.errors import Locked
from proofbook.execution import endings
from proofbook.files import digest, read_json
from proofbook.runs import stored
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
# Clients wait for minutes, and try again for as long; `object_store` gives up sooner than that.
PATIENT: Mapping[str, Mapping[str, Any]] = {
    "s3": {
        "config_kwargs": {
            "connect_timeout": 5,
            "read_timeout": 30,
            "retries": {"max_attempts": 2, "mode": "standard"},
        }
    },
    "file": {"auto_mkdir": True},
}

Info = Mapping[str, Any]


class Changed(Exception):
    """Somebody else wrote a run meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of an order. problems: sentences about single runs. ended: the one that ended it. misused: that was known without asking the store."""

    problems: list[str] = field(default_factory=list)
    ended: str = ""
    misused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class There:
    """What the store has of an environment: of each run its files, and the files beside them, with what is known of each."""

    runs: dict[str, dict[str, Info]] = field(default_factory=dict)
    state: dict[str, Info] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A store, and the folder here that is the copy of it.

    client: a file system of fsspec. root: the address in it. mode: permissions of a run's folder. alive: told that something moves.
    """

    client: Any
    root: str
    here: Path
    mode: int = 0o700
    alive: Callable[[], None] = lambda: None

    def listed(self, under: str = "") -> dict[str, There]:
        """What the store has, by environment. under: of one environment, or of one run as `ENVIRONMENT/RUN`."""
        place = f"{self.root}/{under}".rstrip("/")
        found: dict[str, There] = {}
        for path, info in self.client.find(place, detail=True).items():
            parts = path.removeprefix(self.root).strip("/").split("/")
            # What was put there by others may be called anything.
            if not all(map(paths.is_name, parts[:2])) or info.get("type") != "file":
                continue
            if len(parts) > 2 and not any(part.startswith(".") or not part for part in parts):
                there = found.setdefault(parts[0], There())
                there.runs.setdefault(parts[1], {})["/".join(parts[2:])] = info
            elif len(parts) == 2 and parts[1] in STATE:
                found.setdefault(parts[0], There()).state[parts[1]] = info
        self.alive()
        return found

    def of_run(self, run: str) -> dict[str, Info]:
        """What the store has of a run, which is named as `ENVIRONMENT/RUN`."""
        environment, _, name = run.partition("/")
        return self.listed(run).get(environment, There()).runs.get(name, {})

    def put(self, files: Sequence[Path], to: Sequence[str]) -> None:
        """Writes files to these places in the store."""
        if files:
            self.client.put([str(path) for path in files], [f"{self.root}/{name}" for name in to], callback=self._callback())  # fmt: skip

    def get(self, files: Sequence[str], to: Sequence[Path]) -> None:
        """Writes files of the store to these places here."""
        if files:
            self.client.get([f"{self.root}/{name}" for name in files], [str(path) for path in to], callback=self._callback())  # fmt: skip

    def stamp(self, name: str) -> str:
        """What a file beside the runs of an environment is known by now, as a list of files has it: asked for alone, some clients tell the same in other words."""
        folder = f"{self.root}/{name}".rpartition("/")[0]
        listed = {info["name"].rpartition("/")[2]: info for info in self.client.ls(folder, detail=True)}
        return _stamp(listed.get(name.rpartition("/")[2], {}))

    def holds(self, name: str, file: Path) -> bool:
        """Whether a file of the store has the content of a file here, which is small."""
        return bool(self.client.cat_file(f"{self.root}/{name}") == file.read_bytes())

    def remove(self, files: Sequence[str]) -> None:
        """Removes files of the store; those that are gone already are gone as they should be."""
        for name in files:
            with contextlib.suppress(FileNotFoundError):
                self.client.rm_file(f"{self.root}/{name}")
            self.alive()

    def _callback(self) -> Any:
        from fsspec.callbacks import Callback

        alive = self.alive

        class Moves(Callback):  # type: ignore[misc]  # it has no types
            def call(self, *_: Any, **__: Any) -> None:
                alive()

            def branched(self, *_: Any, **__: Any) -> Any:
                return self

        return Moves()


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
        if key in files and not stored.waits(here) and (known is None or known.there != _stamp(files[key])):
            wanted.append((here, key, _stamp(files[key])))
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
        changed = _stamp(place.of_run(run).get(key, {})) != _stamp(files[key])
        if changed or any((aside / name).stat().st_size != info["size"] for name, info in files.items()):
            raise Changed(f"run {folder.name} was written by somebody else meanwhile; try again")
        stored.write(aside, Mark(here=stored.stamp(aside), there=_stamp(files[key])))
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
        and (known.there == _stamp(there[key]) or (known.here == SENDING and key != RUN))
    )
    if not (ours or force or ((folder / key).is_file() and place.holds(f"{run}/{key}", folder / key))):
        raise Changed(
            f"run {folder.name} in the store was written by somebody else since it was copied here; to keep theirs delete the folder, to keep this one: proofbook push {folder.name} --force"
        )
    stored.write(folder, Mark(here=SENDING, there=known.there if known else "", whole=known is None or known.whole))  # fmt: skip
    last = [name for name in (MANIFEST, RUN) if name in files]
    new = [name for name in files if name not in last and not _is_same(there.get(name), folder / name)]
    old = [name for name in there if name not in files] if known is None or known.whole else []
    if RUN in there and (new or old or not _is_same(there.get(MANIFEST), folder / MANIFEST)):
        place.remove([f"{run}/{RUN}"])
    place.put([folder / name for name in new], [f"{run}/{name}" for name in new])
    for name in last:
        place.put([folder / name], [f"{run}/{name}"])
    place.remove([f"{run}/{name}" for name in old])
    stored.write(folder, Mark(here=here, there=_stamp(place.of_run(run).get(last[-1], {}))))


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
            known, stamp = marks.get(name), _stamp(there[name]) if name in there else ""
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


def _stamp(info: Info) -> str:
    """What a file of the store is known by: it is another where the content is, or was written anew."""
    marks = (
        info.get(name) for name in ("ETag", "etag", "md5Hash", "mtime", "modified", "LastModified", "created")
    )
    known = str(next((mark for mark in marks if mark), "")).strip('"')
    return f"{known}-{info.get('size')}"


def _is_same(info: Info | None, path: Path) -> bool:
    """Whether the store says that a file has the content of this one; no where it does not say."""
    if info is None or not path.is_file():
        return info is None and not path.exists()
    if info.get("size") != path.stat().st_size:
        return False
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    return found.hexdigest() == str(info.get("ETag")).strip('"') or base64.b64encode(
        found.digest()
    ).decode() == info.get("md5Hash")


def opened(address: str, *, here: Path, mode: int, alive: Callable[[], None]) -> Place:
    """The store of an address. Its secrets come from the variables of this process."""
    import fsspec

    kind, _, rest = address.partition("://")
    client = fsspec.filesystem(kind, use_listings_cache=False, skip_instance_cache=True, **PATIENT.get(kind, {}))  # fmt: skip
    root = rest if kind == "file" else client._strip_protocol(address)
    return Place(client=client, root=root.rstrip("/"), here=here, mode=mode, alive=alive)


def why(error: BaseException, address: str) -> tuple[str, bool]:
    """What went wrong with a store in words, and whether it was known without asking it."""
    kind = address.partition("://")[0]
    if isinstance(error, ImportError):
        package, by = (
            (paths.STORES[kind], f"'proofbook[{kind}]'") if paths.STORES[kind] else ("fsspec", "fsspec")
        )
        return f"{address}: expected {package} to be installed, found it is not: pip install {by}", True
    name = type(error).__name__
    if "Credential" in name:
        return f"{address}: expected credentials in the environment, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, found none that can be used", True  # fmt: skip
    # Addresses with what was asked for may hold a signature.
    said = re.sub(r"\?\S*", "?…", " ".join(str(error).split()))[:200].rstrip(".")
    if isinstance(error, PermissionError):
        return f"{address} refused: {said}", False
    if isinstance(error, FileNotFoundError):
        return f"there is no {address}: {said}", False
    if isinstance(error, TimeoutError | ConnectionError) or "Timeout" in name or "Connect" in name:
        return f"{address} does not answer: {said}", False
    return f"{address} could not be used: {name}: {said}", False


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
