"""Secrets come in by every way that there is; none is in any byte that a run writes."""

from __future__ import annotations

import base64
import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pandas as pd
import pytest
from conftest import proofbook
from corpus import secrets

from proofbook.errors import CouldNotLook
from proofbook.redaction import scrubbing
from proofbook.redaction.scrubbing import Secret
from proofbook.runs import leak_scan

CANARY = "canary-7f3c9b21e8"
CUSTOM = "CUST-4711"


class Leaky(BaseHTTPRequestHandler):
    """A service that gives away what it was sent, and all that it knows."""

    def do_GET(self) -> None:
        told = {
            "path": self.path,
            "headers": dict(self.headers),
            "secrets": [met for met, _ in secrets().values()],
            "who": CUSTOM,
        }
        body = json.dumps(told).encode()
        self.send_response(500 if self.path == "/health" else 200)
        self.send_header("Set-Cookie", f"session={CANARY}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def leaky() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Leaky)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture
def place(workspace: Path, tmp_path: Path, leaky: str) -> Path:
    """A workspace whose environment, log, log command and notebook all hold secrets."""
    base = tmp_path / "w"
    shutil.copytree(workspace / "notebooks", base / "notebooks")
    (base / "key").write_text(CANARY)
    lines = []
    for second, (name, (met, _)) in enumerate(secrets().items()):
        time = f"2026-01-05T09:{second // 60:02}:{second % 60:02}Z"
        lines += [
            json.dumps({"timestamp": time, "severity": "ERROR", "textPayload": f"{name}: {met} of {CUSTOM}"}),
            json.dumps(
                {
                    "timestamp": time,
                    "severity": "ERROR",
                    "jsonPayload": {
                        "message": f"{name} raised",
                        "exception": f'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    g("{met}")\nValueError: {met}',
                    },
                }
            ),
            json.dumps(
                {
                    "timestamp": time,
                    "severity": "INFO",
                    "httpRequest": {"requestUrl": f"/callback?{met}&key={CANARY}", "status": 200},
                }
            ),
        ]
    (base / "backend.jsonl").write_text("\n".join(lines) + "\n")
    (base / "notebooks" / "environments" / "leaky.toml").write_text(
        f"""
redact = ["CUST-[0-9]+"]

[[service]]
name = "leaky"
url = "{leaky}"
headers = {{ X-Key = {{ file = "key" }}, X-Plain = "{CUSTOM}" }}

[[log]]
name = "backend"
file = "backend.jsonl"
""".replace(f'X-Plain = "{CUSTOM}"', 'X-Plain = "plain"')
    )
    (base / "notebooks" / "cases" / "leak.toml").write_text(
        'title = "Leak"\n\n[[indicator]]\nid = "raised"\ntitle = "Errors are logged"\nlog = "raised"\n'
    )
    whole = [met for met, _ in secrets().values()] + [
        CUSTOM,
        CANARY,
        f"Authorization: Basic {base64.b64encode(f'u:{CANARY}'.encode()).decode()}",
    ]
    notebook = json.loads((workspace / "notebooks" / "06-contracts.ipynb").read_text())
    # In the notebook's code the secrets are coded: what a notebook's author writes into its code is not the runner's to change.
    coded = base64.b85encode(json.dumps(whole).encode()).decode()
    source = [
        f"import base64, json\nheld = json.loads(base64.b85decode({coded!r}))",
        "for text in held:\n    print(text)",
        "held",
        "from IPython.display import HTML, display\nimport html\nfor text in held:\n    display(HTML('<p>' + html.escape(text) + '</p>'))",
        "import plotly.graph_objects as go\ngo.Figure(go.Scatter(x=held, y=[1] * len(held), text=held))",
        "import sys\nprint(sys.argv, held[:3], file=sys.stderr)",
        "raise ValueError(' '.join(held))",
    ]
    notebook["cells"] += [
        {
            "cell_type": "code",
            "execution_count": None,
            "id": f"leak-{n}",
            "metadata": {},
            "outputs": [],
            "source": text,
        }
        for n, text in enumerate(source)
    ]
    (base / "notebooks" / "07-leaky.ipynb").write_text(json.dumps(notebook))
    return base


def everything_in(folder: Path) -> dict[str, str]:
    """The text of every file, of tables cell by cell."""
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if path.suffix == ".parquet":
            table = pd.read_parquet(path)
            found[str(path)] = "\n".join(str(value) for name in table.columns for value in table[name])
        else:
            found[str(path)] = path.read_bytes().decode("utf-8", "replace")
    return found


@pytest.mark.rehearsal
def test_no_secret_that_comes_in_by_any_way_is_in_any_byte_that_a_run_writes(place: Path) -> None:
    done = proofbook("run", "leaky", "--case", "leak", cwd=place, workspace=place)
    assert done.returncode == 1, done.stdout + done.stderr
    [run] = (place / "outputs" / "leaky").glob("2*")
    told = proofbook("report", run.name, "--mail", cwd=place, workspace=place)
    assert told.returncode == 0, told.stderr
    written = everything_in(place / "outputs") | {"printed": done.stdout + done.stderr + told.stdout}
    # What was recorded is there: the test would pass on an empty folder too.
    assert (
        "raised an exception" in written[str(run / "report.html")]
        or "raised ValueError" in written[str(run / "report.html")]
    )
    assert "bcrypt" in written[str(run / "evidence" / "after" / "logs.parquet")]
    assert scrubbing.MASK in written[str(run / "evidence" / "after" / "health.parquet")]
    for name, secret in [
        *((name, secret) for name, (_, secret) in secrets().items()),
        ("canary", CANARY),
        ("custom", CUSTOM),
    ]:
        for form in scrubbing.forms(secret):
            for path, text in written.items():
                if form in text and not path.endswith("07-leaky.ipynb"):
                    where = text.index(form)
                    raise AssertionError(f"{name} in {path}: …{text[max(0, where - 60) : where + 60]}…")
    # The author's own code stays as it is; its outputs do not.
    outputs = [
        cell.get("outputs")
        for cell in json.loads(written[str(run / "notebooks" / "07-leaky.ipynb")])["cells"]
    ]
    assert CANARY not in json.dumps(outputs) and not any(
        secret in json.dumps(outputs) for _, secret in secrets().values()
    )


def test_the_last_gate_finds_a_known_secret_in_any_file_and_takes_the_report_back(tmp_path: Path) -> None:
    Secret("hunter2-hunter2")
    (tmp_path / "report.html").write_text("fine")
    (tmp_path / "evidence").mkdir()
    pd.DataFrame({"n": [1, 2], "body": ["a", None]}).to_parquet(tmp_path / "evidence" / "a.parquet")
    (tmp_path / "evidence" / "cut.parquet").write_bytes(b"PAR1")
    assert leak_scan.leaks(tmp_path) == []
    pd.DataFrame({"n": [1], "body": [f"x {base64.b64encode(b'user:hunter2-hunter2').decode()}"]}).to_parquet(
        tmp_path / "evidence" / "b.parquet"
    )
    (tmp_path / "note.txt").write_bytes(b"\xff hunter2-hunter2")
    assert [path.name for path in leak_scan.leaks(tmp_path)] == ["b.parquet", "note.txt"]
    with pytest.raises(CouldNotLook, match=r"is in evidence/b\.parquet, note\.txt") as raised:
        leak_scan.check(tmp_path, rendered=("report.html",))
    assert "hunter2" not in str(raised.value) and not (tmp_path / "report.html").exists()


@pytest.mark.rehearsal
def test_a_run_with_a_secret_in_it_is_an_error_without_a_report(
    finished_run: Path, workspace: Path, tmp_path: Path
) -> None:
    base = tmp_path / "w"
    run = base / "outputs" / "rehearsal" / finished_run.name
    shutil.copytree(workspace / "notebooks", base / "notebooks")
    shutil.copytree(finished_run, run)
    named = run / "inputs" / "rehearsal.toml"
    named.write_text(
        named.read_text().replace(
            "[pace]",
            '[[service]]\nname = "more"\nurl = "http://127.0.0.1:1"\nheaders = { X-Key = { file = "key" } }\n\n[pace]',
        )
    )
    (base / "key").write_text(CANARY)
    (run / "inputs" / "forgotten.txt").write_text(f"key {CANARY}")
    done = proofbook("report", run.name, cwd=base, workspace=base)
    told = done.stdout + done.stderr
    assert done.returncode == 4 and "is in inputs/forgotten.txt" in told and CANARY not in told
    assert not (run / "report.html").exists()
    assert json.loads((run / "run.json").read_text())["reason"] == "secret-found"


def test_a_secret_written_into_a_file_that_a_run_keeps_makes_the_run_an_error(
    workspace: Path, tmp_path: Path
) -> None:
    base = tmp_path / "w"
    shutil.copytree(workspace / "notebooks", base / "notebooks")
    (base / "key").write_text(CANARY)
    (base / "notebooks" / "environments" / "written.toml").write_text(
        f'# the key is {CANARY}\n[[service]]\nname = "a"\nurl = "http://127.0.0.1:1"\nheaders = {{ X-Key = {{ file = "key" }} }}\n'
    )
    done = proofbook("run", "written", "--notebook", "06-contracts", cwd=base, workspace=base)
    told = done.stdout + done.stderr
    [run] = (base / "outputs" / "written").glob("2*")
    assert done.returncode == 4 and "is in inputs/written.toml" in told and CANARY not in told
    assert json.loads((run / "run.json").read_text())["reason"] == "secret-found"
    assert not (run / "report.html").exists() and not (run / "summary.md").exists()


@pytest.mark.extended
@pytest.mark.rehearsal
def test_pseudonyms_stand_in_all_that_is_given_out_and_are_the_same_throughout(
    healthy_evidence: Path, workspace: Path, tmp_path: Path
) -> None:
    base = tmp_path / "w"
    shutil.copytree(workspace / "notebooks", base / "notebooks")
    named = base / "notebooks" / "environments" / "rehearsal.toml"
    named.write_text(
        named.read_text()
        + '\n[pseudonyms]\nkey = { env = "NAMES_KEY" }\npatterns = ["staging-e2e-user-001"]\n'
    )
    done = proofbook(
        "run", "rehearsal", "--evidence", str(healthy_evidence), "--json", cwd=base, workspace=base
    )
    assert done.returncode == 2 and "NAMES_KEY" in done.stderr, done.stderr
    assert not list((base / "outputs" / "rehearsal").glob("2*")), "known before a folder is made"
    done = proofbook(
        "run",
        "rehearsal",
        "--evidence",
        str(healthy_evidence),
        "--json",
        cwd=base,
        workspace=base,
        NAMES_KEY="a-key-of-names",
    )
    assert done.returncode == 0, done.stderr
    run = Path(json.loads(done.stdout)[0]["folder"])
    for name in ("report.html", "junit.xml", "summary.md"):
        text = (run / name).read_text().replace("identity-staging-e2e-user-001-accepted", "")
        assert "staging-e2e-user-001" not in text and "user-" in text, name
    assert "a-key-of-names" not in "".join(everything_in(run).values())
