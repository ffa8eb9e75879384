"""The incident notebook in a real JupyterLab in a real browser: run, brush, stop, restart, reopen."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lab
import machine
import papermill
import pytest
from conftest import with_notebooks
from lab import Notebook
from test_interrupted_notebook import AT_MOST_S, Server

from proofbook.investigation import practice

pytestmark = [
    pytest.mark.browser,
    pytest.mark.long,
    pytest.mark.skipif(bool(lab.MISSING), reason=lab.MISSING),
]
NAME = "notebooks/10-incident.ipynb"
STOP = '.jp-NotebookPanel-toolbar [data-command="notebook:interrupt-kernel"], .jp-NotebookPanel-toolbar [title*="Interrupt"]'


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace of its own, in which cells are run and notebooks saved."""
    return with_notebooks(tmp_path_factory.mktemp("analyst"))


@pytest.fixture(scope="module")
def address(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with lab.server(base, tmp_path_factory.mktemp("jupyter")) as found:
        yield found


@pytest.fixture
def context(browser: Any) -> Iterator[Any]:
    made = browser.new_context(viewport={"width": 1400, "height": 1000})
    made.grant_permissions(["clipboard-read", "clipboard-write"])
    yield made
    made.close()


def new(context: Any, address: str, base: Path, name: str) -> Notebook:
    """A page with a copy of the incident notebook under another name, so that tests do not share a kernel."""
    shutil.copy(base / NAME, base / f"{name}.ipynb")
    return Notebook(context, address, base, f"{name}.ipynb")


def with_code(context: Any, address: str, base: Path, name: str, code: str) -> Notebook:
    """A page with a notebook of one cell."""
    import nbformat

    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)], metadata=kernel)
    nbformat.write(notebook, base / f"{name}.ipynb")
    return Notebook(context, address, base, f"{name}.ipynb")


def head(notebook: Notebook) -> str:
    return str(notebook.page.locator(".pb-head").first.text_content())


def code(notebook: Notebook) -> str:
    return str(notebook.page.locator(".pb-code-line code").first.text_content())


def test_a_brush_changes_what_stands_below_and_its_code_gives_the_same(
    context: Any, address: str, base: Path
) -> None:
    notebook = new(context, address, base, "brushed")
    began = time.monotonic()
    notebook.command("notebook:run-all-cells")
    notebook.page.locator("[data-pb-look]").first.wait_for()
    first_s = time.monotonic() - began
    notebook.all_ran()
    print(f"\nfirst picture after {first_s:.1f} s, all after {time.monotonic() - began:.1f} s")
    notebook.in_view(".pb-live")
    assert notebook.page.locator(".pb-live").count() == 1
    assert not notebook.page.locator(".pb-static").first.is_visible()
    assert notebook.page.locator(".pb-changes").first.is_visible()
    assert head(notebook) == "24,147 entries, 24,000 requests, 147 of them went wrong"
    facets, entries = (notebook.page.locator(place).first.text_content() for place in (".pb-live .pb-facets", ".pb-live .pb-lines"))  # fmt: skip

    notebook.brush(0.95, 0.99)
    took = notebook.until(lambda: not head(notebook).startswith("24,147"))
    print(f"a brush was followed after {took:.2f} s")
    assert code(notebook).startswith('look.between("13:42:00"')
    assert notebook.page.locator(".pb-live .pb-facets").first.text_content() != facets
    assert notebook.page.locator(".pb-live .pb-lines").first.text_content() != entries

    by_mouse = head(notebook)
    for key in ("ArrowLeft", "ArrowLeft", "Shift+ArrowLeft"):
        notebook.page.keyboard.press(key)
    notebook.until(lambda: head(notebook) != by_mouse and "13:40:00" in code(notebook))
    by_keyboard = head(notebook)
    notebook.page.keyboard.press("Enter")
    notebook.until(lambda: notebook.page.evaluate("navigator.clipboard.readText()") == code(notebook))

    notebook.page.locator(".pb-facets button", has_text="eu").first.click()
    notebook.until(lambda: code(notebook).endswith('.where(region="eu")') and head(notebook) != by_keyboard)
    asked = "print(f'{len(it):,} entries, {it.overview.facets.count:,} requests, {it.overview.facets.wrong:,} of them went wrong')"
    shown = head(notebook)
    assert notebook.text_of(f"it = {code(notebook)}\n{asked}") == shown
    assert notebook.text_of(f"it = look.brushed\n{asked}") == shown
    assert notebook.wrong == []


@pytest.mark.extended
def test_restart_papermill_and_lab_give_the_same_outputs(
    context: Any, address: str, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = new(context, address, base, "again")
    notebook.run_all()
    once = notebook.outputs()
    notebook.command("notebook:restart-run-all")
    notebook.page.locator(".jp-Dialog .jp-mod-accept").click()
    notebook.until(lambda: None in notebook.counts())
    notebook.until(lambda: None not in notebook.counts())
    notebook.idle()
    notebook.page.locator(".pb-live").first.wait_for()
    assert notebook.outputs() == once
    monkeypatch.chdir(base)
    monkeypatch.setenv("PROOFBOOK_WORKSPACE", str(base))
    papermill.execute_notebook(str(base / NAME), str(tmp_path / "by.ipynb"), progress_bar=False, kernel_name="python3")  # fmt: skip
    assert lab.outputs(tmp_path / "by.ipynb") == once


@pytest.mark.extended
def test_reopened_without_its_kernel_the_picture_is_there_and_no_error(
    context: Any, address: str, base: Path
) -> None:
    notebook = new(context, address, base, "closed")
    notebook.run_all()
    notebook.outputs()
    notebook.command("notebook:shutdown-kernel")
    notebook.until(lambda: notebook.status() == "")
    notebook.page.close()
    again = Notebook(context, address, base, "closed.ipynb")
    again.in_view(".pb-static")
    assert again.page.locator(".pb-static").first.is_visible()
    assert again.page.locator(".pb-static svg").first.is_visible()
    assert again.page.locator(".pb-live").count() == 0
    again.page.wait_for_timeout(1500)  # nothing can be waited for: this is about what does not come
    assert not again.page.get_by_text("Error displaying widget").is_visible()
    assert not again.page.get_by_text("Loading widget").is_visible()


@pytest.mark.extended
@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_everything_can_be_read_on_light_and_on_dark_paper(
    theme: str, context: Any, address: str, base: Path
) -> None:
    notebook = new(context, address, base, theme.replace(" ", "-"))
    notebook.command("apputils:change-theme", theme=theme)
    notebook.page.locator(f'body[data-jp-theme-name="{theme}"]').wait_for(state="attached")
    notebook.run_all()
    notebook.brush(0.9, 0.97)
    notebook.until(lambda: "between" in code(notebook))
    for place, least in ((".pb-look", 60), (".pb-finding", 20), (".dataframe", 5)):
        texts = notebook.contrasts(place)
        assert len(texts) >= least
        assert min(texts.items(), key=lambda text: text[1])[1] >= 4.5, min(
            texts.items(), key=lambda text: text[1]
        )


def kept_waiting_s(kernel: int) -> float:
    """Seconds in which the kernel, its server and the browser could have run and were not let."""
    # One after the other they pass the prompt on; the kernel reads with as many threads as there are processors, and each waits.
    others = sum(machine.waited_s(pid) for pid in machine.below(os.getpid()) if pid != kernel)
    return others + machine.waited_s(kernel) / (os.cpu_count() or 1)


def run_first(notebook: Notebook) -> None:
    """Runs the first cell, also after others were run; not waited for."""
    notebook.page.evaluate("() => { const shown = window.jupyterapp.shell.currentWidget.content; shown.activeCellIndex = 0; shown.deselectAll() }")  # fmt: skip
    notebook.command("notebook:run-cell")


@pytest.mark.extended
def test_stop_gives_the_prompt_back_in_the_middle_of_a_long_look(
    context: Any, address: str, base: Path
) -> None:
    made = practice.requests(5, hours=6, count=360_000)
    practice.write(made, base / "long.json")
    source = f"import proofbook as pb\nlook = pb.look({str(base / 'long.json')!r})\nprint(len(look.records.source.files))"
    notebook = with_code(context, address, base, "long", source)
    kernel = int(notebook.text_of("import os, proofbook as pb; pb.look; print(os.getpid())"))
    folders = set(Path(tempfile.gettempdir()).glob("proofbook-looked-at-*"))
    for _ in range(2):
        run_first(notebook)
        notebook.until(lambda: notebook.status() == "busy")
        notebook.page.wait_for_timeout(1500)
        assert notebook.status() == "busy"
        pressed, waited = time.monotonic(), kept_waiting_s(kernel)
        notebook.page.locator(STOP).first.click()
        notebook.idle()
        took, waited = time.monotonic() - pressed, kept_waiting_s(kernel) - waited
        print(f"\nprompt back after {took:.2f} s, of which {waited:.2f} s were waited for a processor")
        assert took - waited <= 2.0
        told = str(notebook.page.locator(".jp-CodeCell").first.locator(".jp-OutputArea").text_content())
        assert told.strip().endswith("KeyboardInterrupt:") and "Query interrupted" not in told
    assert set(Path(tempfile.gettempdir()).glob("proofbook-looked-at-*")) <= folders
    assert notebook.text_of("print(6 * 7)") == "42"


def test_stop_stops_the_probes_of_a_live_collection(context: Any, address: str, base: Path) -> None:
    server = Server()
    try:
        environment = base / "e.toml"
        environment.write_text(f'[[service]]\nname = "api"\nurl = "{server.url}"\nhealth = "/health"\n[pace]\nper_s = 20.0\ntimeout_s = 20.0\n')  # fmt: skip
        notebook = with_code(context, address, base, "live", f"import proofbook as pb\nbook = pb.open({str(environment)!r})")  # fmt: skip
        kernel = int(notebook.text_of("import os; print(os.getpid())"))
        run_first(notebook)
        notebook.until(lambda: len(server.asked) >= 20)
        pressed, waited = time.monotonic(), kept_waiting_s(kernel)
        notebook.page.locator(STOP).first.click()
        notebook.idle()
        count, waited = len(server.asked), kept_waiting_s(kernel) - waited
        time.sleep(2)  # nothing can be waited for: this is about what does not come
        last_s = server.asked[-1] - pressed
        print(
            f"\nlast probe {last_s:.2f} s after the button, of which {waited:.2f} s were waited for a processor"
        )
        assert len(server.asked) == count and last_s - waited <= AT_MOST_S
        assert notebook.text_of("print(6 * 7)") == "42"
    finally:
        server.end()
