"""What an object store has of the copy of it on this machine: a mark in each run's folder, and one for each environment.

Nothing here speaks with a store.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from proofbook.files import digest, read_json, replace_text

MARK = ".stored.json"
# How the name of what is being deleted, or is not whole yet, ends; `prune` takes away what a process that was killed left.
DELETED = ".deleted"
RUN, MANIFEST = "run.json", "evidence/manifest.json"
# What lies beside the runs of an environment and is no copy of what they say.
STATE = ("baseline.json", "known-issues.json", "notify.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Says that what is `here` is what the store has under the stamp `there`. whole: not only what the run says of itself."""

    here: str
    there: str
    whole: bool = True


def of(folder: Path) -> Mark | None:
    """The mark of a run; None where the store has nothing of it, as far as is known here."""
    return _mark(_content(folder / MARK))


def write(folder: Path, mark: Mark) -> None:
    """Marks a run."""
    replace_text(folder / MARK, json.dumps(asdict(mark)) + "\n", mode=0o600)


def of_state(environment: Path) -> dict[str, Mark]:
    """The marks of the files beside the runs of an environment, by name."""
    found = _content(environment / MARK)
    marks = {name: _mark(found.get(name)) for name in STATE} if isinstance(found, Mapping) else {}
    return {name: mark for name, mark in marks.items() if mark is not None}


def write_state(environment: Path, marks: Mapping[str, Mark]) -> None:
    """Marks the files beside the runs of an environment."""
    content = {name: asdict(mark) for name, mark in marks.items()}
    replace_text(environment / MARK, json.dumps(content) + "\n", mode=0o600)


def waits(folder: Path) -> bool:
    """Whether a run is to be sent: it holds something that the store does not have, as far as is known here."""
    here, known = stamp(folder), of(folder)
    return bool(here) and (known is None or known.here != here)


def is_whole(folder: Path) -> bool:
    """Whether all of a run is here."""
    known = of(folder)
    return waits(folder) or (known is not None and known.whole)


def stamp(folder: Path) -> str:
    """What a run is known by here: size and time of its run.json, or of the list of its evidence; empty where it has neither."""
    for name in (RUN, MANIFEST):
        with contextlib.suppress(OSError):
            found = (folder / name).stat()
            return f"{found.st_mtime_ns}-{found.st_size}"
    return ""


def digests(environment: Path) -> dict[str, str]:
    """The digests of the files beside the runs of an environment that are there."""
    return {name: digest(environment / name) for name in STATE if (environment / name).is_file()}


def is_state_changed(environment: Path) -> bool:
    """Whether a file beside the runs of an environment is another than the store has, as far as is known here."""
    return digests(environment) != {name: mark.here for name, mark in of_state(environment).items()}


def runs(outputs: Path, environment: str = "") -> Iterator[Path]:
    """The folders that may hold runs, of one environment or of all, in their order."""
    for place in [outputs / environment] if environment else folders(outputs):
        yield from folders(place)


def folders(place: Path) -> list[Path]:
    """The folders in a folder, without hidden ones and symlinks, in their order; none where it cannot be read."""
    with contextlib.suppress(OSError):
        return sorted(
            path
            for path in place.iterdir()
            if not path.name.startswith(".") and path.is_dir() and not path.is_symlink()
        )
    return []


def _content(path: Path) -> object:
    # Without a mark everything is looked at again.
    with contextlib.suppress(OSError, ValueError):
        return read_json(path)
    return None


def _mark(content: object) -> Mark | None:
    if not isinstance(content, Mapping):
        return None
    return Mark(
        here=str(content.get("here")),
        there=str(content.get("there")),
        whole=content.get("whole") is True,
    )
