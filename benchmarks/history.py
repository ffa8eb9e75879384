"""How commands over all runs take longer with more of them: processor time beside imports, and the page in a browser.

    python benchmarks/history.py [--runs 10000] [--environments 20]

Runs are made in a folder of their own from one run.json of 106 kB, each under a name of its own. Every command is timed with ten
runs and with all of them, side by side, in processes that have imported everything. The browser is Debian's Chromium; without it
the page is left out, in one sentence.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import made

from proofbook.judge.findings import Verdict
from proofbook.report import index
from proofbook.runs import history

RUN_BYTES = 106_000
KEPT = 300


def make(base: Path, *, runs: int, environments: int) -> list[Path]:
    """The folders of new runs, oldest first, of some environments in turn."""
    folders = []
    verdicts = ("pass", "pass", "pass", "inconclusive", "fail")
    for number in range(runs):
        day, second = divmod(number, 80_000)
        run_id = f"2026{1 + day:02}01T{second // 3600:02}{second // 60 % 60:02}{second % 60:02}Z-{number % 65536:04x}"
        folder = base / "outputs" / f"env{number % environments:02}" / run_id
        verdict = verdicts[number % len(verdicts)]
        if number < len(verdicts):
            made.write_run(
                folder, [made.finding("x", "so it is", Verdict(verdict))], [], case="c", verdict=verdict
            )
            content = json.loads((folder / "run.json").read_text())
            content["versions"]["padding"] = "x" * (RUN_BYTES - len(json.dumps(content)))
            template = json.dumps(content)
            shutil.rmtree(folder)
            (base / f"{verdict}-{number}.json").write_text(template)
        folder.mkdir(parents=True)
        os.link(base / f"{verdict}-{number % len(verdicts)}.json", folder / "run.json")
        folders.append(folder)
    return folders


def cpu_s(work: Callable[[], object], *, times: int = 3) -> float:
    """The middle processor time of some tries, in seconds."""
    found = []
    for _ in range(times):
        before = time.process_time()
        work()
        found.append(time.process_time() - before)
    return statistics.median(found)


def figures(base: Path, *, runs: int, environments: int) -> dict[str, float]:
    """What is measured over so many runs, in seconds of processor time."""
    folders = make(base, runs=runs, environments=environments)
    found = {"index written anew, all runs read": cpu_s(lambda: index.refresh(base=base), times=1)}
    found["`history`: runs listed, index there"] = cpu_s(lambda: index.read(base=base))
    found["end of a run"] = cpu_s(lambda: index.add(folders[-1], base=base), times=9)
    entries = history.entries(base=base)
    found[f"`prune --keep {KEPT}`: runs chosen"] = cpu_s(lambda: history.prunable(entries, keep=KEPT))
    gone = history.prunable(entries, keep=min(KEPT, max(1, runs // 20)))
    found["`prune --yes`: deleted, a thousand runs"] = cpu_s(
        lambda: history.prune(gone[:1000], base=base), times=1
    )
    found["bytes of the index"] = (base / "outputs" / history.INDEX).stat().st_size
    return found


def page(base: Path) -> dict[str, float]:
    """How long the page of all runs takes in a browser to load, and to answer a keystroke (the slowest of eight), in milliseconds."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("chromium is not installed: the page is not measured")
        return {}
    from playwright.sync_api import sync_playwright

    index.refresh(base=base)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"] if os.geteuid() == 0 else []
        )
        opened = browser.new_page()
        opened.goto((base / "outputs" / index.PAGE).as_uri())
        opened.wait_for_selector("#pb-filters:not([hidden])")
        load = opened.evaluate("performance.timing.loadEventEnd - performance.timing.navigationStart")
        # From the event to the next frame that is painted.
        typed = """async (letter) => {
            const box = document.querySelector('input[name=words]');
            const began = performance.now();
            box.value += letter;
            box.dispatchEvent(new Event('input', { bubbles: true }));
            await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
            return performance.now() - began;
        }"""
        opened.locator("details").evaluate_all("all => all.forEach((item) => { item.open = true; })")
        taken = [opened.evaluate(typed, letter) for letter in "env03 pa"]
        browser.close()
    return {"page: load": load, "page: slowest keystroke of eight, every group open": max(taken)}


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--runs", type=int, default=10_000)
    given.add_argument("--environments", type=int, default=20)
    asked = given.parse_args()
    os.environ.pop("PROOFBOOK_OUTPUTS", None)
    with tempfile.TemporaryDirectory() as few, tempfile.TemporaryDirectory() as many:
        for place in (few, many):
            (Path(place) / "notebooks").mkdir()
        small = figures(Path(few), runs=10, environments=2)
        large = figures(Path(many), runs=asked.runs, environments=asked.environments)
        shown = page(Path(many))
    table = Table("", "10 runs", f"{asked.runs:,} runs", box=None, padding=(0, 2))
    for name, value in large.items():
        kind = (lambda x: f"{x:,.0f}") if name.startswith("bytes") else (lambda x: f"{1000 * x:,.1f} ms")
        table.add_row(name, kind(small[name]), kind(value))
    for name, value in shown.items():
        table.add_row(name, "", f"{value:,.0f} ms")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
