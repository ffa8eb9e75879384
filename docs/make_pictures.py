"""Makes the README's pictures from real runs: `python docs/make_pictures.py RUN_PASS RUN_FAIL`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

PICTURES = Path(__file__).parent / "pictures"


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


if __name__ == "__main__":
    main(*sys.argv[1:3])
