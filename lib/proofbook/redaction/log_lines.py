"""Lines of a log: as text for people, or one JSON object a line that says which run, environment, phase and notebook it is of."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from types import MappingProxyType

from proofbook.redaction.scrubbing import for_others
from proofbook.redaction.unseen import visible

FIELDS = ("run", "environment", "phase", "notebook")
PROGRESS = "proofbook.cli"
_NOTHING: Mapping[str, str] = MappingProxyType({})
_bound: ContextVar[Mapping[str, str]] = ContextVar("proofbook_log_fields", default=_NOTHING)
_format = "text"


def use(log_format: str) -> None:
    """From now on this process says its lines as `text` or as `json`."""
    global _format
    _format = log_format


@contextlib.contextmanager
def bound(**fields: str) -> Iterator[None]:
    """What is logged inside is of this run, environment, phase or notebook."""
    token = _bound.set({**_bound.get(), **fields})
    try:
        yield
    finally:
        _bound.reset(token)


def say(line: str, *, prefix: str = "") -> None:
    """Prints a line of progress on standard error.

    Args:
        prefix: what it is of, as text alone says it.
    """
    if _format == "json":
        record = logging.LogRecord(PROGRESS, logging.INFO, "", 0, "%s", (for_others(line),), None)
        line, prefix = JsonLines().format(record), ""
    print(visible(f"{prefix}{line}"), file=sys.stderr, flush=True)


class JsonLines(logging.Formatter):
    """Writes a record as a JSON object in one line."""

    def format(self, record: logging.LogRecord) -> str:
        own = {name: str(vars(record)[name]) for name in FIELDS if name in vars(record)}
        content = {
            "time": dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **{name: for_others(value) for name, value in {**_bound.get(), **own}.items()},
        }
        if record.exc_text:
            content["exception"] = record.exc_text
        return json.dumps(content, ensure_ascii=False)
