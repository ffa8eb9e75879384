"""Runs put together by hand, so that a page can be tried with what no rehearsal would write."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from proofbook.execution.executor import Executed
from proofbook.files import digest
from proofbook.judge.findings import MIME, Control, Estimate, Exposure, Finding, Method, Needed, Verdict
from proofbook.report import chart_fallbacks, finding_html, section_registry, writer
from proofbook.runs import record
from proofbook.runs.record import Fact, RunRecord, Summary

TIMES = {"started": "2026-01-05T09:40:00.000Z", "ended": "2026-01-05T09:41:00.000Z"}


def finding(
    name: str = "x", text: str = "all is well", verdict: Verdict = Verdict.FAIL, **more: Any
) -> Finding:
    """A finding that says `text` wherever it says anything."""
    control = Control(kind="positive", name=text, guards=("pass",), expected=text, got=text, held=True)
    given: dict[str, Any] = {
        "id": name, "kind": "guard", "claim": text, "required": True, "verdict": verdict, "reason": "still-there", "statement": text, "group": "own",
        "estimate": Estimate(value=0.5, low=0.4, high=0.6, unit="fraction"), "method": Method(name=text, source=text), "threshold": text,
        "exposure": Exposure(n=10, unit=text), "controls": (control,), "needed": Needed(what=text), "not_established": (text,),
    }  # fmt: skip
    return Finding(**{**given, **more})


def figure(text: str = "A chart", points: int = 50) -> dict[str, Any]:
    """A Plotly figure that says `text` wherever it says anything."""
    return {
        "data": [{"type": "scatter", "mode": "lines", "name": text, "x": list(range(points)), "y": [n**0.5 for n in range(points)]}],
        "layout": {"title": {"text": text}, "xaxis": {"title": {"text": text}}, "yaxis": {"title": {"text": text}}, "height": 340},
    }  # fmt: skip


def shown(data: dict[str, Any]) -> dict[str, Any]:
    """An output of a cell."""
    return {"output_type": "display_data", "metadata": {}, "data": data}


def code(*outputs: dict[str, Any], source: str = "show()") -> dict[str, Any]:
    """A cell that ran."""
    return {
        "cell_type": "code",
        "execution_count": 1,
        "metadata": {},
        "source": source,
        "outputs": list(outputs),
    }


def words(text: str) -> dict[str, Any]:
    """A cell of Markdown."""
    return {"cell_type": "markdown", "metadata": {}, "source": text}


def card(item: Finding) -> dict[str, Any]:
    """The output by which a notebook shows a finding."""
    return shown({"text/html": finding_html.finding(item), "text/plain": item.claim, MIME: item.to_json()})


def nothing(reason: str) -> dict[str, Any]:
    """The output of a section that has nothing to show."""
    return shown(section_registry.as_output(section_registry.Nothing(reason)))


def write_notebook(folder: Path, name: str, *cells: dict[str, Any], problem: str = "") -> Executed:
    """An executed notebook."""
    metadata: dict[str, Any] = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
    }
    if problem:
        metadata["proofbook"] = {"problem": problem}
    path = folder / "notebooks" / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 4, "metadata": metadata, "cells": list(cells)}), encoding="utf-8")  # fmt: skip
    return Executed(name=name, path=path, seconds=1.0, problem=problem)


def run_content(
    folder: Path, found: list[Finding], executed: list[Executed], text: str = "all is well", **more: Any
) -> dict[str, Any]:
    """The content of run.json."""
    summary = Summary(
        verdict="fail", words="NOT FIXED", result="FAILURE", environment=text, case=text, at=TIMES["ended"], facts=(Fact(verdict="fail", text=text),),
        beside=text, doubt=text, advice=text, next_review=TIMES["ended"], since=text,
    )  # fmt: skip
    return {
        "schema_version": record.SCHEMA_VERSION,
        "run_id": folder.name,
        "environment": folder.parent.name,
        "case": "c",
        **TIMES,
        "verdict": "fail",
        "reason": "still-there",
        "sentence": f"NOT FIXED: {text}",
        "next_review": TIMES["ended"],
        "summary": dataclasses.asdict(summary),
        "findings": [item.to_json() for item in found],
        "evidence": [],
        "notebooks": [
            {"name": item.name, "sha256": digest(item.path), "seconds": 1.0, "problem": item.problem}
            for item in executed
        ],
        "versions": {"proofbook": "0.0"},
        "source": {"commit": "", "dirty": False},
        **more,
    }


def write_run(
    folder: Path,
    found: list[Finding],
    executed: list[Executed],
    text: str = "all is well",
    *,
    options: writer.Options | None = None,
    **more: Any,
) -> RunRecord:
    """A run with its files, as the runner writes them."""
    folder.mkdir(parents=True, exist_ok=True)
    run = RunRecord.from_json(run_content(folder, found, executed, text, **more))
    writer.write(folder, run=run, executed=executed, options=options or writer.Options())
    (folder / "run.json").write_text(json.dumps(run.to_json()), encoding="utf-8")
    return run


def run_that_says(folder: Path, text: str) -> RunRecord:
    """A run in which everything that comes from outside is `text`."""
    item = finding("x", text)
    executed = [
        write_notebook(folder, "00-report", words("# A title that gives way to the case's"), code()),
        write_notebook(
            folder,
            "01-mine",
            words(f"# {text}\n\n{text}\n\n## {text}"),
            code(card(item)),
            code(shown({"text/html": text}), shown({"text/markdown": text}), shown({"text/latex": text}), shown({"text/plain": text}), shown({"image/svg+xml": text})),
            code({"output_type": "stream", "name": "stdout", "text": text}, source=f"# {text}"),
            code({"output_type": "error", "ename": "E", "evalue": text, "traceback": [text]}),
            code(shown({chart_fallbacks.MIME: figure(text)})),
            problem=text,
        )
    ]  # fmt: skip
    return write_run(folder, [item], executed, text)
