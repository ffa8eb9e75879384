"""Metrics of environments, and their file in Prometheus' text format for node_exporter's textfile collector.

One file holds them all, so that environments may share it: whoever ends last writes what is so of everybody. Where environments
name different files, each holds those that name it, since the collector refuses to read a series that two files hold.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from proofbook import paths
from proofbook.config import layers
from proofbook.errors import ConfigurationError
from proofbook.files import replace_text
from proofbook.judge.findings import Verdict
from proofbook.runs import due, newest
from proofbook.runs.folders import environment_folders
from proofbook.runs.record import RunRecord

# Whoever collects them is another user.
MODE = 0o644


def write(file: Path, *, base: Path, now: dt.datetime, only: Collection[str] | None = None) -> None:
    """Writes the metrics of all environments, or only of these, so that a reader sees the old file or the new one.

    Raises:
        OSError: it cannot be written.
    """
    replace_text(file, text(base=base, now=now, only=only), mode=MODE)


def text(*, base: Path, now: dt.datetime, only: Collection[str] | None = None) -> str:
    """The metrics of the newest run of each environment, or only of these."""
    registry = CollectorRegistry(auto_describe=False)
    folders = [folder for folder in environment_folders(base) if only is None or folder.name in only]
    registry.register(Environments(folders, due.noted(paths.outputs(base)), now))
    return generate_latest(registry).decode()


def sharing(file: Path, *, base: Path) -> set[str] | None:
    """The environments that name this file for their metrics; None where nobody names another one."""
    home, named = paths.home(base), dict[str, Path]()
    for name, path in paths.named("environments", base).items():
        # Who states something that cannot be read has no run either.
        with contextlib.suppress(ConfigurationError):
            stated = layers.read(path).values.get("metrics")
            textfile = stated.get("textfile") if isinstance(stated, dict) else None
            if isinstance(textfile, str):
                named[name] = (home / textfile).resolve()
    here = {name for name, other in named.items() if other == file.resolve()}
    return here if len(here) < len(named) else None


def of(environment: str, *, base: Path, now: dt.datetime) -> list[Metric]:
    """The metrics of the newest run of one environment."""
    outputs = paths.outputs(base)
    return list(Environments([outputs / environment], due.noted(outputs), now).collect())


class Environments(Collector):
    """The metrics of environments, by their folders; due: when the next run of each is."""

    def __init__(self, folders: Iterable[Path], due_by: dict[str, str], now: dt.datetime) -> None:
        self.folders, self.due_by, self.now = folders, due_by, now

    def collect(self) -> Iterator[Metric]:
        verdict, findings, ended, lasted, expected = (
            GaugeMetricFamily(f"proofbook_{name}", about, labels=["environment", "case", *labels])
            for name, about, labels in (
                (
                    "verdict",
                    "Verdict of the newest run: 1 for the one that it has, 0 for the others.",
                    ["verdict"],
                ),
                ("findings", "Findings of the newest run, by verdict.", ["verdict"]),
                ("run_ended_timestamp_seconds", "When the newest finished run ended.", []),
                ("run_duration_seconds", "From the first probe of the newest finished run to its end.", []),
                ("run_due_timestamp_seconds", "When the next finished run is due at the latest.", []),
            )
        )
        for folder in self.folders:
            run = newest.newest(folder, now=self.now)
            finished = newest.newest(folder, now=self.now, finished=True)
            if run is not None:
                for item in Verdict:
                    verdict.add_metric([*_labels(folder, run), item.value], run.verdict is item)
                    findings.add_metric([*_labels(folder, run), item.value], run.counts.get(item.value, 0))
            if finished is not None:
                at = newest.ended(finished)
                ended.add_metric(_labels(folder, finished), at.timestamp())
                began = dt.datetime.fromisoformat(finished.started)
                lasted.add_metric(_labels(folder, finished), (at - began).total_seconds())
                if by := self.due_by.get(folder.name):
                    expected.add_metric(_labels(folder, finished), dt.datetime.fromisoformat(by).timestamp())
        yield from (verdict, findings, ended, lasted, expected)


def _labels(folder: Path, run: RunRecord) -> list[str]:
    return [folder.name, run.case]
