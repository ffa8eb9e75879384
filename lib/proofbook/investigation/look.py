"""A look at what was written: one log or run, and what of it is meant; every selection is a look of its own."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pandas as pd

from proofbook import paths
from proofbook.collect.logs.entries import Stoppable, table
from proofbook.config import moments as config_moments
from proofbook.config.duckdb_text import error_text, quoted
from proofbook.errors import UnknownName, UsageError
from proofbook.investigation import (
    asking,
    completion,
    conditions,
    draft,
    examples,
    moments,
    pins,
    records,
    tables,
)
from proofbook.investigation.answers import Answer
from proofbook.investigation.conditions import Condition
from proofbook.investigation.display import live, markup, overview, plain
from proofbook.investigation.display.overview import Overview
from proofbook.investigation.draft import Draft
from proofbook.investigation.following import alike, follow
from proofbook.investigation.following.alike import Alike
from proofbook.investigation.following.follow import Followed
from proofbook.investigation.moments import Moment, Span
from proofbook.investigation.records import Records
from proofbook.redaction import scrubbing

if TYPE_CHECKING:
    from proofbook.investigation.display.widget import LookWidget

# What other modules ask of a look, and nobody types.
_INSIDE = (
    "records",
    "stated_span",
    "conditions",
    "conditions_in_words",
    "in_words",
    "steps",
    "of_same_time",
    "selected",
)
VIEWS = ("entries", "requests", "probes", "kinds", "events")


class Look:
    """Some of the entries of a log or run. Nothing changes it: whatever selects gives another.

    Made by `look`. Its methods select (`between`, `at`, `where`, `but`, `more`), show (`kinds`, `examples`, `entries`, `table`, `sql`), judge
    (`started`, `differs`, `changes`, `who`, `probes`, `follow`, `like`), and keep (`pin`, `pins`, `draft`).
    """

    def __init__(
        self,
        read: Records,
        *,
        span: Span | None = None,
        conditions: tuple[Condition, ...] = (),
        steps: tuple[str, ...] = (),
    ) -> None:
        self.records = read
        self.stated_span = span
        self.conditions = conditions
        self.steps = steps
        self._widget: LookWidget | None = None

    # Selecting --------------------------------------------------------------------------------------------------

    def between(self, a: Moment, b: Moment) -> Look:
        """What was written from `a` on and before `b`: RFC 3339, a time of day such as "16:20", or "15m" before the end.

        Raises:
            UsageError: a time cannot be read, or `a` is not before `b`.
        """
        whole = self.records.own_span
        first, last = moments.moment(a, within=whole), moments.moment(b, within=whole, end=True)
        if first >= last:
            raise UsageError(f"expected a time before the second, got {first} and {last}")
        if self.stated_span is not None:
            first, last = max(first, self.stated_span[0]), min(last, self.stated_span[1])
        span = (first, max(first, last))
        return self._with(
            span=span, step=f"between({', '.join(repr(moment.isoformat()) for moment in span)})"
        )

    def at(self, t: Moment, width: str | float = "1m") -> Look:
        """What was written up to `width` before and after a moment."""
        middle, half = (
            moments.moment(t, within=self.records.own_span),
            pd.Timedelta(seconds=config_moments.seconds(width)),
        )
        return self.between(middle - half, middle + half)

    def where(
        self, condition: str = "", /, *, fields: dict[str, object] | None = None, **values: object
    ) -> Look:
        """What holds a condition: `"wrong"`, comparisons such as `"status>=500"`, or values such as `status=500, path="/ws"`.

        Args:
            condition: `wrong` (5xx, refused upgrades, lost connections, errors of no request, and exceptions without a severity), or
                comparisons joined by `and`: =, !=, >=, <=, >, < of numbers, ~ of a regular expression.
            fields: values of what else an entry holds, by key. values: of the names in `names()`; a list means any of them, None that
                there is none, `*` in a text anything.
        Raises:
            UnknownName: a name or a value is not in this log; with the nearest.
        """
        found = conditions.of(condition, values, fields or {}, known=self.records.known)
        step = conditions.as_call("where", condition, values, fields)
        return self._with(conditions=(*self.conditions, *found), step=step)

    def but(
        self, condition: str = "", /, *, fields: dict[str, object] | None = None, **values: object
    ) -> Look:
        """What does not hold all of what `where` would select."""
        found = conditions.of(condition, values, fields or {}, known=self.records.known)
        together = Condition(
            sql=conditions.conjunction(found),
            in_words=" and ".join(item.in_words for item in found),
            about=tuple(name for item in found for name in item.about),
        )
        step = conditions.as_call("but", condition, values, fields)
        return self._with(conditions=(*self.conditions, together.inverted()), step=step)

    def more(self) -> Look:
        """The same selection with what has been written since, of the logs of an environment: they are read anew, and what is not in them any more stays.

        Raises:
            UsageError: it is no look at an environment, or its logs cannot be read.
        """
        if not self.records.source.live:
            raise UsageError(
                f"expected a look at an environment, whose logs go on, and {self.records.source.shown} is as it is; give the name of an environment to pb.look"
            )
        before = self.records.own_span[1]
        with Stoppable():
            read = records.opened_again(self.records, base=paths.root())
        span = self.stated_span
        if span is not None and span[1] > before:
            # It went to the end, and does so again.
            span = (span[0], read.own_span[1] + pd.Timedelta(microseconds=1))
        return Look(read, span=span, conditions=self.conditions, steps=self.steps)

    def names(self) -> list[str]:
        """What can be asked for: names of every log, and the keys that entries of this one hold."""
        return self.records.known.names

    # Showing ----------------------------------------------------------------------------------------------------

    @property
    def span(self) -> Span:
        """From when to when this look goes: what was asked for, else the first entry and the last."""
        return self.stated_span or self.records.own_span

    @property
    def in_words(self) -> str:
        """What is selected, as one would say it."""
        when = [moments.shown(self.stated_span)] if self.stated_span else []
        return ", ".join([*([self.conditions_in_words] if self.conditions or not when else []), *when])

    @property
    def conditions_in_words(self) -> str:
        """What is selected but for the time."""
        return " and ".join(item.in_words for item in self.conditions) or "everything"

    @property
    def code(self) -> str:
        """What selects the same in another look at this source: `look.between(…).where(…)`."""
        return ".".join(["look", *self.steps])

    def __len__(self) -> int:
        return int(self._ask("SELECT count(*) n FROM entries")["n"].iloc[0])

    def table(self) -> pd.DataFrame:
        """The entries as a pandas table: all in memory."""
        return self._ask("SELECT * FROM entries ORDER BY entry")

    def entries(self, n: int = 50, *, skip: int = 0) -> pd.DataFrame:
        """A page of entries in the order of time, by their numbers: the columns in which any of them holds something."""
        found = self._ask(f"SELECT * FROM entries ORDER BY entry LIMIT {int(n)} OFFSET {int(skip)}")
        return tables.telling(found)

    def kinds(self) -> pd.DataFrame:
        """Messages and exceptions by template, errors first: severity, what, entries, requests, first, last, sample."""
        return self._ask("SELECT * FROM kinds")

    def examples(self, n: int = 3) -> pd.DataFrame:
        """Whole entries, the most telling first: one of each kind, errors and rare kinds before others."""
        return examples.examples(self._ask, n)

    def sql(self, query: str) -> pd.DataFrame:
        """The answer to a query in DuckDB's SQL over the views entries, requests, kinds, events and, of a run, probes.

        Raises:
            UnknownName: a view or column is not there. UsageError: the query cannot be read.
        """
        try:
            return self._ask(query)
        except duckdb.CatalogException as error:
            name = tables.missing_table(str(error))
            if name is None:
                raise UsageError(f"the query cannot be answered: {error_text(error)}") from None
            raise UnknownName("view", name, self._views, where=self.records.source.shown) from None
        except duckdb.Error as error:
            raise UsageError(f"the query cannot be answered: {error_text(error)}") from None

    # Judging ----------------------------------------------------------------------------------------------------

    def differs(self, from_: Look | None = None) -> Answer:
        """What is different about these requests: values and pairs of values that are over-represented, with how often such a one comes up
        when nothing is wrong.

        With a condition they are compared with the other requests of the same time, without one with the same length of time before.

        Args:
            from_: what to compare with instead: its condition in the same time.
        """
        return asking.what_differs(self, from_)

    def started(self) -> Answer:
        """Since when there is so much of what is selected: moment, interval, rates, and how often the same log in another order shows as much."""
        return asking.since_when(self)

    def changes(self, at: Moment | tuple[Moment, Moment] | None = None) -> Answer:
        """What became of each kind of message and exception: new, gone, more or less, with how often as much changes at other moments.

        Args:
            at: a moment, which splits the log in two; or a span, which is compared with what lies before it. None means the span of this look,
                or where none was stated the one in which more went wrong than before.
        Raises:
            UsageError: a time cannot be read, or lies outside of the log.
        """
        return asking.what_changed(self, at)

    def who(self) -> Answer:
        """Who is affected: of users, addresses, agents, instances, revisions and paths how many of how many; our own probes apart."""
        return asking.who_is_affected(self)

    def probes(self) -> Answer:
        """What became of the answers to our own probes, of a run: each outcome after against before, and what was lost during the rollout; whatever is selected."""
        return asking.what_probes_met(self)

    def follow(self, x: object) -> Followed:
        """One request from client to log and back: timings of its probe, entries, spans and the close, each with the rule by which it was joined and how often that rule is right here.

        Args:
            x: a row of `examples`, `entries` or a table of probes, the number of an entry, or a trace id.
        Raises:
            UnknownName: no entry, span or probe has this trace. UsageError: `x` is none of these.
        """
        return follow.follow(x, self.records)

    def like(self, x: object) -> Alike:
        """All requests that went the same way as the one of `x`, by the kinds of their entries in order, and the commonest that differs by one step.

        `same` and `other` of the answer are looks at them.

        Raises:
            UnknownName, UsageError: as `follow`; or `x` belongs to no request.
        """
        return alike.alike(x, self)

    # Keeping ----------------------------------------------------------------------------------------------------

    def pin(
        self,
        said: str,
        *,
        kind: pins.Kind = "observation",
        refuted_if: str = "",
        by: str = "",
        file: str | Path = pins.FILE,
    ) -> pins.Pin:
        """Keeps an observation about what is selected, with its numbers, in a file beside the notebook; gives what was kept.

        Args:
            kind: "observation", "hypothesis" or "ruled out". refuted_if: of a hypothesis the condition (as `where` takes it) that no entry of the
                same time holds if it is true. by: who says so.
        Raises:
            UsageError: nothing is said, nothing could refute a hypothesis, or the file cannot be written.
        """
        found = pins.of(self, said, kind=kind, refuted_if=refuted_if, by=by)
        pins.add(found, Path(file))
        return found

    def pins(self, file: str | Path = pins.FILE) -> pd.DataFrame:
        """The observations that were kept, the oldest first."""
        return pins.as_table(pins.read(Path(file)))

    def draft(self, name: str, *, title: str = "") -> Draft:
        """A case by which a fix can be judged: what the selected requests wrote and others did not, as symptoms with examples; `save()` writes it.

        Args:
            name: of the case. title: what is wrong; empty: what was pinned of this selection, else said by the first symptom.
        Raises:
            UsageError: it is no name of a case, or nothing that was written tells the selected requests from others.
        """
        return draft.of(self, name, title=title)

    # Displaying -------------------------------------------------------------------------------------------------

    @functools.cached_property
    def overview(self) -> Overview:
        """What a display of this look shows, as values."""
        with Stoppable():
            return overview.of(self)

    @property
    def brushed(self) -> Look:
        """What was last brushed and clicked on where this look was shown; this look itself, if nothing was."""
        return self._widget.brushed.look if self._widget is not None else self

    def _ipython_display_(self) -> None:
        with Stoppable():
            self._widget = live.show(self)

    def _repr_html_(self) -> str:
        return markup.as_html(self.overview)

    def __repr__(self) -> str:
        return plain.as_text(self.overview)

    def __dir__(self) -> list[str]:
        """What is there to be asked, as Tab offers it."""
        return [name for name in super().__dir__() if name not in _INSIDE]

    # Inside -----------------------------------------------------------------------------------------------------

    def of_same_time(self) -> Look:
        """Everything that was written in the time of this look."""
        return Look(self.records, span=self.stated_span)

    def _with(
        self, *, step: str, span: Span | None = None, conditions: tuple[Condition, ...] | None = None
    ) -> Look:
        return Look(
            self.records,
            span=span or self.stated_span,
            conditions=self.conditions if conditions is None else conditions,
            steps=(*self.steps, step),
        )

    @property
    def selected(self) -> str:
        """SQL for whether an entry is in this look."""
        parts = [f"({item.sql})" for item in self.conditions]
        return " AND ".join([*parts, *([within(self.stated_span)] if self.stated_span else [])]) or "true"

    @functools.cached_property
    def _views(self) -> list[str]:
        return [name for name in VIEWS if name != "probes" or self.records.source.evidence is not None]

    @functools.cached_property
    def _engine(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own in which the views mean this look."""
        engine = self.records.engine.cursor()
        engine.execute("SET TimeZone = 'UTC'")
        engine.execute("SET enable_progress_bar = false")
        with Stoppable(engine):
            tables.make_views(engine, self.records, selected=self.selected, span=self.span)
        return engine

    def _ask(self, sql: str) -> pd.DataFrame:
        return table(self._engine, sql)


def within(span: Span) -> str:
    """SQL for whether an entry lies in a span."""
    first, last = (f"TIMESTAMPTZ {quoted(moment.isoformat())}" for moment in span)
    return f"(timestamp >= {first} AND timestamp < {last})"


def look(
    source: str | Path = "",
    *,
    before: str | Path | None = None,
    since: Moment | None = None,
    until: Moment | None = None,
    spans: str | Path | Sequence[str | Path] = (),
) -> Look:
    """What was written, to be asked: a log, the evidence of a run, or the logs of an environment as they are now.

    Args:
        source: a log file, a short name such as gcp:PROJECT/SERVICE, a run (its id, the beginning of one, `last`, its folder), a folder of
            evidence, or the name of an environment, whose logs are read now and kept; empty means an incident made up for practice.
        before: a log or run from quiet time before, to compare with; None or empty means what lies before the window.
        since, until: the time in question; what lies outside is kept to compare with.
        spans: files of spans (OTLP, Jaeger or Zipkin JSON, CSV), which `follow` shows beside the entries of the same trace.
    Raises:
        UnknownName: there is no such run. UsageError: there is nothing to read, or a time cannot be read.
    """
    scrubbing.guard_kernel()
    completion.offer(Look)
    tables.show_plainly()
    base = paths.root()
    given = [spans] if isinstance(spans, str | Path) else spans
    files = [str(file) for file in given if str(file)]
    with Stoppable():
        found = Look(records.opened(source, base=base, before=before or None, spans=files))
    if not since and not until and not before:
        return found
    first, last = found.span
    # The last entry belongs to it, and nothing that is from before.
    return found.between(since or first, until or last + pd.Timedelta(microseconds=1))
