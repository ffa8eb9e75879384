"""What the code of a log source is asked, and what it gives: entries, a server that answers queries, or commands."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRequest:
    """Which entries of a log are wanted.

    since, until: the window, in UTC. patterns: what is looked for, as RE2's regular expressions.
    base: the workspace, in which commands run. most: beyond so many entries a log is not read whole.
    """

    since: dt.datetime
    until: dt.datetime
    patterns: tuple[str, ...]
    base: Path
    timeout_s: float
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Entries from one time to another, oldest first; `holding`: only those that one of these patterns matches."""

    since: dt.datetime
    until: dt.datetime
    holding: tuple[str, ...] = ()
    most: int


class QuotaExhausted(Exception):
    """The server wants to be asked later."""

    def __init__(self, retry_after_s: float | None = None) -> None:
        self.retry_after_s = retry_after_s
        super().__init__("quota exhausted")


class Server(Protocol):
    """A log that answers queries, page by page. largest: how many entries it gives at once at most."""

    shown: str
    page: int
    largest: float

    def ask(self, query: Query) -> list[Entry]:
        """At most `query.most` entries, oldest first."""

    def when(self, entry: Mapping[str, Any]) -> dt.datetime:
        """The time of an entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program that prints a log. both: what it writes to standard error is log too."""

    words: list[str] = field(default_factory=list)
    both: bool = False
    may_fail: bool = False
