"""Runs in a bucket of a real S3 server on loopback: sent by one machine and read by another, and a server that refuses, hangs or forgets who we are."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import made
import pytest
import recorded
from conftest import proofbook

from proofbook import paths
from proofbook.judge.findings import Verdict
from proofbook.runs.place import opened

pytest.importorskip("s3fs")
pytest.importorskip("moto.server")

KEY, SECRET = "AKIAPROOFBOOK", "the-secret-of-the-store"
RUN = "20260101T000000Z-00000000000"


@dataclass(frozen=True)
class S3:
    """A server, and what a client needs to know of it."""

    port: int
    scratch: Path
    bucket: str = "s3://runs/team"

    def variables(self, machine: str = "here", **more: str) -> dict[str, str]:
        """Of a machine that has nothing in common with others but the bucket."""
        return {
            "PROOFBOOK_OUTPUTS": self.bucket,
            "PROOFBOOK_SCRATCH": str(self.scratch / machine),
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            **more,
        }

    def ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=body,
            method=method,
            headers={"Content-Type": "text/plain"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            content: bytes = answer.read()
            return content

    def trusts_for(self, requests: int) -> None:
        """From now on it takes so many requests, and then none of a key that it does not know, as ours is."""
        self.ask("POST", "/moto-api/reset-auth", str(requests).encode())

    def objects(self) -> list[str]:
        import boto3

        client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{self.port}", aws_access_key_id=KEY, aws_secret_access_key=SECRET, region_name="us-east-1")  # fmt: skip
        return [item["Key"] for page in client.get_paginator("list_objects_v2").paginate(Bucket="runs") for item in page.get("Contents", ())]  # fmt: skip


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[S3]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (tmp_path / "s3.log").open("wb")
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log,
        env={**os.environ, "INITIAL_NO_AUTH_ACTION_COUNT": "1000000000"},
    )  # fmt: skip
    try:
        found = S3(port=port, scratch=tmp_path / "machines")
        deadline = time.monotonic() + 120
        while True:
            try:
                found.ask("PUT", "/runs")
                break
            except OSError:
                assert server.poll() is None and time.monotonic() < deadline, (
                    tmp_path / "s3.log"
                ).read_text()
                time.sleep(0.1)
        yield found
    finally:
        server.kill()
        server.wait()
        log.close()


@pytest.fixture
def words(tmp_path: Path) -> tuple[str, ...]:
    """What judges recorded evidence of a small system again, as environment `one`."""
    run = recorded.run_of_version("2026-11-28", to=tmp_path / "recorded")
    shutil.copyfile(run / "inputs" / "small.toml", tmp_path / "one.toml")
    shutil.copyfile(run / "inputs" / "small.toml", tmp_path / "two.toml")
    case, evidence = run / "inputs" / "case" / "small.toml", run / "evidence"
    return ("run", str(tmp_path / "one.toml"), "--case", str(case), "--evidence", str(evidence), "--notebook", "01-service-health", "--json")  # fmt: skip


@pytest.fixture
def asked(s3: S3, workspace: Path, tmp_path: Path) -> Any:
    """A command on a machine."""

    def ask(*words: str, machine: str = "here", **more: str) -> subprocess.CompletedProcess[str]:
        return proofbook(*words, cwd=tmp_path, workspace=workspace, **s3.variables(machine, **more))

    return ask


def add(s3: S3, workspace: Path, monkeypatch: pytest.MonkeyPatch, number: int = 1) -> Path:
    """A run that this machine has and has not sent."""
    with monkeypatch.context() as patch:
        for name, value in s3.variables().items():
            patch.setenv(name, value)
        folder = paths.outputs(workspace) / "staging" / f"{RUN}{number}"
    executed = [made.write_notebook(folder, "01-mine", made.words("# Mine"))]
    made.write_run(folder, [made.finding("x", "so it is", Verdict("fail"))], executed)
    return folder


@pytest.mark.extended
def test_a_run_of_one_machine_is_read_verified_and_replayed_on_another(
    s3: S3, asked: Any, words: tuple[str, ...], tmp_path: Path
) -> None:
    done = asked(*words[:2], str(tmp_path / "two.toml"), *words[2:])
    runs = [Path(item["folder"]).name for item in json.loads(done.stdout)]
    assert done.returncode == 3 and "not_stored" not in done.stdout, done.stderr
    listed = asked("history", "--json", machine="there")
    assert sorted(item["run_id"] for item in json.loads(listed.stdout)) == sorted(runs)
    for run, environment in zip(runs, ("one", "two"), strict=True):
        there = next((tmp_path / "machines" / "there").glob(f"*/{environment}/{run}"))
        assert not (there / "report.html").exists(), "what nobody asks for is not brought"
        verified = asked("verify", run, machine="there")
        assert verified.returncode == 0, verified.stdout
    same = asked("replay", runs[0], machine="there")
    assert same.stdout == "identical: every finding and every digest\n", same.stdout
    assert asked("compare", *runs, machine="there").returncode == 0
    assert asked("due", "one", "--every", "1h", machine="there").returncode == 0
    assert asked("report", runs[1], machine="there").returncode == 0
    assert asked("verify", runs[1], machine="elsewhere").returncode == 0
    # A run goes on where the first machine ended.
    again = asked(*words[:2], "--run", runs[0], *words[2:], machine="there")
    assert again.returncode == 3, again.stderr
    assert len(json.loads(asked("history", "--json").stdout)) == 2
    assert asked("verify", runs[0]).returncode == 0
    assert {key.split("/")[2] for key in s3.objects()} == set(runs)
    texts = "".join(path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file() and path.suffix in (".json", ".html", ".ipynb", ".md", ".js"))  # fmt: skip
    assert SECRET not in texts + done.stdout + done.stderr


@pytest.mark.extended
def test_two_schedulers_that_begin_the_same_at_once_lose_nothing(
    s3: S3, asked: Any, words: tuple[str, ...]
) -> None:
    def run(machine: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(asked(*words, machine=machine).stdout)
        return found

    with ThreadPoolExecutor() as pool:
        runs = [item["run_id"] for found in pool.map(run, ("here", "there", "there")) for item in found]
    assert len(set(runs)) == 3
    for machine in ("here", "there", "elsewhere"):
        listed = json.loads(asked("history", "--json", machine=machine).stdout)
        assert sorted(item["run_id"] for item in listed) == sorted(runs)
    for run_id in runs:
        assert asked("verify", run_id, machine="elsewhere").returncode == 0


@pytest.mark.extended
def test_a_store_that_forgets_us_half_way_costs_nothing(
    s3: S3, asked: Any, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = add(s3, workspace, monkeypatch)
    before = len(s3.objects())
    for requests in (1, 3, 5):
        s3.trusts_for(requests)
        done = asked("push")
        assert done.returncode == 4, done.stdout
        assert done.stderr.startswith("s3://runs/team refused: "), done.stderr
        assert done.stderr.endswith(
            f"; what was not sent stays in {run.relative_to(tmp_path)}; send it: proofbook push {run.name}\n"
        )
        assert SECRET not in done.stderr and done.stderr.count("\n") == 1
        s3.trusts_for(10**9)
        assert f"team/staging/{run.name}/run.json" not in s3.objects()
    assert len(s3.objects()) > before, "it was half-way"
    assert asked("history", "--json", machine="there").stdout == "[]\n"
    assert asked("push").stdout == f"sent staging/{run.name}\n"
    assert asked("verify", run.name, machine="there").returncode in (0, 1)
    assert [item["run_id"] for item in json.loads(asked("history", "--json", machine="there").stdout)] == [
        run.name
    ]


def test_a_run_that_cannot_be_sent_is_an_error_and_is_sent_with_the_next(
    s3: S3, asked: Any, words: tuple[str, ...]
) -> None:
    # Enough to begin, and not to send all.
    s3.trusts_for(15)
    done = asked(*words)
    [found] = json.loads(done.stdout)
    assert done.returncode == 4 and found["verdict"] == "inconclusive", done.stderr
    assert f"send it: proofbook push {found['run_id']}" in found["not_stored"]
    assert Path(found["folder"]).is_dir()
    s3.trusts_for(10**9)
    [other] = json.loads(asked(*words).stdout)
    listed = json.loads(asked("history", "--json", machine="there").stdout)
    assert [item["run_id"] for item in listed] == sorted([found["run_id"], other["run_id"]])


@pytest.mark.parametrize(
    ("wrong", "begins"),
    [
        ({"PROOFBOOK_OUTPUTS": "s3://nowhere/x"}, "there is no s3://nowhere/x: "),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "s3://runs/team does not answer: "),
    ],
)
def test_a_store_that_is_not_there_is_known_before_a_run_begins(
    s3: S3, asked: Any, words: tuple[str, ...], tmp_path: Path, wrong: dict[str, str], begins: str
) -> None:
    for command in (("history",), words[:-1]):
        done = asked(*command, **wrong)
        assert (done.returncode, done.stdout) == (4, "")
        assert done.stderr.splitlines()[-1].startswith(begins), done.stderr
    assert not list((tmp_path / "machines").glob("*/*/*/*"))


def test_a_store_that_never_answers_is_given_up_in_time(s3: S3, asked: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        done = asked("history", AWS_ENDPOINT_URL=address, PROOFBOOK_STORE_TIMEOUT_S="3")
    assert done.returncode == 4 and time.monotonic() - began < 60
    assert (
        done.stderr == "s3://runs/team does not answer: nothing moved for 3 s (PROOFBOOK_STORE_TIMEOUT_S)\n"
    )


def test_a_list_of_very_many_names_tells_of_each_page_that_it_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Pages(BaseHTTPRequestHandler):
        """Gives one name a page, of four."""

        def do_GET(self) -> None:
            number = int(parse_qs(urlsplit(self.path).query).get("continuation-token", ["0"])[0])
            more = f"<NextContinuationToken>{number + 1}</NextContinuationToken>" if number < 3 else ""
            name = f"<Contents><Key>team/one/2026010{number}T000000Z-0000/run.json</Key><Size>1</Size></Contents>"
            is_cut = f"<IsTruncated>{'true' if more else 'false'}</IsTruncated>"
            body = f"<ListBucketResult><KeyCount>1</KeyCount>{is_cut}{more}{name}</ListBucketResult>".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *given: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            store = S3(port=server.server_port, scratch=tmp_path)
            for name, value in store.variables().items():
                monkeypatch.setenv(name, value)
            beats: list[float] = []
            at = opened(store.bucket, here=tmp_path, mode=0o700, alive=lambda: beats.append(0.0))
            assert len(at.listed()["one"].runs) == 4 and len(beats) >= 4
        finally:
            server.shutdown()
            thread.join()


def test_without_credentials_it_says_which_are_wanted(s3: S3, asked: Any, tmp_path: Path) -> None:
    nothing = {
        "AWS_ACCESS_KEY_ID": "",
        "AWS_SECRET_ACCESS_KEY": "",
        "HOME": str(tmp_path),
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    done = asked("history", **nothing)
    assert done.returncode == 2
    assert (
        done.stderr
        == "s3://runs/team: expected credentials in the environment, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, found none that can be used\n"
    )
