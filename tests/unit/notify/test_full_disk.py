"""On a full disk people are told, once, and when there is room again, the state of what was told goes on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
import receivers
import told
from conftest import on_a_disk, with_notebooks

from proofbook.config import environment as environments
from proofbook.errors import NoRoom
from proofbook.notify import deliver, ended, state

HOUR = dt.timedelta(hours=1)
WEBHOOK = '[[notify.webhook]]\nurl = { env = "PROOFBOOK_TEST_WEBHOOK" }\n'


class Place:
    """An environment whose runs lie on a disk of their own, and what was said of telling people."""

    def __init__(self, base: Path, hook: receivers.Webhook) -> None:
        told.state_environment(base, "eu", WEBHOOK)
        self.base, self.hook, self.at, self.said = base, hook, told.START, list[str]()
        found = deliver.desk(environments.load("eu", base=base), base=base, say=self.said.append)
        assert found is not None
        self.desk = found

    @property
    def filler(self) -> Path:
        return self.desk.folder / "filler"

    def end(self, verdict: str) -> None:
        self.at += HOUR
        folder = told.add_run(self.base, "eu", self.at, verdict)
        deliver.of_run(self.desk, folder.name, now=self.at)

    def lose(self) -> None:
        """A run that leaves nothing, since there is no room."""
        self.at += HOUR
        error = NoRoom("No space left on device: outputs/eu")
        deliver.of_lost(self.desk, ended.lost("eu", "c", error, now=self.at), now=self.at)

    def fill(self) -> None:
        with pytest.raises(OSError), self.filler.open("wb", buffering=0) as out:
            while True:
                out.write(bytes(4096))

    def told(self) -> list[str]:
        return [text.splitlines()[0].partition("c: ")[2] for text in self.hook.texts]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    base = with_notebooks(tmp_path)
    monkeypatch.setenv("PROOFBOOK_WORKSPACE", str(base))
    (base / "outputs").mkdir()
    with receivers.webhook() as hook, on_a_disk(base / "outputs" / "eu", size_kb=512):
        monkeypatch.setenv("PROOFBOOK_TEST_WEBHOOK", hook.url)
        yield Place(base, hook)


def test_a_verdict_that_changes_while_the_disk_is_full_is_told_then_and_once(place: Place) -> None:
    place.end("pass")
    place.at += HOUR
    failed = told.add_run(place.base, "eu", place.at, "fail")
    place.fill()
    for _ in range(3):
        deliver.of_run(place.desk, failed.name, now=place.at)
    assert place.told() == ["pass → fail"]
    place.filler.unlink()
    place.end("fail")
    place.end("pass")
    assert place.told() == ["pass → fail", "recovered: fail → pass"]
    assert place.said == []


def test_runs_that_a_full_disk_leaves_nothing_of_are_told_once_and_their_recovery_too(place: Place) -> None:
    place.end("pass")
    place.fill()
    for _ in range(3):
        place.lose()
    assert place.told() == ["pass → error"]
    assert place.hook.texts[0].splitlines()[2:] == [
        "there is no room to write: No space left on device: outputs/eu; make room there, then try again"
    ], "no run is named, since there is none"
    place.filler.unlink()
    place.end("pass")
    assert place.told() == ["pass → error", "recovered: error → pass"]
    assert place.said == []


def test_runs_before_the_one_that_was_lost_are_told_first(place: Place) -> None:
    place.end("pass")
    place.at += HOUR
    told.add_run(place.base, "eu", place.at, "fail")
    place.lose()
    assert place.told() == ["pass → fail", "fail → error"]


def test_a_receiver_that_is_down_while_the_disk_is_full_is_told_later_and_once(place: Place) -> None:
    place.end("pass")
    place.fill()
    place.hook.answers = [500]
    place.lose()
    assert place.told() == [] and "was not told" in place.said[0]
    place.lose()
    assert place.told() == ["pass → error"]
    assert deliver.retry(place.desk, now=place.at) == 0
    assert place.told() == ["pass → error"]


def test_what_cannot_be_noted_at_all_is_told_with_a_word_that_it_may_come_again(place: Place) -> None:
    """There is no earlier state, whose room could be used."""
    place.fill()
    place.lose()
    assert place.told() == ["no earlier verdict → error"]
    assert "cannot be noted" in place.said[0] and "No space left on device" in place.said[0]
    assert len(place.said) == 1 and not (place.desk.folder / state.FILE).exists()


def test_a_state_without_spare_room_is_not_cut_short(place: Place) -> None:
    place.end("pass")
    file = place.desk.folder / state.FILE
    file.write_text(file.read_text().rstrip())
    before = file.read_text()
    place.fill()
    place.hook.answers = [500]
    place.lose()
    assert file.read_text() == before, "what does not fit is not written in part"
    assert place.told() == [] and "may be told again" in place.said[0]
    place.lose()
    assert place.told() == ["pass → error"]
