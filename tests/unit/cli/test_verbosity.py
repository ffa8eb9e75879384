"""`-v` shows what collecting and judging do, on stderr, and no secret."""

from __future__ import annotations

import datetime as dt
import json
import logging
import subprocess
import sys
from pathlib import Path

import asking
import pytest
from conftest import proofbook

from proofbook.cli.verbosity import NAME, log_to_stderr
from proofbook.redaction import log_lines, scrubbing
from proofbook.redaction.log_filter import RedactingFilter

SECRET = "correct-horse-battery"
# Answers the first request with 429, all others well; ends with its standard input.
SERVER = """
import http.server, sys, threading
class Busy(http.server.BaseHTTPRequestHandler):
    first = True
    def do_GET(self):
        status, Busy.first = (429 if Busy.first else 200), False
        self.send_response(status)
        self.send_header("Retry-After", "0")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Busy)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
sys.stdin.read()
"""


def collected(folder: Path, *options: str) -> str:
    """What `proofbook … collect` of a busy service writes to stderr."""
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        # Named like the token, so that every line that names it must hide it.
        (folder / f"{SECRET}.toml").write_text(
            f'[[service]]\nname = "api"\nurl = "http://127.0.0.1:{port}"\n'
            '[pace]\nper_s = 200\n[login]\ntoken = {env = "BUSY_TOKEN"}\n'
        )
        words = (*options, "collect", f"{SECRET}.toml", "--phase", "before")
        done = proofbook(*words, cwd=folder, workspace=folder, BUSY_TOKEN=SECRET)
    finally:
        server.communicate("")
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.slow
def test_verbose_shows_steps_retries_and_requests_and_no_secret(in_folder: Path) -> None:
    assert "proofbook.collect" not in collected(in_folder)
    lines = [line for line in collected(in_folder, "-vv").splitlines() if " proofbook." in line]
    for words in (
        "INFO proofbook.pipeline: run ",
        "recording phase before of [redacted]",
        "answered 429: backing off for 0.0 s (1 of 3)",
        "INFO proofbook.collect: phase before: collected table health",
        "DEBUG proofbook.collect: http requests: number 2",
    ):
        assert any(words in line for line in lines), words
    assert SECRET not in "\n".join(lines)


@pytest.mark.slow
def test_json_says_in_each_line_when_and_of_what_it_is(in_folder: Path) -> None:
    lines = [json.loads(line) for line in collected(in_folder, "--log-format", "json").splitlines()]
    for line in lines:
        assert dt.datetime.fromisoformat(line["time"]).tzinfo is not None
        assert line["level"] in ("info", "warning") and line["logger"].startswith("proofbook.")
    assert SECRET not in json.dumps(lines)
    of_phase = [line for line in lines if line.get("phase") == "before"]
    assert {line["environment"] for line in of_phase} == {"[redacted]"}
    assert len({line["run"] for line in of_phase}) == 1
    assert {line["logger"] for line in of_phase} >= {"proofbook.cli", "proofbook.collect"}


def test_json_says_mistakes_too_and_names_notebooks() -> None:
    answer = asking.ask("--log-format", "json", "show", "no-such-run")
    assert answer.code == 2
    assert json.loads(answer.err)["message"].startswith("there is no run 'no-such-run'")
    assert asking.ask("show", "no-such-run").err.startswith("there is no run")
    record = logging.LogRecord("proofbook.execution", logging.INFO, "x", 1, "ended", (), None)
    record.notebook = "02-websocket"
    with log_lines.bound(run="r", environment="eu"):
        found = json.loads(log_lines.JsonLines().format(record))
    assert (found["run"], found["environment"], found["notebook"], found["message"]) == (
        "r",
        "eu",
        "02-websocket",
        "ended",
    )


def test_no_record_shows_a_secret() -> None:
    scrubbing.Secret(SECRET)
    record = logging.LogRecord("proofbook.collect", logging.INFO, "x", 1, "GET %s", (f"/?t={SECRET}",), None)
    try:
        raise ValueError(SECRET)
    except ValueError:
        record.exc_info = sys.exc_info()
    record.stack_info = SECRET
    assert RedactingFilter().filter(record)
    told = logging.Formatter().format(record)
    assert SECRET not in told and "GET /?t=[redacted]" in told and "ValueError: [redacted]" in told


@pytest.mark.slow
def test_the_library_writes_no_log_by_itself() -> None:
    code = (
        "import logging, proofbook.collect.session, proofbook.pipeline.steps\n"
        "for name in ('collect', 'execution', 'pipeline'): logging.getLogger(f'proofbook.{name}').error('x')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_asking_twice_writes_each_record_once() -> None:
    logger = logging.getLogger("proofbook")
    level = logger.level
    try:
        log_to_stderr(debug=True)
        log_to_stderr(debug=False)
        assert [handler.name for handler in logger.handlers].count(NAME) == 1
        assert logger.level == logging.INFO
    finally:
        for handler in [handler for handler in logger.handlers if handler.name == NAME]:
            logger.removeHandler(handler)
        logger.setLevel(level)
