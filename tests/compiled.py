"""What every worker would compile for itself in a fresh clone, compiled before the first of them begins."""

from __future__ import annotations

import compileall
from pathlib import Path

import pytest
from _pytest.assertion import rewrite


def ahead(config: pytest.Config, root: Path) -> None:
    """Writes down the code of the library, of what tests share, and of the tests with their assertions, where that is not there yet.

    Workers begin at the same time and import the same in the same order, so none finds what another has compiled.
    """
    compileall.compile_dir(root / "lib", quiet=1)
    compileall.compile_dir(root / "tests", quiet=1, maxlevels=0)
    state = config.stash[rewrite.assertstate_key]
    for file in (root / "tests").rglob("test_*.py"):
        folder = rewrite.get_cache_dir(file)
        compiled = folder / f"{file.stem}{rewrite.PYC_TAIL}"
        if rewrite._read_pyc(file, compiled) is None:
            folder.mkdir(exist_ok=True)
            digest, code = rewrite._rewrite_test(file, config)
            rewrite._write_pyc(state, code, digest, compiled)
