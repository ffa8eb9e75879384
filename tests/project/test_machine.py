"""Tests that need the machine to themselves get it, and none waits for ever."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import machine
import pytest

LONG_S = 60.0
RoomIn = Callable[[Path], machine.Room]


@pytest.fixture
def room_in() -> Iterator[RoomIn]:
    """Opens the room as another worker does."""
    rooms: list[machine.Room] = []

    def opened(folder: Path) -> machine.Room:
        rooms.append(machine.Room(folder))
        return rooms[-1]

    yield opened
    for room in rooms:
        room.close()


def test_who_is_alone_waits_for_those_inside_and_lets_nobody_in(tmp_path: Path, room_in: RoomIn) -> None:
    inside, alone, late = (room_in(tmp_path) for _ in range(3))
    seen: list[str] = []
    asked, over = threading.Event(), threading.Event()
    inside.enter()

    def wants_to_be_alone() -> None:
        alone.enter()
        asked.set()
        with alone.alone():
            seen.append("alone")
            over.wait(LONG_S)
            seen.append("no longer alone")
        alone.leave()

    def comes_late() -> None:
        late.enter()
        seen.append("late")
        late.leave()

    first = threading.Thread(target=wants_to_be_alone)
    first.start()
    assert asked.wait(LONG_S) and not seen
    inside.leave()
    while not seen:
        first.join(0.01)
    second = threading.Thread(target=comes_late)
    second.start()
    second.join(0.2)
    assert seen == ["alone"]
    over.set()
    first.join(LONG_S)
    second.join(LONG_S)
    assert seen == ["alone", "no longer alone", "late"]


def test_two_who_want_to_be_alone_are_so_one_after_the_other(tmp_path: Path, room_in: RoomIn) -> None:
    together = threading.Barrier(2)
    inside, most = 0, 0

    def go() -> None:
        nonlocal inside, most
        room = room_in(tmp_path)
        room.enter()
        together.wait(LONG_S)
        for _ in range(20):
            with room.alone():
                inside += 1
                most = max(most, inside)
                inside -= 1
        room.leave()

    threads = [threading.Thread(target=go) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG_S)
        assert not thread.is_alive()
    assert most == 1


def asked(tmp_path: Path, answers: list[bool]) -> tuple[bool, int]:
    """What was found at last, and in how many turns; False is open."""
    turns: list[int] = []

    def ask(turn: int) -> bool:
        turns.append(turn)
        return answers[turn]

    with contextlib.closing(machine.Room(tmp_path)) as room:
        room.enter()
        found = machine.asked_again(ask, is_open=lambda told: not told, pids=lambda: [os.getpid()], room=room)
    return found, len(turns)


@pytest.fixture
def share(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    def set_to(share: float) -> None:
        monkeypatch.setattr(machine, "waited_s", lambda _: share * time.monotonic())

    return set_to


@pytest.mark.parametrize("answers", [[True], [False, True], [False, False, False, True]])
def test_a_busy_machine_is_asked_until_it_tells(
    tmp_path: Path, answers: list[bool], share: Callable[[float], None]
) -> None:
    share(0.9)
    assert asked(tmp_path, answers) == (True, len(answers))


def test_what_a_calm_machine_left_open_stays_so(tmp_path: Path, share: Callable[[float], None]) -> None:
    share(0.01)
    assert asked(tmp_path, [False, True]) == (False, 1)


def test_what_stays_open_alone_is_so_unless_nothing_got_to_run(
    tmp_path: Path, share: Callable[[float], None]
) -> None:
    share(0.3)
    assert asked(tmp_path, [False] * 4) == (False, 4)
    share(0.9)
    with pytest.raises(pytest.skip.Exception, match="alone, its processes waited for a processor"):
        asked(tmp_path, [False] * 4)
