"""Every recipe of docs/extending.md works as it is written: its files are a package, its commands print what is shown."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest
from conftest import ROOT
from foreign import install

TEXT = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
_, *PARTS = re.split(r"^## ", TEXT, flags=re.MULTILINE)
SECTIONS = {title: body for title, _, body in (part.partition("\n") for part in PARTS)}


class Block(NamedTuple):
    """A block of code: its language, the file that its first line names (empty without one), and its text."""

    language: str
    file: str
    text: str


def blocks(section: str) -> list[Block]:
    found = []
    for language, text in re.findall(r"^```(\w+)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL):
        named = re.match(r"# (\S+\.\w+)\n", text) if language in ("python", "toml") else None
        found.append(Block(language, named[1] if named else "", text))
    return found


def commands(text: str) -> list[tuple[str, list[str]]]:
    """The commands of a console block, each with the lines that it must print."""
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line.removeprefix("$ "), []))
        else:
            found[-1][1].append(line)
    return found


def programs(block: Block) -> list[tuple[list[str], list[str]]]:
    """What a block runs, with the lines that it must print: its commands, or Python without a file's name."""
    if block.language == "python" and not block.file:
        return [([sys.executable, "-c", block.text], [])]
    if block.language == "console":
        return [(["sh", "-c", command], lines) for command, lines in commands(block.text)]
    return []


def test_there_is_a_recipe_for_everything_that_a_package_can_bring() -> None:
    assert {"A log source", "A log format", "A check", "A report section"} <= SECTIONS.keys()


def test_there_are_recipes_for_collectors_and_websocket_dialects() -> None:
    assert {"A collector", "A WebSocket dialect"} <= SECTIONS.keys()


@pytest.mark.usual_cases(1)
@pytest.mark.long
@pytest.mark.parametrize("title", SECTIONS)
def test_a_recipe_works_as_it_is_written(title: str, tmp_path: Path) -> None:
    found = blocks(SECTIONS[title])
    files = {block.file: block.text for block in found if block.file}
    project = tomllib.loads(files.pop("pyproject.toml"))["project"]
    site, here = tmp_path / "site", tmp_path / "here"
    here.mkdir()
    install(
        site,
        project["name"].replace("-", "_"),
        entries=project["entry-points"],
        modules={name: text for name, text in files.items() if name.endswith(".py")},
    )
    for name, text in files.items():
        if not name.endswith(".py"):
            (here / "notebooks" / name).parent.mkdir(parents=True, exist_ok=True)
            (here / "notebooks" / name).write_text(text, encoding="utf-8")
    scripts = Path(sys.executable).parent
    variables = {
        **os.environ,
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(site),
        "PROOFBOOK_WORKSPACE": str(here),
    }
    ran = 0
    for block in found:
        for words, lines in programs(block):
            done = subprocess.run(
                words, cwd=here, env=variables, capture_output=True, text=True, timeout=300, check=False
            )
            printed = done.stdout + done.stderr
            assert "Traceback" not in printed and (lines or not done.returncode), printed
            missing = [line for line in lines if line.strip() not in printed]
            assert not missing, f"{words[-1]} printed\n{printed}"
            ran += 1
    assert ran, "a recipe that runs nothing shows nothing"
    for name in files:
        if name.startswith("environments/"):
            check = [sys.executable, "-c", CHECK, str(here / "notebooks" / name), str(here)]
            done = subprocess.run(
                check, env=variables, capture_output=True, text=True, timeout=60, check=False
            )
            assert done.returncode == 0, done.stderr


CHECK = """
import sys
from pathlib import Path
from proofbook.config import environment
environment.load(sys.argv[1], base=Path(sys.argv[2]))
"""
