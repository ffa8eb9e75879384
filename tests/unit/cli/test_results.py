"""Several environments in one command: each has its result, and the worst counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from proofbook.cli.results import Result, end_with_worst, of_each
from proofbook.errors import EXIT_CODES, CouldNotLook, MissingSecret, UsageError

SECRETLESS = MissingSecret("variable TOKEN", "it is not set", where="b.toml: token")


def result(verdict: str) -> Result:
    return Result(content={"verdict": verdict}, exit_code=EXIT_CODES[verdict])


def asked(came: dict[str, str | Exception], *, base: Path) -> tuple[list[Result], list[str]]:
    """The results of environments that end with a verdict or an exception, and what was said."""
    said: list[str] = []

    def execute(name: str) -> Result:
        found = came[name]
        if isinstance(found, Exception):
            raise found
        return result(found)

    return of_each(list(came), str, execute, base=base, say=said.append), said


@pytest.mark.parametrize(
    ("came", "code"),
    [
        ({"a": "fail", "b": SECRETLESS, "c": "pass"}, 1),
        ({"a": SECRETLESS, "b": "fail"}, 1),
        ({"a": "pass", "b": SECRETLESS, "c": "inconclusive"}, 2),
        ({"a": SECRETLESS, "b": CouldNotLook("the host does not resolve")}, 4),
        ({"a": ZeroDivisionError("no rows"), "b": "inconclusive"}, 4),
        ({"a": ZeroDivisionError("no rows"), "b": "fail"}, 1),
        ({"a": "pass", "b": "inconclusive"}, 3),
        ({"a": "pass", "b": "pass"}, 0),
    ],
)
def test_the_worst_counts_whatever_went_wrong_with_each_and_none_is_skipped(
    came: dict[str, str | Exception], code: int, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    found, said = asked(came, base=tmp_path)
    with pytest.raises(typer.Exit) as ended:
        end_with_worst(found, as_json=True)
    assert ended.value.exit_code == code
    printed = json.loads(capsys.readouterr().out)
    wanted = ["error" if isinstance(item, Exception) else item for item in came.values()]
    assert [item["verdict"] for item in printed] == wanted
    # Each sentence says which environment it is about.
    broken = [name for name, item in came.items() if isinstance(item, Exception)]
    assert [line.partition(":")[0] for line in said] == broken
    assert [item["environment"] for item in printed if item["verdict"] == "error"] == broken


def test_what_cannot_be_started_is_known_before_anything_is_executed(tmp_path: Path) -> None:
    order: list[str] = []

    def prepare(name: str) -> str:
        order.append(f"prepare {name}")
        if name == "b":
            raise SECRETLESS
        return name

    def execute(name: str) -> Result:
        order.append(f"execute {name}")
        return result("pass")

    of_each(["a", "b", "c"], prepare, execute, base=tmp_path, say=order.append)
    assert order == ["prepare a", "prepare b", f"b: {SECRETLESS}", "prepare c", "execute a", "execute c"]


def test_a_mistake_in_the_only_environment_is_a_mistake_of_the_command(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        asked({"a": SECRETLESS}, base=tmp_path)
