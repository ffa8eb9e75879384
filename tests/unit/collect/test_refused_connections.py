"""Where nothing listens, every client of the network says so in the same words."""

from __future__ import annotations

import asyncio
import socket
import threading
from pathlib import Path

import httpx
import pytest
import websockets
from first_tries import attempt, serving, talk, with_socket
from trying import command, free_port

from proofbook.collect.connection_errors import describe
from proofbook.pipeline import quickstart, try_options


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("scheme", ["http", "ws"])
def test_a_port_where_nobody_listens_is_called_that(host: str, scheme: str) -> None:
    url = f"{scheme}://{host}:{free_port()}"

    async def go() -> None:
        if scheme == "http":
            async with httpx.AsyncClient(trust_env=False) as client:
                await client.get(url)
        else:
            await websockets.connect(url, proxy=None)

    with pytest.raises((httpx.ConnectError, OSError)) as caught:
        asyncio.run(go())
    assert describe(caught.value) == "connection refused: nothing listens there"


def test_other_errors_keep_their_own_words() -> None:
    assert describe(ConnectionResetError(104, "Connection reset by peer")).endswith(
        "Connection reset by peer"
    )


@pytest.mark.slow
def test_the_summary_says_that_nothing_listens(tmp_path: Path) -> None:
    tried = attempt(f"http://127.0.0.1:{free_port()}", base=tmp_path)
    assert tried.verdict == "fail"
    assert "60 ended with connection refused: nothing listens there" in tried.shown


@pytest.mark.slow
def test_no_files_are_kept_of_a_service_that_was_never_seen(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    done = command(tmp_path / "here", "try", url, "--ws", "/ws")
    assert done.returncode == 1 and "nothing listens there" in done.stdout, done.stdout
    assert "not saved · nothing listens there" in done.stderr and "saved · env" not in done.stderr
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["outputs"]


@pytest.mark.slow
def test_what_a_service_was_known_by_outlives_it(tmp_path: Path) -> None:
    with serving(with_socket(talk)) as url:
        attempt(url, base=tmp_path)
    tried = attempt(url, base=tmp_path)
    assert tried.verdict == "fail" and not tried.files.passing
    assert any(said.startswith("saved · ") for said in tried.said), tried.said


@pytest.mark.slow
def test_files_are_kept_of_a_server_that_listens_and_cannot_be_understood(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        options = try_options.Options(url=url, within_s=30.0)
        threading.Thread(target=_hang_up, args=(listening,), daemon=True).start()
        files = quickstart.prepare(options, base=tmp_path, say=lambda _: None)
    assert not files.passing and files.environment.exists()


def _hang_up(listening: socket.socket) -> None:
    """Takes every connection, and ends it without a word."""
    while True:
        try:
            listening.accept()[0].close()
        except OSError:
            return
