"""Did the fix really restore it? A check counts only if it could have failed.

In a notebook: `import proofbook as pb`, then `book = pb.open("staging")` and `book.check("websocket-connection")`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from proofbook.investigation.look import Look, look
    from proofbook.judge.checks.success_rate import success_rate
    from proofbook.notebook import figures, tables
    from proofbook.notebook.book import Book, open
    from proofbook.notebook.quicklook import counts, logs, probe
    from proofbook.notebook.report import open_report

__version__ = "0.1.0"

__all__ = [
    "Book",
    "Look",
    "counts",
    "figures",
    "logs",
    "look",
    "open",
    "open_report",
    "probe",
    "success_rate",
    "tables",
]

_HOMES = {
    "Book": ("proofbook.notebook.book", "Book"),
    "Look": ("proofbook.investigation.look", "Look"),
    "counts": ("proofbook.notebook.quicklook", "counts"),
    "figures": ("proofbook.notebook.figures", None),
    "logs": ("proofbook.notebook.quicklook", "logs"),
    "look": ("proofbook.investigation.look", "look"),
    "open": ("proofbook.notebook.book", "open"),
    "open_report": ("proofbook.notebook.report", "open_report"),
    "probe": ("proofbook.notebook.quicklook", "probe"),
    "tables": ("proofbook.notebook.tables", None),
    "success_rate": ("proofbook.judge.checks.success_rate", "success_rate"),
}


def __getattr__(name: str) -> Any:
    """Loads a public name when it is first used, so that `import proofbook` stays quick."""
    if name not in _HOMES:
        raise AttributeError(f"module 'proofbook' has no attribute {name!r}")
    home, attribute = _HOMES[name]
    module = importlib.import_module(home)
    return module if attribute is None else getattr(module, attribute)


def __dir__() -> list[str]:
    return __all__
