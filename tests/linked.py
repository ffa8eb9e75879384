"""An environment for a wheel that holds what the wheel says that it needs and nothing else, without installing that a second time."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def environment(folder: Path, wheel: Path, *, extra: str) -> Path:
    """The Python of a virtual environment in `folder` with the wheel, and links to the packages that it needs.

    A package that the wheel does not name, and none of those that it names, is not there; one of another version than it
    asks for makes pip refuse, which has nowhere to get another from.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    asked = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    [ours] = metadata.distributions(path=[str(wheel)])
    to = {
        Path(sysconfig.get_path("purelib")): next(folder.glob("lib/python*/site-packages")),
        Path(sys.prefix): folder,
    }
    for needed in _needed(ours, extra, {}):
        for file in needed.files or ():
            _link(Path(str(file.locate())).absolute(), to)
    done = subprocess.run(
        [*asked, "--python", python, "install", "--no-index", "--no-compile", f"{wheel}[{extra}]"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return python


def _needed(
    one: metadata.Distribution, extra: str, seen: dict[tuple[str, str], None]
) -> Iterator[metadata.Distribution]:
    """Every package that this one needs with that extra, and those that they need."""
    for text in one.requires or ():
        asked = Requirement(text)
        if asked.marker is not None and not asked.marker.evaluate({"extra": extra}):
            continue
        for wanted in ("", *asked.extras):
            key = canonicalize_name(asked.name), wanted
            if key not in seen:
                seen[key] = None
                found = metadata.distribution(asked.name)
                yield found
                yield from _needed(found, wanted, seen)


def _link(file: Path, to: dict[Path, Path]) -> None:
    """Links what belongs to a package: its folder or module as one, a file of data (templates, kernels) by itself."""
    file = Path(os.path.normpath(file))  # without `..`, and without following links
    for base, there in to.items():
        if not file.is_relative_to(base):
            continue
        within = file.relative_to(base).parts
        as_one = base.name == "site-packages"
        if within[0] in ("bin", "__pycache__"):
            return  # a program of the other environment; what was compiled is beside its module again soon
        place = there / within[0] if as_one else there.joinpath(*within)
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            place.symlink_to(base / within[0] if as_one else file)
        return
