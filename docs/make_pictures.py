"""Makes the pictures of the documentation: `python docs/make_pictures.py RUN_PASS RUN_FAIL` from real runs, `… look` of the incident made up for practice."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs" / "pictures"


def main(passed: str, failed: str) -> None:
    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for run, scheme, name in ((passed, "light", "report-light"), (failed, "dark", "report-fail-dark")):
            context = browser.new_context(
                offline=True, viewport={"width": 1280, "height": 860}, color_scheme=scheme
            )
            page = context.new_page()
            page.goto((Path(run).resolve() / "report.html").as_uri())
            page.wait_for_timeout(2500)
            page.screenshot(path=PICTURES / f"{name}.png")
        browser.close()


def look() -> None:
    """The incident notebook in JupyterLab, brushed, and the page of a look."""
    sys.path.insert(0, str(ROOT / "tests"))
    import lab

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        base = Path(folder)
        shutil.copytree(ROOT / "notebooks", base / "notebooks")
        subprocess.run(
            [sys.executable, "-m", "proofbook.cli", "look", "--html", "look.html"], cwd=base, check=True
        )
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 860}, color_scheme="light")
        page.goto((base / "look.html").as_uri())
        page.screenshot(path=PICTURES / "look-page.png")
        with lab.server(base, base / "jupyter") as address:
            context = browser.new_context(viewport={"width": 1280, "height": 900})
            notebook = lab.Notebook(context, address, base, "notebooks/10-incident.ipynb")
            notebook.command("apputils:change-theme", theme="JupyterLab Dark")
            notebook.command("application:toggle-left-area")
            notebook.run_all()
            notebook.brush(0.94, 0.985)
            notebook.until(
                lambda: "between" in str(notebook.page.locator(".pb-code-line code").first.text_content())
            )
            notebook.page.screenshot(path=PICTURES / "look-lab.png")
        browser.close()


if __name__ == "__main__":
    if sys.argv[1:] == ["look"]:
        look()
    else:
        main(*sys.argv[1:3])
