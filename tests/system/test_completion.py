"""Tab in a real kernel: after a look the questions, inside of `where` the names of its log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import refused_upgrades
from jupyter_client.manager import start_new_kernel

from proofbook.investigation.look import Look

MOST = 25


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A client of a kernel in which an export is looked at."""
    folder: Path = tmp_path_factory.mktemp("tab")
    refused_upgrades.write(folder / "export.json")
    manager, client = start_new_kernel(cwd=str(folder))
    try:
        reply = client.execute_interactive("import proofbook as pb\nlook = pb.look('export.json')", timeout=120)  # fmt: skip
        assert reply["content"]["status"] == "ok", reply
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.context.destroy(linger=0)


def offered(kernel: Any, text: str) -> list[str]:
    reply = kernel.complete(text, len(text), reply=True, timeout=60)
    found: list[str] = reply["content"]["matches"]
    return found


def test_after_a_look_its_questions_are_offered_and_little_else(kernel: Any) -> None:
    found = offered(kernel, "look.")
    assert {"where", "between", "differs", "started", "follow", "draft", "sql"} <= set(found)
    assert len(found) <= MOST
    assert all(hasattr(Look, name) for name in found)


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("look.where(", {"status=", "path=", "agent=", "address="}),
        ("bad = look.but(st", {"status="}),
        ('look.between("09:24", "09:36").where(status=403, ag', {"agent="}),
    ],
)
def test_inside_of_where_the_names_of_the_log_are_offered(kernel: Any, typed: str, names: set[str]) -> None:
    found = set(offered(kernel, typed))
    assert names <= found
    assert all(name.endswith("=") for name in found)


def test_in_the_call_of_something_else_no_name_of_a_log_is_offered(kernel: Any) -> None:
    assert not {"status=", "path="} & set(offered(kernel, "print("))
