"""Size, requests and time of a run's report, beside plain `jupyter nbconvert --to html` of the same notebooks.

    python benchmarks/report.py [RUN]     a run's folder; without one the newest finished run of the rehearsal

Each page is opened from file:// with the network cut off; a time is the median of five openings in headless Chromium, from
the start of navigation to the first chart drawn, or to the end of loading where a page draws none.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright
from plotly.offline import get_plotlyjs
from rich.console import Console
from rich.table import Table

from proofbook import paths as workspace
from proofbook.execution.executor import Executed
from proofbook.report import chart_fallbacks, index, mail, writer
from proofbook.runs import record
from proofbook.runs.record import RunRecord

BASE = Path(__file__).parent.parent
OPENINGS = 5
MANY_CHARTS = 20
MANY_RUNS = 2_000


def newest() -> Path:
    """The newest finished run of the rehearsal."""
    finished = [
        path.parent
        for path in sorted((BASE / "outputs" / "rehearsal").glob("2*/run.json"))
        if json.loads(path.read_text())["ended"]
    ]
    if not finished:
        sys.exit("expected a finished run under outputs/rehearsal, found none; make one: proofbook demo")
    return finished[-1]


def with_many_charts(folder: Path) -> int:
    """Repeats the charts of a run's notebooks until there are twenty; gives how many there are."""
    paths = sorted((folder / "notebooks").glob("0[1-9]*.ipynb"))
    notebooks = [json.loads(path.read_text()) for path in paths]
    drawn = [
        cell
        for notebook in notebooks
        for cell in notebook["cells"]
        if any(chart_fallbacks.MIME in output.get("data", {}) for output in cell.get("outputs", []))
    ]
    missing = max(0, MANY_CHARTS - len(drawn))
    notebooks[-1]["cells"] += [
        {**cell, "id": f"again-{number}"} for number, cell in enumerate(drawn * 2) if number < missing
    ]
    paths[-1].write_text(json.dumps(notebooks[-1]))
    return len(drawn) + missing


def opened(browser: Any, path: Path) -> tuple[float, float, int, int]:
    """(median ms to the first chart or to the end of loading, largest, requests to other addresses, charts drawn at first)."""
    times, asked, drawn = [], 0, 0
    for _ in range(OPENINGS):
        context = browser.new_context(offline=True, viewport={"width": 1440, "height": 900})
        page = context.new_page()
        requests: list[str] = []
        page.on("request", lambda request, requests=requests: requests.append(request.url))
        page.goto(path.as_uri(), wait_until="load")
        page.wait_for_timeout(4000)
        marks = page.evaluate("performance.getEntriesByName('pb-drawn').map(mark => mark.startTime)")
        loaded = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
        times.append(min(marks) if marks else loaded)
        asked = sum(not url.startswith(("file:", "data:", "blob:")) for url in requests)
        drawn = page.locator(".main-svg").count() and page.locator(".js-plotly-plot").count()
        context.close()
    return statistics.median(times), max(times), asked, drawn


def indexing(run: RunRecord) -> tuple[float, float, int]:
    """(seconds to build the index of 2,000 runs, seconds after one more run, bytes of the page)."""
    with tempfile.TemporaryDirectory() as place:
        base = Path(place)
        (base / "notebooks").mkdir()
        text = run.to_text()
        for number in range(MANY_RUNS + 1):
            folder = (
                base
                / "outputs"
                / "rehearsal"
                / f"20260101T{number // 3600:02}{number // 60 % 60:02}{number % 60:02}Z-{number:04x}"
            )
            folder.mkdir(parents=True)
            if number < MANY_RUNS:
                (folder / "run.json").write_text(text)
        began = time.perf_counter()
        index.refresh(base=base)
        first = time.perf_counter() - began
        (folder / "run.json").write_text(text)
        began = time.perf_counter()
        assert len(index.refresh(base=base)) == MANY_RUNS + 1
        return first, time.perf_counter() - began, (base / "outputs" / index.PAGE).stat().st_size


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("run", nargs="?", type=Path)
    run = (given.parse_args().run or newest()).resolve()
    table = Table(
        "what",
        "bytes",
        "requests",
        "first chart, ms",
        "charts in view",
        "promised",
        title=f"{os.cpu_count()} cores, run {run.name}",
    )
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        folder = Path(place) / "outputs" / "rehearsal" / run.name
        shutil.copytree(run, folder, ignore=shutil.ignore_patterns("evidence"))
        content = record.read(folder)
        executed = [
            Executed(
                name=item.name,
                path=folder / "notebooks" / f"{item.name}.ipynb",
                seconds=0.0,
                problem=item.problem,
            )
            for item in content.notebooks
        ]
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--disable-gpu", "--no-sandbox"]
        )

        def row(what: str, path: Path, promised: str) -> None:
            middle, most, asked, drawn = opened(browser, path)
            table.add_row(
                what,
                f"{path.stat().st_size:,}",
                str(asked),
                f"{middle:,.0f} (at most {most:,.0f})",
                str(drawn),
                promised,
            )

        # What no report can beat: the library beside one chart and nothing else.
        bare = Path(place) / "bare.html"
        bare.write_text(
            f"<!doctype html><meta charset=utf-8><title>x</title><div id=p></div><script>{get_plotlyjs()}</script>"
            "<script>Plotly.newPlot('p', [{x: [1, 2], y: [1, 2]}]).then(() => performance.mark('pb-drawn'))</script>",
            encoding="utf-8",
        )
        row("the charts' library alone, one chart", bare, "")
        bare.unlink()
        for shared in (False, True):
            writer.write(folder, run=content, executed=executed, options=writer.Options(shares_assets=shared))
            row(
                f"report{', library shared' if shared else ''}",
                folder / "report.html",
                "400,000 bytes" if shared else "2,500,000 bytes; 1,500 ms",
            )
        path, _ = mail.write(folder, run=content)
        table.add_row(
            "mail",
            f"{path.stat().st_size:,}",
            "0",
            "pictures",
            str(path.read_text().count("<img")),
            "100,000 bytes",
        )
        subprocess.run(
            [sys.executable, "-m", "jupyter", "nbconvert", "--to", "html", "--output-dir", place, *map(str, sorted((folder / "notebooks").glob("*.ipynb")))],
            check=True, capture_output=True,
        )  # fmt: skip
        pages = sorted(Path(place).glob("*.html"))
        results = [opened(browser, page) for page in pages]
        table.add_row(
            f"nbconvert, {len(pages)} files", f"{sum(page.stat().st_size for page in pages):,}", str(sum(asked for _, _, asked, _ in results)),
            f"none; loaded in {statistics.median(middle for middle, *_ in results):,.0f} each", str(sum(drawn for *_, drawn in results)), "",
        )  # fmt: skip
        count = with_many_charts(folder)
        writer.write(folder, run=content, executed=executed, options=writer.Options())
        row(f"report of {count} charts", folder / "report.html", "2,500,000 bytes; 1,500 ms")
        browser.close()
    first, again, size = indexing(content)
    table.add_row(
        f"index of {MANY_RUNS:,} runs",
        f"{size:,}",
        "0",
        f"built in {first:.1f} s; after one more run {again:.2f} s",
        "",
        "",
    )
    Console(width=120).print(table)


if __name__ == "__main__":
    os.environ.setdefault("PROOFBOOK_WORKSPACE", str(BASE))
    workspace.root()
    main()
