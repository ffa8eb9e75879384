"""Every command that Proofbook tells its users to type is one that its command line takes."""

from __future__ import annotations

import ast
import contextlib
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from conftest import ROOT
from pydantic import ValidationError
from typer.main import get_command

from proofbook.cli.commands import app
from proofbook.config.environment import Environment
from proofbook.judge.reasons import REASONS

LIB = ROOT / "lib" / "proofbook"
# What stands for a value of a kind of its own in a text.
VALUES = {"DATE": "2026-01-31", "N": "3", "LEVEL": "1"}
# Where a command in a sentence ends.
END = re.compile(r"[;,`)\n→]|\s[|>&#]|\.(?:\s|$)|:(?:\s|$)|\s{3,}")


def commands_in(text: str) -> list[str]:
    """The commands that a text says, without what stands around them.

    >>> commands_in("record it: proofbook collect ENV --phase before; then judge (`proofbook run ENV`)")
    ['collect ENV --phase before', 'run ENV']
    """
    found = []
    for match in re.finditer(r"(?<![\w./-])proofbook (?!as pb)(?=[a-z-])", text):
        rest = text[match.end() :]
        end = END.search(rest)
        said = rest[: end.start()] if end else rest
        if said.count('"') % 2:  # the end of a text around it
            said = said.rpartition('"')[0]
        found.append(said.strip())
    return found


def problem(command: str) -> str:
    """What the command line says against a command; empty where it takes it. A name alone is a name."""
    try:
        words = shlex.split(command.replace("[", "").replace("]", ""), comments=True)
    except ValueError as error:
        return str(error)
    group = get_command(app)
    known = group.commands  # type: ignore[attr-defined]
    if words[0].startswith("-"):
        return ""
    if words[0] not in known:
        return f"there is no command {words[0]}"
    if len(words) == 1:
        return ""
    try:
        known[words[0]].make_context(words[0], [VALUES.get(word, word) for word in words[1:]])
    except typer.Exit:
        return ""
    except Exception as error:
        told = getattr(error, "format_message", error.__str__)
        return str(told())
    return ""


def strings(path: Path) -> Iterator[tuple[int, str]]:
    """Every text in a module, docstrings too, with a 1 for whatever is only known when it runs."""
    inside: set[int] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            inside |= {id(part) for part in node.values}
            parts = [str(part.value) if isinstance(part, ast.Constant) else "1" for part in node.values]
            yield node.lineno, "".join(parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            yield node.lineno, node.value


def texts() -> Iterator[tuple[str, str]]:
    """Everything that users read, with its place."""
    for path in sorted(LIB.rglob("*.py")):
        for line, text in strings(path):
            yield f"{path.relative_to(ROOT)}:{line}", text
    # The other pages have a test of their own, which knows their blocks.
    for path in [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "docs" / "reasons.md"]:
        yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "notebooks").rglob("*.toml")):
        yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            yield str(path.relative_to(ROOT)), "".join(cell["source"])


@pytest.mark.slow
def test_every_command_that_is_said_anywhere_can_be_typed() -> None:
    said = [(place, command) for place, text in texts() for command in commands_in(text)]
    wrong = [f"{place}: proofbook {command}: {why}" for place, command in said if (why := problem(command))]
    assert wrong == []
    # The texts were found: of the code, of README and docs, of notebooks' files, and of most commands.
    for part in ("lib/proofbook/judge/reasons.py", "lib/proofbook/pipeline", "README.md", "docs/reasons.md", "notebooks/environments"):  # fmt: skip
        assert any(place.startswith(part) for place, _ in said), part
    assert len({command.split()[0] for _, command in said}) >= 15


def test_every_option_that_a_reason_names_is_one_of_the_command_line() -> None:
    known = {
        option
        for command in get_command(app).commands.values()  # type: ignore[attr-defined]  # a group, which has commands
        for parameter in command.params
        for option in parameter.opts
    }
    named = {word for item in REASONS.values() for word in re.findall(r"--[a-z-]+", item.do)}
    assert named and named <= known


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("try it: proofbook try --before URL, or later", "No such option: --before"),
        ("record it: proofbook collect --phase before", "Missing argument 'ENV'"),
        ("see: proofbook nothing RUN", "there is no command nothing"),
        ("`proofbook prune --keep many`", "Invalid value for '--keep'"),
        ("accept it: proofbook accept RUN FINDING --by NAME --until DATE --why TEXT", ""),
        ('--during "proofbook rehearse --deploy"', ""),
        ("proofbook replay 2026…     # judged again", ""),
        ("see: proofbook faults.", ""),
    ],
)
def test_a_command_that_cannot_be_typed_is_found(text: str, why: str) -> None:
    [command] = commands_in(text)
    assert problem(command).startswith(why) if why else problem(command) == ""


# A key with a value, as advice says what to write into a file.
SETTING = re.compile(r"\b[a-z_]+ = (?=[\[{\"']|true|\d)")


def settings_in(text: str) -> Iterator[dict[str, object]]:
    """The settings that a text says: each the longest piece from a key on that is TOML.

    >>> list(settings_in('state any_path = true for it, or headers = { Origin = "x" } of the websocket'))
    [{'any_path': True}, {'headers': {'Origin': 'x'}}]
    """
    end = 0
    for match in SETTING.finditer(text):
        if match.start() < end:
            continue
        for stop in range(len(text), match.end(), -1):
            with contextlib.suppress(tomllib.TOMLDecodeError):
                yield tomllib.loads(text[match.start() : stop])
                end = stop
                break


def is_taken(setting: dict[str, object]) -> bool:
    """Whether a service or its WebSocket takes a setting."""
    service = {"name": "s", "url": "https://s.example.com", "token": {"env": "NAME"}}
    for stated in ({**service, **setting}, {**service, "ws": {"path": "/ws", **setting}}):
        with contextlib.suppress(ValidationError):
            Environment.model_validate({"service": [stated]})
            return True
    return False


def test_every_setting_that_a_reason_advises_is_one_that_an_environment_takes() -> None:
    found = [setting for reason in REASONS.values() for setting in settings_in(reason.do)]
    assert len(found) > 5
    assert [setting for setting in found if not is_taken(setting)] == []
