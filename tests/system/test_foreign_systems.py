"""Servers of others from the registries, as `proofbook try` meets them: well where they are, not well where they are broken."""

from __future__ import annotations

import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from first_tries import attempt
from trying import Start, free_port, python

TOKEN = "good-token-of-a-user"


def fetched(folder: Path, *words: str) -> None:
    """Fetches something from a registry; the test is skipped where there is none."""
    try:
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=240)
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"could not be installed: {error}")
    if done.returncode:
        pytest.skip(f"could not be installed: {' '.join(words)}: {done.stderr.strip()[-200:]}")


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Packages of PyPI that are no part of what Proofbook is tested with."""
    folder = tmp_path_factory.mktemp("packages")
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--target", str(folder))
    fetched(folder, *pip, "litestar==2.*", "websockify==0.13.*")
    return folder


@pytest.fixture
def etcd(tmp_path: Path) -> Path:
    fetched(tmp_path, "apt-get", "download", "etcd-server")
    (package,) = tmp_path.glob("*.deb")
    fetched(tmp_path, "dpkg", "-x", str(package), ".")
    return tmp_path / "usr" / "bin" / "etcd"


# Litestar -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("variables", "verdict"), [({"TOKEN": TOKEN}, "pass"), ({}, "fail")])
def test_litestar_is_well_where_its_guard_stands(
    variables: dict[str, str],
    verdict: str,
    packages: Path,
    start: Start,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("A_TOKEN", TOKEN)
    port = python(start, "litestar_app", PYTHONPATH=str(packages), **variables)
    tried = attempt(f"http://127.0.0.1:{port}", base=tmp_path, token=TOKEN, ws="/ws", token_env="A_TOKEN")
    assert tried.verdict == verdict, tried.shown
    assert tried.findings["health-service"].verdict.value == "pass"
    assert tried.findings["websocket-refuses-bad-tokens"].verdict.value == verdict


# websockify ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("is_there", "verdict"), [(True, "pass"), (False, "fail")])
def test_a_proxy_is_as_well_as_what_is_behind_it(
    is_there: bool, verdict: str, packages: Path, start: Start, tmp_path: Path
) -> None:
    target = python(start, "rfb_like") if is_there else free_port()
    port = free_port()
    words = (sys.executable, "-m", "websockify", f"127.0.0.1:{port}", f"127.0.0.1:{target}")
    start(*words, port=port, PYTHONPATH=str(packages))
    tried = attempt(f"http://127.0.0.1:{port}", base=tmp_path, ws="/websockify", subprotocols=("binary",))
    assert tried.verdict == verdict, tried.shown
    assert tried.findings["websocket-connection"].verdict.value == verdict


# etcd ---------------------------------------------------------------------------------------------------------------------


def status_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def test_a_store_without_its_majority_is_not_well(etcd: Path, start: Start, tmp_path: Path) -> None:
    """One of two members was told of another that never comes."""
    port = free_port()
    peer, client = f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{port}"
    stated = ("--data-dir=data", f"--listen-client-urls={client}", f"--advertise-client-urls={client}", f"--listen-peer-urls={peer}")  # fmt: skip
    start(str(etcd), *stated, f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}", port=port)  # fmt: skip
    while status_of(f"{client}/health") != 200:
        pass
    tried = attempt(client, base=tmp_path)
    assert tried.verdict == "pass", tried.shown
    assert 'health_expect = { json = { health = "true" } }' in tried.files.environment.read_text()
