"""Observations that an analyst keeps: what was said of which selection, with its numbers, in a file beside the notebook."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from proofbook import paths
from proofbook.concurrency import locks
from proofbook.config import toml
from proofbook.config.fixes import Moment
from proofbook.errors import ConfigurationError, UsageError
from proofbook.files import digest, replace_text

if TYPE_CHECKING:
    from proofbook.investigation.look import Look

FILE = "observations.toml"
Kind = Literal["observation", "hypothesis", "ruled out"]
KINDS: tuple[Kind, ...] = ("observation", "hypothesis", "ruled out")


class Pin(BaseModel):
    """One observation.

    select: the selection as code. entries, requests: how many it held, of how many in the same time. refuted_if: of a hypothesis the
    condition that nothing may hold if it is true; refuting: how many entries held it when it was pinned. digests: of what was looked at.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    said: str
    kind: Kind = "observation"
    by: str = ""
    at: Moment
    source: str
    select: str
    first: Moment
    last: Moment
    entries: int
    of_entries: int
    requests: int
    of_requests: int
    refuted_if: str = ""
    refuting: int = 0
    digests: dict[str, str] = Field(default_factory=dict)

    @property
    def in_words(self) -> str:
        """What is kept, and whether what would refute it is there."""
        kept = f"{self.kind}: {self.said} ({self.select}: {self.entries:,} of {self.of_entries:,} entries, {self.requests:,} of {self.of_requests:,} requests)"
        if not self.refuted_if:
            return kept
        there = f"{self.refuting:,} {'entry holds' if self.refuting == 1 else 'entries hold'}" if self.refuting else "nothing holds"  # fmt: skip
        return f"{kept}; {there} what would refute it: {self.refuted_if}"

    def __str__(self) -> str:
        return self.in_words

    __repr__ = __str__


class Pins(BaseModel):
    """The file of observations."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pins: list[Pin] = Field(default_factory=list, alias="pin")


def of(look: Look, said: str, *, kind: Kind, refuted_if: str, by: str) -> Pin:
    """An observation about what a look selects.

    Raises:
        UsageError: nothing is said, the kind is none, or a hypothesis names nothing that would refute it.
    """
    if not said.strip():
        raise UsageError("expected a sentence that says what was seen, got an empty one")
    if kind not in KINDS:
        raise UsageError(f"expected kind to be one of {', '.join(map(repr, KINDS))}, got {kind!r}")
    if kind == "hypothesis" and not refuted_if:
        raise UsageError(
            "expected refuted_if, a condition that no entry holds if the hypothesis is true, such as \"status>=500 and client!='2.3'\", got none; what nothing could refute is kind='observation'"
        )
    same_time = look.of_same_time()
    first, last = look.span
    entries, requests = _size(look)
    of_entries, of_requests = _size(same_time)
    return Pin(
        said=said.strip(), kind=kind, by=by, at=dt.datetime.now(dt.UTC).replace(microsecond=0), source=look.records.source.shown, select=look.code,
        first=first.to_pydatetime(), last=last.to_pydatetime(), entries=entries, of_entries=of_entries, requests=requests, of_requests=of_requests,
        refuted_if=refuted_if, refuting=len(same_time.where(refuted_if)) if refuted_if else 0, digests=_digests(look),
    )  # fmt: skip


def add(pin: Pin, file: Path) -> None:
    """Adds an observation to a file; the others stay.

    Raises:
        ConfigurationError: what is there is no file of observations. UsageError: it cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with locks.held(file.parent, patience_s=10):
            kept = [*read(file), pin]
            replace_text(file, "\n".join(f"[[pin]]\n{_as_toml(item)}" for item in kept))
    except OSError as error:
        raise UsageError(f"{paths.shown(file)}: cannot be written: {error.strerror}") from None


def read(file: Path) -> list[Pin]:
    """The observations in a file, the oldest first; none where there is no file.

    Raises:
        ConfigurationError: it holds something else.
    """
    return toml.load(Pins, file).pins if file.exists() else []


def about(source: str, *, file: Path = Path(FILE)) -> list[Pin]:
    """What was pinned of a source, the oldest first. A file that holds something else holds no pins: whoever asks for these is told so by `read`."""
    try:
        return [pin for pin in read(file) if pin.source == source]
    except ConfigurationError:
        return []


def as_table(pins: list[Pin]) -> pd.DataFrame:
    """Observations as rows: kind, said, selection, entries, requests, refuted_if, refuting, at, source."""
    rows = [
        {
            "kind": pin.kind, "said": pin.said, "selection": pin.select, "entries": f"{pin.entries:,} of {pin.of_entries:,}",
            "requests": f"{pin.requests:,} of {pin.of_requests:,}", "refuted_if": pin.refuted_if, "refuting": pin.refuting, "at": pd.Timestamp(pin.at), "source": pin.source,
        }
        for pin in pins
    ]  # fmt: skip
    columns = ["kind", "said", "selection", "entries", "requests", "refuted_if", "refuting", "at", "source"]
    return pd.DataFrame(rows, columns=columns)


def _as_toml(pin: Pin) -> str:
    held = {name: getattr(pin, name) for name in Pin.model_fields}
    return "".join(
        f"{name} = {toml.toml_value(value)}\n" for name, value in held.items() if value not in ("", {})
    )


def _size(look: Look) -> tuple[int, int]:
    """How many entries and requests a look holds."""
    found = look.sql("SELECT count(*) AS entries, count(DISTINCT unit) FILTER (of_request) AS requests FROM entries").iloc[0]  # fmt: skip
    return int(found["entries"]), int(found["requests"])


def _digests(look: Look) -> dict[str, str]:
    """sha256 of what was looked at: tables of a run, or the file of a log."""
    source = look.records.source
    if source.evidence is not None:
        return {name: value for name, value in source.evidence.digests().items() if name.endswith("/logs")}
    file = Path(source.shown)
    return {source.shown: digest(file)} if paths.is_file(file) else {}
