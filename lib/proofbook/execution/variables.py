"""Which environment variables a kernel gets: those that Python and the system need, and those that an environment file lists."""

from __future__ import annotations

import contextlib
import ctypes
import fnmatch
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

PASSED = (
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR", "TEMP", "TMP", "PWD",
    "XDG_*", "LD_LIBRARY_PATH", "DYLD_*", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "PYTHON*", "VIRTUAL_ENV", "CONDA_*", "JUPYTER_*", "JPY_*", "IPYTHON*", "PROOFBOOK_*", "PLOTLY_*", "MPL*",
    "OMP_*", "OPENBLAS_*", "MKL_*", "NUMEXPR_*",
)  # fmt: skip


def passed(variables: Mapping[str, str], more: Iterable[str] = ()) -> dict[str, str]:
    """The variables that a kernel gets. more: names or patterns such as `AWS_*`.

    >>> sorted(passed({"PATH": "/bin", "LC_ALL": "C", "TOKEN": "x", "AWS_REGION": "y"}, ["AWS_*"]))
    ['AWS_REGION', 'LC_ALL', 'PATH']
    """
    patterns = (*PASSED, *more)
    return {
        name: value
        for name, value in variables.items()
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
    }


def forget_the_first() -> None:
    """Blanks, among the variables that this process was started with, those that no kernel gets.

    Linux shows them in `/proc/PID/environ` of every copy of this process, whatever has become of `os.environ`.
    """
    # Where the system does not tell where they lie, they stay.
    with contextlib.suppress(OSError, ValueError, IndexError):
        began = Path("/proc/self/environ").read_bytes()
        # The name in parentheses may hold anything; of the fields after it, the 48th is where the variables begin.
        start = int(Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()[47])
        kept = passed(
            {name: "" for item in began.split(b"\0") for name in [os.fsdecode(item.partition(b"=")[0])]}
        )
        offset = 0
        for item in began.split(b"\0"):
            if start and item and os.fsdecode(item.partition(b"=")[0]) not in kept:
                ctypes.memset(start + offset, 0, len(item))
            offset += len(item) + 1
        # What was blanked is still listed: the list is made anew.
        ctypes.CDLL(None).clearenv()
        for name, value in os.environ.items():
            os.putenv(name, value)
