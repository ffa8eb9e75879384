"""Several environments in one command: each has its result, and the worst counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from proofbook.cli.results import Many, Result, end_with_worst
from proofbook.errors import EXIT_CODES, CouldNotLook, MissingSecret, UsageError
from proofbook.execution import supervisor
from proofbook.execution.supervisor import Limits

SECRETLESS = MissingSecret("variable TOKEN", "it is not set", where="b.toml: token")


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where processes cannot be copied; tests/system has the other way."""
    monkeypatch.setattr(supervisor, "CAN_COPY", False)


def result(verdict: str) -> Result:
    return Result(content={"verdict": verdict, "sentence": "judged"}, exit_code=EXIT_CODES[verdict])


def asked(came: dict[str, str | Exception], *, base: Path) -> list[Result]:
    """The results of environments that end with a verdict or an exception."""

    def execute(name: str, *_: object) -> Result:
        found = came[name]
        if isinstance(found, Exception):
            raise found
        return result(found)

    return Many(base=base, limits=Limits()).results(list(came), str, execute)


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
    found = asked(came, base=tmp_path)
    with pytest.raises(typer.Exit) as ended:
        end_with_worst(found, as_json=True)
    assert ended.value.exit_code == code
    out, err = capsys.readouterr()
    printed = json.loads(out)
    wanted = ["error" if isinstance(item, Exception) else item for item in came.values()]
    assert [item["verdict"] for item in printed] == wanted
    # Each sentence says which environment it is about.
    broken = [name for name, item in came.items() if isinstance(item, Exception)]
    assert [line.partition(":")[0] for line in err.splitlines() if not line.endswith("judged")] == broken
    assert [item["environment"] for item in printed if item["verdict"] == "error"] == broken


def test_what_cannot_be_started_is_known_before_anything_is_executed(tmp_path: Path) -> None:
    order: list[str] = []

    def prepare(name: str) -> str:
        order.append(f"prepare {name}")
        if name == "b":
            raise SECRETLESS
        return name

    def execute(name: str, *_: object) -> Result:
        order.append(f"execute {name}")
        return result("pass")

    Many(base=tmp_path, limits=Limits()).results(["a", "b", "c"], prepare, execute)
    assert order == ["prepare a", "prepare b", "prepare c", "execute a", "execute c"]


def test_a_mistake_in_the_only_environment_is_a_mistake_of_the_command(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        asked({"a": SECRETLESS}, base=tmp_path)
