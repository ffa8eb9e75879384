"""Stop in a notebook stops what was begun: a real kernel, a real server that counts, and a program that says that it lives."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

from proofbook.concurrency import sync

pytestmark = pytest.mark.waits

# What an interrupt may still let through: a request that was on its way.
AT_MOST_S = 1.0


class Server:
    """A healthy service on loopback; `asked` holds when each request came."""

    def __init__(self, *, answer_after_s: float = 0.0) -> None:
        self.asked: list[float] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.asked.append(time.monotonic())
                time.sleep(answer_after_s)
                body = b'{"status": "ok"}'
                found = self.path == "/health"
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def end(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def kernel(workspace: Path) -> Iterator[Any]:
    """A client of a kernel of its own, as a notebook has it; ended with the test."""
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(workspace))
    try:
        yield manager, client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.context.destroy(linger=0)


def until(holds: Callable[[], bool], *, within_s: float = 60.0) -> None:
    over = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < over, f"not within {within_s:g} s"
        time.sleep(0.02)


def reply(client: Any, asked: str, *, within_s: float) -> dict[str, Any]:
    """What the kernel answers to a cell."""
    over = time.monotonic() + within_s
    while True:
        message = client.get_shell_msg(timeout=max(0.1, over - time.monotonic()))
        if message["parent_header"]["msg_id"] == asked:
            content: dict[str, Any] = message["content"]
            return content


def answers_again(client: Any, *, within_s: float = 30.0) -> bool:
    """Whether a later cell runs to its end. ipykernel aborts the cells that wait behind an interrupted one, and those that
    come within a moment of it too: they are sent again."""
    over = time.monotonic() + within_s
    while time.monotonic() < over:
        status = reply(client, client.execute("print(6 * 7)"), within_s=within_s)["status"]
        if status != "aborted":
            return bool(status == "ok")
    return False


def begin(client: Any, environment: Path) -> str:
    source = f"import proofbook as pb\nbook = pb.open({str(environment)!r})"
    asked: str = client.execute(source)
    return asked


@pytest.mark.parametrize("answer_after_s", [0.0, 5.0])
def test_stop_stops_the_probes_and_the_kernel_answers(
    answer_after_s: float, kernel: Any, tmp_path: Path
) -> None:
    server = Server(answer_after_s=answer_after_s)
    try:
        manager, client = kernel
        (tmp_path / "e.toml").write_text(
            f'[[service]]\nname = "api"\nurl = "{server.url}"\nhealth = "/health"\n[pace]\nper_s = 20.0\ntimeout_s = 20.0\n'
        )
        cell = begin(client, tmp_path / "e.toml")
        least = 20 if answer_after_s == 0 else 3
        until(lambda: len(server.asked) >= least)
        pressed = time.monotonic()
        manager.interrupt_kernel()
        answer = reply(client, cell, within_s=AT_MOST_S + sync.PATIENCE_S)
        assert (answer["status"], answer["ename"]) == ("error", "KeyboardInterrupt")
        assert server.asked[-1] <= pressed + AT_MOST_S
        assert answers_again(client)
        count = len(server.asked)
        time.sleep(2)  # nothing can be waited for: this is about what does not come
        assert len(server.asked) == count and server.asked[-1] <= pressed + AT_MOST_S
    finally:
        server.end()


def test_stop_ends_the_program_that_a_log_is_read_from(kernel: Any, tmp_path: Path) -> None:
    manager, client = kernel
    beat = tmp_path / "beat"
    program = f"import pathlib, time\\nfor _ in range(400): pathlib.Path('{beat}').write_text(str(time.time())); time.sleep(0.05)"
    (tmp_path / "e.toml").write_text(
        f'[[log]]\nname = "backend"\ncommand = ["{{python}}", "-c", "{program}"]\ntimeout_s = 60\n'
    )
    cell = begin(client, tmp_path / "e.toml")
    until(beat.exists)
    pressed = time.monotonic()
    manager.interrupt_kernel()
    assert reply(client, cell, within_s=10)["ename"] == "KeyboardInterrupt"
    assert time.monotonic() - pressed < sync.PATIENCE_S
    last = beat.read_text()
    time.sleep(1)
    assert beat.read_text() == last


def test_work_that_will_not_end_is_not_waited_for_without_end(kernel: Any, tmp_path: Path) -> None:
    manager, client = kernel
    mark = tmp_path / "begun"
    source = (
        "import asyncio, pathlib, time\n"
        "from proofbook.concurrency import sync\n"
        "async def stubborn():\n"
        f"    pathlib.Path({str(mark)!r}).write_text('')\n"
        "    await asyncio.to_thread(time.sleep, 30)\n"
        "sync.run(stubborn())"
    )
    cell = client.execute(source)
    until(mark.exists)
    manager.interrupt_kernel()
    assert reply(client, cell, within_s=sync.PATIENCE_S + 4)["ename"] == "KeyboardInterrupt"


async def _twice(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


async def _fails() -> None:
    raise ValueError("as it should")


def test_results_and_errors_come_back_with_and_without_a_loop() -> None:
    async def inside() -> int:
        with pytest.raises(ValueError, match="as it should"):
            sync.run(_fails())
        return sync.run(_twice(21))

    assert sync.run(_twice(21)) == 42
    assert asyncio.run(inside()) == 42
    with pytest.raises(ValueError, match="as it should"):
        sync.run(_fails())
    sync.raise_if_stopped()


def test_a_thread_of_work_that_broke_is_told_to_stop() -> None:
    told, began = threading.Event(), threading.Event()

    def asks_again_and_again() -> None:
        began.set()
        try:
            while True:
                sync.raise_if_stopped()
                time.sleep(0.01)
        except KeyboardInterrupt:
            told.set()

    async def both() -> None:
        beside = asyncio.create_task(asyncio.to_thread(asks_again_and_again))
        while not began.is_set():  # noqa: ASYNC110  # set by a thread
            await asyncio.sleep(0.01)
        assert not beside.done()
        raise ValueError("the other half")

    with pytest.raises(ValueError, match="the other half"):
        sync.run(both())
    assert told.is_set()
