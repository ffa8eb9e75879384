"""Importing the package is quick and gives every public name."""

from __future__ import annotations

import os
import subprocess
import sys
import time


def test_importing_is_quick() -> None:
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", "import proofbook, sys; print('pandas' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ},
    )
    assert done.stdout.strip() == "False", f"took {time.perf_counter() - began:.2f} s"


def test_every_public_name_is_there() -> None:
    import proofbook

    assert sorted(proofbook.__all__) == proofbook.__all__
    for name in proofbook.__all__:
        assert getattr(proofbook, name) is not None
