"""Which environment variables a kernel gets: those that Python and the system need, and those that an environment file lists."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping

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
