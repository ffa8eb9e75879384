"""Whole runs that nobody looks at: of a service that is well, breaks and is mended, with a chat that is told and that goes down."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import receivers
from conftest import on_a_disk, proofbook, with_notebooks
from shops import shops

from proofbook.runs import history, retention

CASE = 'title = "The shop answers"\n'


@pytest.mark.long
def test_a_change_of_verdict_is_told_by_the_run_that_finds_it(tmp_path: Path) -> None:
    base = with_notebooks(tmp_path)
    (base / "notebooks" / "cases" / "shop.toml").write_text(CASE)
    with shops() as server, receivers.webhook() as chat:
        (base / "notebooks" / "environments" / "eu.toml").write_text(
            f'every = "1h"\ncase = "shop"\n[[service]]\nname = "shop"\nurl = "{server.url}"\n[pace]\nper_s = 200\n'
            '[[notify.webhook]]\nurl = { env = "CHAT_WEBHOOK" }\n[metrics]\ntextfile = "eu.prom"\n[retention]\nkeep = 2\nevidence = 1\nfailures = 1\nfirst_failures = 1\n'
        )

        def run(*words: str) -> tuple[int, str]:
            done = proofbook("run", "eu", *words, cwd=base, workspace=base, CHAT_WEBHOOK=chat.url)
            assert "very-secret-path" not in done.stdout + done.stderr
            return done.returncode, done.stderr

        assert run()[0] == 0
        server.broken.add("")
        assert run()[0] == 1
        assert len(chat.texts) == 1
        held, broken = sorted((base / "outputs" / "eu").glob("*/run.json"))
        screen = json.loads(broken.read_text())["summary"]
        [told] = screen["last_held"]
        assert (told["run_id"], told["runs_since"], told["same_settings"]) == (held.parent.name, 0, True)
        assert f"{told['finding']} last held in run {held.parent.name} (" in screen["since"]
        assert ", with the same settings)." in screen["since"]
        # The chat is down when the service is mended: the run says so, and its verdict is what it is.
        server.broken.clear()
        chat.answers = [500]
        code, said = run()
        assert code == 0 and "notify: webhook was not told: answered 500" in said
        before = len(list((base / "outputs" / "eu").glob("*/run.json")))
        # Recorded evidence says nothing of now.
        evidence = history.entries(base=base)[-1].run_id
        assert run("--evidence", evidence)[0] == 0
        assert len(chat.texts) == 1
        code, said = run()
        assert code == 0
        assert [text.splitlines()[0] for text in chat.texts] == [
            "✘ eu · shop: pass → fail",
            "✔ eu · shop: recovered: fail → pass",
        ]
        assert "60 of 60" not in chat.texts[0] and "500" in chat.texts[0]
        assert (
            'proofbook_verdict{case="shop",environment="eu",verdict="pass"} 1.0'
            in (base / "eu.prom").read_text()
        )
        runs = sorted((base / "outputs" / "eu").glob("*/run.json"))
        assert before == 3 and len(runs) == 4, "the pass before the failure, the failure, and the newest two"
        assert [bool(retention.removed_since(path.parent)) for path in runs] == [False, False, True, False]
        done = proofbook("due", cwd=base, workspace=base)
        assert done.returncode == 0 and done.stdout.startswith("eu: in time: the last run ended ")


def test_a_run_that_could_not_look_is_told_too(tmp_path: Path) -> None:
    base = with_notebooks(tmp_path)
    (base / "notebooks" / "cases" / "shop.toml").write_text(CASE)
    with receivers.webhook() as chat:
        (base / "notebooks" / "environments" / "eu.toml").write_text(
            'case = "shop"\n[[service]]\nname = "shop"\nurl = "http://no-such-host.invalid"\n[[notify.webhook]]\nurl = { env = "CHAT_WEBHOOK" }\n'
        )
        for _ in range(2):
            done = proofbook("run", "eu", cwd=base, workspace=base, CHAT_WEBHOOK=chat.url)
            assert done.returncode == 4, done.stderr
        assert [text.splitlines()[0] for text in chat.texts] == ["! eu · shop: no earlier verdict → error"]
        assert "no-such-host.invalid" in chat.texts[0]


@pytest.mark.extended
def test_a_run_that_a_full_disk_leaves_nothing_of_is_told_once_and_goes_on_when_there_is_room(
    tmp_path: Path,
) -> None:
    base = with_notebooks(tmp_path)
    (base / "notebooks" / "cases" / "shop.toml").write_text(CASE)
    (base / "outputs").mkdir()
    with shops() as server, receivers.webhook() as chat, on_a_disk(base / "outputs" / "eu", size_kb=16_000):
        (base / "notebooks" / "environments" / "eu.toml").write_text(
            f'case = "shop"\n[[service]]\nname = "shop"\nurl = "{server.url}"\n[pace]\nper_s = 200\n'
            '[[notify.webhook]]\nurl = { env = "CHAT_WEBHOOK" }\n'
        )

        def run() -> tuple[int, str]:
            done = proofbook("run", "eu", "--assets", "shared", cwd=base, workspace=base, CHAT_WEBHOOK=chat.url)  # fmt: skip
            return done.returncode, done.stderr

        assert run()[0] == 0
        filler = base / "outputs" / "eu" / "filler"
        with pytest.raises(OSError), filler.open("wb", buffering=0) as out:
            while True:
                out.write(bytes(4096))
        for _ in range(2):
            code, said = run()
            assert code == 4 and "there is no room to write: No space left on device" in said
            assert "internal error" not in said
        assert [text.splitlines()[0] for text in chat.texts] == ["! eu · shop: pass → error"]
        assert "there is no room to write" in chat.texts[0]
        filler.unlink()
        assert run()[0] == 0
        assert chat.texts[1].splitlines()[0] == "✔ eu · shop: recovered: error → pass"
        assert len(chat.texts) == 2
