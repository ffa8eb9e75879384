"""JupyterLab in a browser, as an analyst has it: a server of its own, a page with a notebook, and what stands in its cells."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import trying

MISSING = next((f"{name} is not installed: pip install 'proofbook[lab]'" for name in ("jupyterlab", "anywidget") if importlib.util.find_spec(name) is None), "")  # fmt: skip
TOKEN = "of-this-test"
# How long anything may take before something is broken, whoever else is at work on the machine.
PATIENCE_S = 120.0


@contextlib.contextmanager
def server(workspace: Path, own: Path) -> Iterator[str]:
    """The address of a JupyterLab over a workspace, ended with its kernels at the end. own: a folder for what it writes."""
    port = trying.free_port()
    places = {f"JUPYTER_{name}": str(own / name) for name in ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")}
    places |= {"IPYTHONDIR": str(own / "ipython"), "JUPYTERLAB_SETTINGS_DIR": str(own / "settings")}
    words = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser", "--ip", "127.0.0.1", "--port", str(port),
        "--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={workspace}",
        "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate",
    ]  # fmt: skip
    asks = own / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    asks.parent.mkdir(parents=True)
    asks.write_text('{"fetchNews": "false", "checkForUpdates": false}')
    with (own / "lab.log").open("wb") as log:
        process = subprocess.Popen(words, cwd=workspace, stdout=log, stderr=log, env={**os.environ, **places, "PROOFBOOK_WORKSPACE": str(workspace)})  # fmt: skip
    try:
        trying.wait_for(process, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Notebook:
    """A notebook in a page of JupyterLab. wrong: what the page complained of."""

    def __init__(self, context: Any, address: str, workspace: Path, name: str) -> None:
        self.file = workspace / name
        self.page = context.new_page()
        self.page.set_default_timeout(1000 * PATIENCE_S)
        self.wrong: list[str] = []
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("console", lambda message: self.wrong.append(message.text) if message.type == "error" and "proofbook" in message.text.lower() else None)  # fmt: skip
        self.page.goto(f"{address}/lab/tree/{name}?token={TOKEN}&reset")
        self.page.locator(".jp-Notebook").wait_for()
        self.page.evaluate(
            "async () => { const panel = window.jupyterapp.shell.currentWidget; await panel.context.ready; await panel.sessionContext.ready }"
        )
        self.idle()

    def command(self, name: str, **arguments: object) -> None:
        """A command of JupyterLab, as its menus give it; not waited for."""
        self.page.evaluate("([name, given]) => { window.jupyterapp.commands.execute(name, given) }", [name, arguments])  # fmt: skip

    def idle(self) -> None:
        """Waits until the kernel is there and has nothing to do."""
        self.until(lambda: self.status() == "idle")

    def status(self) -> str:
        """The status of the kernel; empty without one."""
        return str(
            self.page.evaluate(
                "() => window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status ?? ''"
            )
        )

    def run_all(self) -> None:
        """Runs all cells and waits until they ran."""
        self.command("notebook:run-all-cells")
        self.all_ran()

    def all_ran(self) -> None:
        """Waits until no cell waits or runs, and what can be brushed is drawn."""
        self.until(lambda: self.counts()[-1:] != [None] and all(count is not None for count in self.counts()))
        self.idle()
        self.page.locator(".pb-live .pb-head").first.wait_for()

    def counts(self) -> list[int | None]:
        """The execution counts of its code cells; None of one that runs or has not run."""
        found: list[int | None] = self.page.evaluate(
            """() => [...window.jupyterapp.shell.currentWidget.content.model.cells].filter((cell) => cell.type === "code").map((cell) => cell.executionCount)"""
        )
        return found

    def text_of(self, code: str) -> str:
        """What a cell with this code prints, put at the end and run."""
        before = len(self.counts())
        self.page.evaluate(
            """(code) => {
                const panel = window.jupyterapp.shell.currentWidget;
                panel.content.model.sharedModel.addCell({ cell_type: "code", source: code });
                panel.content.activeCellIndex = panel.content.widgets.length - 1;
                window.jupyterapp.commands.execute("notebook:run-cell");
            }""",
            code,
        )
        self.until(lambda: len(self.counts()) > before and self.counts()[-1] is not None)
        return str(self.page.locator(".jp-CodeCell").last.locator(".jp-OutputArea-output").last.text_content()).strip()  # fmt: skip

    def outputs(self) -> list[Any]:
        """The outputs of all code cells as the saved file holds them."""
        self.page.evaluate("async () => { await window.jupyterapp.shell.currentWidget.context.save() }")
        return outputs(self.file)

    def until(self, holds: Callable[[], bool], *, within_s: float = PATIENCE_S) -> float:
        """Waits until something holds; gives how long it took."""
        began = time.monotonic()
        while not holds():
            assert time.monotonic() - began < within_s, f"not within {within_s:g} s"
            self.page.wait_for_timeout(30)
        return time.monotonic() - began

    def in_view(self, place: str) -> Any:
        """An element in the middle of the window."""
        found = self.page.locator(place).first
        found.evaluate("(node) => node.scrollIntoView({ block: 'center' })")
        return found

    def brush(self, start: float, end: float) -> None:
        """Brushes from one part of the time axis to another, with the mouse."""
        box = self.in_view(".pb-over").bounding_box()
        middle = box["y"] + box["height"] / 2
        self.page.mouse.move(box["x"] + box["width"] * start, middle)
        self.page.mouse.down()
        self.page.mouse.move(box["x"] + box["width"] * end, middle, steps=5)
        self.page.mouse.up()

    def contrasts(self, place: str) -> dict[str, float]:
        """Every text in a place with the contrast (WCAG) that its colour has with the paper behind it."""
        found: dict[str, float] = self.page.evaluate(CONTRASTS, place)
        return found


CONTRASTS = """(place) => {
    const parts = (text) => { const [r, g, b, a = 1] = text.match(/[0-9.]+/g).map(Number); return [r, g, b, a]; };
    const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
    const light = (colour) => colour.slice(0, 3).map((part) => part / 255).map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
        .reduce((sum, part, number) => sum + part * [0.2126, 0.7152, 0.0722][number], 0);
    const found = {};
    for (const node of document.querySelectorAll(`${place}, ${place} *`)) {
        const text = [...node.childNodes].filter((child) => child.nodeType === 3).map((child) => child.data.trim()).join(" ").trim();
        if (!text || node.tagName === "STYLE") continue;
        const behind = [];
        let paper = node;
        for (; paper; paper = paper.parentElement) {
            behind.push(parts(getComputedStyle(paper).backgroundColor));
            if (behind.at(-1)[3] === 1) break;
        }
        const ground = behind.reverse().reduce((below, colour) => over(colour, below), [255, 255, 255, 1]);
        const [one, other] = [light(over(parts(getComputedStyle(node).color), ground)), light(ground)].sort((a, b) => b - a);
        found[text.slice(0, 80)] = Math.min(found[text.slice(0, 80)] ?? 99, (one + 0.05) / (other + 0.05));
    }
    return found;
}"""


def outputs(file: Path) -> list[Any]:
    """The outputs of the code cells of a notebook."""
    return [cell["outputs"] for cell in json.loads(file.read_text())["cells"] if cell["cell_type"] == "code"]
