"""Commands that judge nothing begin at once: judged by what they load, since how long it takes says how busy the machine is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import told
from conftest import with_notebooks

# Each takes a twentieth of a second or more to load, most of them several.
SLOW = {"IPython", "duckdb", "httpx", "ibis", "jinja2", "nbconvert", "nbformat", "numpy", "pandas", "papermill", "plotly", "pyarrow", "scipy", "websockets"}  # fmt: skip
LOADED = """
import sys
from proofbook.cli import main
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with an environment that runs every hour and has a run."""
    place = with_notebooks(tmp_path_factory.mktemp("quick"))
    told.state_environment(place, "eu", 'every = "1h"\n')
    told.add_run(place, "eu", told.START)
    return place


@pytest.mark.parametrize(
    ("words", "needs", "code"),
    [
        (("--help",), {"rich"}, 0),
        (("run", "--help"), {"rich"}, 0),
        (("faults",), {"rich", "pydantic"}, 0),
        (("due",), {"pydantic"}, 5),
        (("history",), {"rich", "pydantic", "jinja2"}, 0),
        (("schedule", "eu", "--for", "cron"), {"pydantic"}, 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_judges_nothing_loads_nothing_that_judging_needs(
    base: Path, words: tuple[str, ...], needs: set[str], code: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *words], cwd=base, capture_output=True, text=True,
        env={**os.environ, "PROOFBOOK_WORKSPACE": str(base)},
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    loaded = {name.partition(".")[0] for name in done.stderr.splitlines()[-1].split()}
    assert needs <= loaded, "the list of modules is not that of the command"
    assert (SLOW - needs) & loaded == set()
