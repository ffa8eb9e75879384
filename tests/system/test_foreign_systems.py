"""Servers of others from the registries, as the first `proofbook try` meets them: well where they are, not well where they are broken."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from first_tries import attempt
from trying import Start, free_port, python

pytestmark = pytest.mark.waits

Fetch = Callable[[str], Path]


def fetched(folder: Path, *words: str) -> None:
    """Fetches something from a registry; the test is skipped where that cannot be."""
    try:
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=240)
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"{words[-1]} is not installed and could not be: {error}")
    if done.returncode:
        pytest.skip(f"{words[-1]} is not installed and could not be: {done.stderr.strip()[-200:]}")


@pytest.fixture
def program(tmp_path: Path) -> Fetch:
    """Gives a program of Debian, unpacked and not set up."""

    def unpacked(package: str) -> Path:
        fetched(tmp_path, "apt-get", "download", package)
        (file,) = tmp_path.glob(f"{package}_*.deb")
        fetched(tmp_path, "dpkg", "-x", str(file), ".")
        (found,) = (tmp_path / "usr" / "bin").glob(package.removesuffix("-server"))
        return found

    return unpacked


def await_status(url: str, status: int) -> None:
    """Waits until a page answers with a status; fails after two minutes."""
    deadline, got = time.monotonic() + 120, 0
    while time.monotonic() < deadline and got != status:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                got = answer.status
        except urllib.error.HTTPError as error:
            got = error.code
        except OSError:
            time.sleep(0.1)
    assert got == status, url


# websockify ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def websockify(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Its dependencies are for what no test here asks of it.
    folder = tmp_path_factory.mktemp("websockify")
    fetched(folder, sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), "websockify==0.13.0")  # fmt: skip
    return folder


@pytest.mark.parametrize(("is_there", "verdict"), [(True, "pass"), (False, "fail")])
def test_a_proxy_is_as_well_as_what_is_behind_it(
    is_there: bool, verdict: str, websockify: Path, start: Start, tmp_path: Path
) -> None:
    target, port = python(start, "rfb_like") if is_there else free_port(), free_port()
    words = (sys.executable, "-m", "websockify", f"127.0.0.1:{port}", f"127.0.0.1:{target}")
    start(*words, port=port, PYTHONPATH=str(websockify))
    tried = attempt(f"http://127.0.0.1:{port}", base=tmp_path, ws="/websockify", subprotocols=("binary",))
    assert tried.verdict == verdict, tried.shown
    assert tried.findings["websocket-connection"].verdict.value == verdict
    if is_there:
        # The screen behind it speaks first.
        assert "greeting" in tried.files.environment.read_text()
    else:
        assert "close 1011 (Failed to connect to downstream server)" in tried.shown


# etcd ---------------------------------------------------------------------------------------------------------------------


def member(store: Path, name: str, peers: dict[str, str], client: int) -> tuple[str, ...]:
    """The command of one member of a cluster."""
    here = f"http://127.0.0.1:{client}"
    stated = {
        "name": name, "data-dir": name, "listen-client-urls": here, "advertise-client-urls": here,
        "listen-peer-urls": peers[name], "initial-advertise-peer-urls": peers[name],
        "initial-cluster": ",".join(f"{other}={url}" for other, url in peers.items()),
    }  # fmt: skip
    return (str(store), *(f"--{key}={value}" for key, value in stated.items()))


def test_a_store_that_lost_its_majority_is_not_well(program: Fetch, start: Start, tmp_path: Path) -> None:
    store = program("etcd-server")
    peers = {name: f"http://127.0.0.1:{free_port()}" for name in "ab"}
    port, other = free_port(), free_port()
    # A member listens to clients only when there is a leader, so the first one is not waited for.
    second = subprocess.Popen(member(store, "b", peers, other), cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        start(*member(store, "a", peers, port), port=port)
        await_status(f"http://127.0.0.1:{port}/health", 200)
        well = attempt(f"http://127.0.0.1:{port}", base=tmp_path / "well")
    finally:
        second.kill()
        second.wait()
    assert well.verdict == "pass", well.shown
    assert 'health_expect = { json = { health = "true" } }' in well.files.environment.read_text()
    await_status(f"http://127.0.0.1:{port}/health", 503)
    ill = attempt(f"http://127.0.0.1:{port}", base=tmp_path / "ill")
    assert ill.verdict == "fail" and "HTTP 503" in ill.shown, ill.shown


# Prometheus ---------------------------------------------------------------------------------------------------------------


def test_a_server_that_says_in_a_sentence_that_it_is_healthy_is(
    program: Fetch, start: Start, tmp_path: Path
) -> None:
    server, port = program("prometheus"), free_port()
    (tmp_path / "p.yml").write_text("global: {}\n")
    start(str(server), "--config.file=p.yml", f"--web.listen-address=127.0.0.1:{port}", port=port)
    await_status(f"http://127.0.0.1:{port}/-/ready", 200)
    tried = attempt(f"http://127.0.0.1:{port}", base=tmp_path / "here")
    assert tried.verdict == "pass", tried.shown
    assert 'health = "/-/healthy"' in tried.files.environment.read_text()
    assert "any 200" not in tried.shown
