"""Systems that nobody here wrote, as a new user meets them: the first `proofbook try`, two ways to break each, two short files.

    python benchmarks/systems.py [FOLDER] [--only NAME] [--skip files|broken]

Prints a table in Markdown. Installs from PyPI, npm and Debian into FOLDER, which is used again (default: a folder beside the
temporary files); takes half an hour. Only loopback is probed.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from foreign_systems import SYSTEMS, TOKEN, Found, Place, System, free_port, installed
from more_foreign_systems import MORE

# How the last line of a summary begins; what follows is the report, which is not waited for.
_LAST = ("  First run of", "  Since the last", "report:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The summary of a command, and the seconds until it stood there."""

    lines: tuple[str, ...]
    seconds: float

    @property
    def mark(self) -> str:
        """✔, ✘, ? or !, as the first line begins."""
        return self.lines[0][:1] if self.lines else "!"

    @property
    def reason(self) -> str:
        """The first sentence that carries the verdict."""
        facts = [line.strip() for line in self.lines[1:] if line.startswith("  ")]
        return (
            next((fact for fact in facts if fact[:1] in "✘?!✔"), "nothing was said")
            .removeprefix(self.mark)
            .strip()
        )


def ask(folder: Path, *arguments: str, token: str, screens: Path) -> Seen:
    """What a command says first, in a folder that may hold files; it is ended then, since its report is not looked at."""
    variables = {key: value for key, value in os.environ.items() if not key.startswith("PROOFBOOK_")}
    began = time.monotonic()
    with screens.with_name(f"{screens.name}.err").open("w") as told, subprocess.Popen(
        [sys.executable, "-m", "proofbook.cli", *arguments],
        cwd=folder, stdout=subprocess.PIPE, stderr=told, text=True, env={**variables, "A_TOKEN": token, "BEARER": f"Bearer {token}"},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        lines: list[str] = []
        seconds = 0.0
        for line in process.stdout:
            seconds = seconds or time.monotonic() - began
            lines.append(line.rstrip())
            if line.startswith(_LAST):
                break
        process.terminate()
    screens.write_text("\n".join(lines))
    return Seen(lines=tuple(lines), seconds=seconds)


def filled(text: str, place: Place, found: Found) -> str:
    """A text with the port and what was looked up filled in."""
    for key, value in {"PORT": str(place.port), **found}.items():
        text = text.replace(key, value)
    return text


def tried(system: System, place: Place, found: Found, *, screens: Path) -> Seen:
    """The first `proofbook try`, in an empty folder."""
    with tempfile.TemporaryDirectory() as empty:
        options = [filled(option, place, found) for option in system.options]
        return ask(
            Path(empty),
            "try",
            f"http://127.0.0.1:{place.port}{system.page}",
            *options,
            token=found.get("SECRET", TOKEN),
            screens=screens,
        )


def by_files(system: System, place: Place, found: Found, *, screens: Path) -> Seen:
    """`proofbook run` with the two short files."""
    with tempfile.TemporaryDirectory() as folder:
        for kind, text in {"environments": system.environment, "cases": system.case}.items():
            (Path(folder) / kind).mkdir()
            (Path(folder) / kind / "it.toml").write_text(filled(text, place, found))
        return ask(
            Path(folder), "run", "it", "--case", "it", token=found.get("SECRET", TOKEN), screens=screens
        )


def lines_of(system: System) -> int:
    """Lines of the two files together."""
    return len(f"{system.environment}{system.case}".splitlines())


def row(system: System, folder: Path, *, skipped: str) -> Mapping[str, Seen]:
    """What was seen of one system: well, broken in each way, and by the two files."""
    home = installed(system, folder)
    seen: dict[str, Seen] = {}
    for word in ("", *([] if skipped == "broken" else system.broken)):
        with tempfile.TemporaryDirectory(prefix="system-") as work:
            place = Place(installed=home, folder=Path(work), port=free_port())
            screens = (
                folder / "screens" / f"{system.source}-{system.name.split()[0].lower()}-{word or 'well'}"
            )
            screens.parent.mkdir(exist_ok=True)
            try:
                found = system.start(place, word)
                seen[word] = tried(system, place, found, screens=screens)
                # What a first look cannot know, such as that there should be a greeting, somebody who states it is told.
                if skipped != "files" and (not word or seen[word].mark == "✔"):
                    seen[f"{word} by files".strip()] = by_files(system, place, found, screens=screens.with_name(f"{screens.name}-files"))  # fmt: skip
            finally:
                place.end()
    return seen


def in_words(broken: str, first: Seen, by_files: Seen | None) -> str:
    """What became of a breakage: the verdict of the first try, and of the two files where that saw nothing."""
    if by_files is None:
        return f"{first.mark} {broken}: {first.reason}"
    return f"{first.mark}, and {by_files.mark} by the two files, {broken}: {by_files.reason}"


def main() -> None:
    stated = argparse.ArgumentParser(description=__doc__)
    stated.add_argument(
        "folder", nargs="?", type=Path, default=Path(tempfile.gettempdir()) / "proofbook-systems"
    )
    stated.add_argument("--only", default="", help="systems whose name holds this")
    stated.add_argument("--skip", default="", choices=["files", "broken"])
    given = stated.parse_args()
    # So that what was started ends with this too where it is told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    given.folder.mkdir(parents=True, exist_ok=True)
    print("| system | first `try` | s | what carries it | broken | two files | lines |\n|---|---|---|---|---|---|---|", flush=True)  # fmt: skip
    for system in (*SYSTEMS, *MORE):
        if given.only.lower() not in system.name.lower():
            continue
        try:
            seen = row(system, given.folder, skipped=given.skip)
        except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
            print(f"| {system.name} | not started: {error} | | | | | |", flush=True)
            continue
        broken = "<br>".join(
            in_words(words, seen[word], seen.get(f"{word} by files"))
            for word, words in system.broken.items()
            if word in seen
        )
        files = seen["by files"].mark if "by files" in seen else ""
        print(f"| {system.name} | {seen[''].mark} | {seen[''].seconds:.0f} | {seen[''].reason} | {broken} | {files} | {lines_of(system)} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
