"""How well messages are grouped: grouping accuracy on the labelled samples of Loghub, which are not part of this project.

    python benchmarks/templates.py FOLDER               # or PROOFBOOK_LOGHUB=FOLDER; `Content` as the message
    python benchmarks/templates.py FOLDER --end-to-end  # also the raw `.log`, read as a user's log would be

FOLDER holds SYSTEM_2k.log_structured.csv (and SYSTEM_2k.log), in folders of their own or not. Grouping accuracy is the share of
messages whose group is exactly a group of the labels (`EventId`). A line that the reader made no entry of counts as wrong.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

import ibis
import pyarrow as pa

from proofbook.collect.logs import reader
from proofbook.collect.logs.aggregates import masked
from proofbook.collect.logs.entries import connect
from proofbook.config.sources import LogSource
from proofbook.judge.log_text import templates

LABELS = "_2k.log_structured.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The labelled messages of one system. lines: as they stand in its log."""

    system: str
    messages: list[str]
    labels: list[str]
    log: Path

    @property
    def lines(self) -> list[str]:
        return self.log.read_text(encoding="utf-8", errors="replace").splitlines()


def samples(folder: Path) -> list[Sample]:
    """The samples in a folder and the folders in it, by name."""
    found = []
    for path in sorted(folder.rglob(f"*{LABELS}")):
        with path.open(encoding="utf-8", errors="replace", newline="") as rows:
            table = list(csv.DictReader(rows))
        system = path.name.removesuffix(LABELS)
        found.append(
            Sample(
                system=system,
                messages=[row["Content"] for row in table],
                labels=[row["EventId"] for row in table],
                log=path.with_name(f"{system}_2k.log"),
            )
        )
    return found


def grouped(messages: Sequence[str]) -> list[str]:
    """The template of each message: values masked in the engine, the rest merged, as findings do it."""
    with connect() as engine:
        rows = pa.table({"number": range(len(messages)), "body": list(messages)})
        engine.register("messages", rows)
        table = ibis.duckdb.from_connection(engine).table("messages")
        texts = (
            table.select("number", text=masked(table.body))
            .order_by("number")
            .to_pyarrow()["text"]
            .to_pylist()
        )
    merged = templates.merge(set(texts))
    return [merged[text] for text in texts]


def accuracy(groups: Sequence[Hashable], labels: Sequence[str]) -> float:
    """The share of messages whose group holds exactly the messages of one label.

    >>> accuracy(["a", "a", "b", "c"], ["1", "1", "2", "2"])
    0.5
    """
    by_group, by_label = defaultdict(set), defaultdict(set)
    for number, (group, label) in enumerate(zip(groups, labels, strict=True)):
        by_group[group].add(number)
        by_label[label].add(number)
    right = {frozenset(numbers) for numbers in by_label.values()}
    return sum(len(numbers) for numbers in by_group.values() if frozenset(numbers) in right) / len(labels)


def read(sample: Sample) -> list[str | None]:
    """What the reader takes for the message of each line of a log; None where no entry is that line."""
    with tempfile.TemporaryDirectory() as folder:
        source = LogSource(name="sample", file=str(sample.log.resolve()), utc_offset="+00:00")
        entries = reader.read_logs(source, base=Path(folder), to=Path(folder) / "entries.parquet").entries
    bodies = {}
    for header, body in zip(entries["header"].fillna(""), entries["body"].fillna(""), strict=True):
        bodies["".join((header + body).split())] = body
    return [bodies.get("".join(line.split())) for line in sample.lines]


def read_accuracy(sample: Sample) -> float:
    bodies = read(sample)
    found = iter(grouped([body for body in bodies if body is not None]))
    groups = [f"line {number}" if body is None else next(found) for number, body in enumerate(bodies)]
    return accuracy(groups, sample.labels)


def main() -> int:
    parser = argparse.ArgumentParser(description="Grouping accuracy on Loghub's labelled samples.")
    parser.add_argument("folder", nargs="?", type=Path, default=os.environ.get("PROOFBOOK_LOGHUB"))
    parser.add_argument("--end-to-end", action="store_true", help="also read the raw logs")
    chosen = parser.parse_args()
    if not chosen.folder or not (found := samples(Path(chosen.folder))):
        print(
            f"expected a folder with *{LABELS}, as an argument or in PROOFBOOK_LOGHUB, got {chosen.folder or 'none'}",
            file=sys.stderr,
        )
        return 64
    columns = ("of `Content`", "from the raw log") if chosen.end_to_end else ("of `Content`",)
    print(f"| system | groups | labels | {' | '.join(columns)} |\n|---|---|---|{'---|' * len(columns)}")
    sums, start = [0.0] * len(columns), time.process_time()
    for sample in found:
        groups = grouped(sample.messages)
        scores = [accuracy(groups, sample.labels), *([read_accuracy(sample)] if chosen.end_to_end else [])]
        sums = [total + score for total, score in zip(sums, scores, strict=True)]
        shown = " | ".join(f"{score:.3f}" for score in scores)
        print(f"| {sample.system} | {len(set(groups))} | {len(set(sample.labels))} | {shown} |", flush=True)
    print(f"| **mean** | | | {' | '.join(f'**{total / len(found):.3f}**' for total in sums)} |")
    print(
        f"\n{sum(len(sample.messages) for sample in found):,} messages in {time.process_time() - start:.1f} s of processor time"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
