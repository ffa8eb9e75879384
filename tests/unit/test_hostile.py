"""What comes from others is only data: nothing is executed, fetched, or written elsewhere, and nothing is without a bound."""

from __future__ import annotations

import dataclasses
import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import recording_server
from pydantic import ValidationError

from proofbook import paths
from proofbook.collect.logs import files
from proofbook.collect.logs.entries import Reading
from proofbook.collect.logs.reader import read_logs
from proofbook.config.environment import Environment
from proofbook.config.json_schema import schema_problem
from proofbook.config.sources import LogSource
from proofbook.errors import EvidenceError, UsageError
from proofbook.evidence import store
from proofbook.judge import findings
from proofbook.redaction import scrubbing

REFERENCES = [
    "http://{host}/schema.json",
    "https://example.invalid/schema.json",
    "//{host}/schema.json",
    "file:///etc/passwd",
    "schema.json",
    "../schema.json",
    "urn:example:schema",
    "#/$defs/absent",
]


@pytest.fixture
def asked() -> Iterator[tuple[str, list[str]]]:
    with recording_server.listening() as found:
        yield found


@pytest.mark.parametrize("key", ["$ref", "$dynamicRef"])
@pytest.mark.parametrize("reference", REFERENCES)
@pytest.mark.parametrize("where", ["at the top", "inside", "behind another"])
def test_a_schema_that_refers_elsewhere_is_refused_and_nothing_is_fetched(
    reference: str, where: str, key: str, asked: tuple[str, list[str]]
) -> None:
    host, fetched = asked
    refers: dict[str, Any] = {key: reference.replace("{host}", host)}
    schema = {
        "at the top": refers,
        "inside": {"properties": {"a": {"anyOf": [{"items": refers}]}}},
        "behind another": {"$ref": "#/$defs/there", "$defs": {"there": {"not": refers}}},
    }[where]
    problem = schema_problem(schema)
    assert "is not in this schema, and nothing is fetched" in problem, problem
    assert fetched == []


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"b": {"type": "string"}}},
        {"$id": "http://example.invalid/a", "$ref": "b", "$defs": {"b": {"$id": "http://example.invalid/b"}}},
        {"$ref": "https://json-schema.org/draft/2020-12/schema"},
        {"$ref": "#named", "$defs": {"b": {"$anchor": "named"}}},
        {"properties": {"children": {"items": {"$ref": "#"}}}},
        {"const": {"$ref": "http://example.invalid/only-a-value"}},
        True,
    ],
)
def test_a_schema_that_refers_to_itself_or_to_the_standard_is_taken(schema: Any) -> None:
    assert schema_problem(schema) == ""


def recorded(folder: Path, **phases: Any) -> Path:
    """Evidence with a table of one phase, or with the phases of a manifest."""
    place = folder / "evidence"
    (place / "after").mkdir(parents=True)
    (place / "after" / "health.parquet").write_bytes(b"PAR1")
    at = "2026-01-01T00:00:00Z"
    table = {"columns": {}, "rows": 0, "sha256": store.digest(place / "after" / "health.parquet")}
    known = phases or {"after": {"started": at, "ended": at, "tables": {"health": table}}}
    (place / "manifest.json").write_text(
        json.dumps({"schema_version": 3, "environment": "e", "phases": known})
    )
    return place


@pytest.mark.parametrize("name", ["after/notes.txt", "after/more", "notes.txt", "after/gone.parquet"])
def test_a_symlink_in_evidence_is_not_copied(name: str, tmp_path: Path) -> None:
    place = recorded(tmp_path)
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (place / name).symlink_to(
        tmp_path / "absent" if "gone" in name else tmp_path if "more" in name else secret
    )
    with pytest.raises(EvidenceError, match="got a symlink; nothing was copied"):
        store.copy(place, tmp_path / "run" / "evidence")
    assert not (tmp_path / "run").exists()


def test_copied_evidence_has_the_permissions_of_new_files(tmp_path: Path) -> None:
    place = recorded(tmp_path)
    before = os.umask(0o077)
    try:
        store.copy(place, tmp_path / "run" / "evidence")
    finally:
        os.umask(before)
    copied = [tmp_path / "run" / "evidence", *(tmp_path / "run" / "evidence").rglob("*")]
    assert len(copied) == 4 and [path for path in copied if path.stat().st_mode & 0o077] == []


def test_a_pipe_in_evidence_is_not_waited_for(tmp_path: Path) -> None:
    place = recorded(tmp_path)
    os.mkfifo(place / "after" / "logs.parquet")
    with pytest.raises(EvidenceError, match="got a device or pipe; nothing was copied"):
        store.copy(place, tmp_path / "run")


def test_evidence_that_was_made_a_symlink_is_altered(tmp_path: Path) -> None:
    place = recorded(tmp_path)
    table = place / "after" / "health.parquet"
    table.rename(tmp_path / "elsewhere")
    table.symlink_to(tmp_path / "elsewhere")
    assert "is a symlink now" in store.read(place).altered()[0]


@pytest.mark.parametrize(
    ("phase", "table"),
    [
        ("..", "health"),
        ("../..", "x"),
        ("after", "../../x"),
        ("after", "/etc/passwd"),
        ("after", ""),
        ("before ", "x"),
        ("after", "a.b"),
    ],
)
def test_a_manifest_names_no_file_elsewhere(phase: str, table: str, tmp_path: Path) -> None:
    at = "2026-01-01T00:00:00Z"
    tables = {table: {"columns": {}, "rows": 0, "sha256": ""}}
    place = recorded(tmp_path, **{phase: {"started": at, "ended": at, "tables": tables}})
    with pytest.raises(EvidenceError, match="it was altered or another version wrote it"):
        store.read(place)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_a_packed_file_that_grows_as_no_log_does_is_given_up(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "UNPACKED_BYTES", 1_000_000)
    zeros = b"0" * 30_000_000
    path = tmp_path / "bomb"

    def read(path: Path) -> Reading:
        return read_logs(LogSource(name="log", file=path.name), base=tmp_path, to=tmp_path / "read.parquet")

    path.write_bytes(
        gzip.compress(zeros) if kind == "gzip" else pa.Codec("zstd").compress(zeros, asbytes=True)
    )
    assert "got a file that unpacks to more than" in read(path).problem
    lines = b"".join(
        b"2026-01-01T00:00:%02dZ ERROR request %d failed\n" % (i % 60, i) for i in range(100_000)
    )
    path.write_bytes(
        gzip.compress(lines) if kind == "gzip" else pa.Codec("zstd").compress(lines, asbytes=True)
    )
    assert read(path).kept == 100_000


@pytest.mark.parametrize(
    "pattern", ["e", ".", "[a-z]+", "fail|pass", "(?i)broken", "verdict", "[0-9]", r"\s", '"', "✘", r"\w{4}"]
)
def test_no_pattern_of_a_received_file_hides_a_verdict_or_breaks_a_run(pattern: str) -> None:
    with pytest.raises(ValidationError, match="in every report too; make it narrower"):
        Environment.model_validate({"redact": [pattern]})


def test_patterns_of_ordinary_secrets_are_taken() -> None:
    for pattern in (
        "CUST-[0-9]{4}",
        r"user_\d+",
        r"\b\d{4}-\d{4}-\d{4}\b",
        "(?i)acme corp",
        r"[\w.]+@[\w.]+",
    ):
        Environment.model_validate({"redact": [pattern], "service": [{"name": "a", "url": "http://a"}]})


def test_every_key_of_a_finding_is_one_of_our_own_words() -> None:
    kinds = (
        findings.Finding,
        findings.Estimate,
        findings.Method,
        findings.Control,
        findings.Exposure,
        findings.Needed,
    )
    keys = {item.name for kind in kinds for item in dataclasses.fields(kind)} | {
        item.value for item in findings.Verdict
    }
    assert keys <= set(scrubbing.OWN_WORDS)


def workspace_of(folder: Path, owner: int) -> Path:
    notebooks = folder / "theirs" / "notebooks"
    notebooks.mkdir(parents=True)
    (notebooks / "02-websocket.ipynb").touch()
    for path in (folder / "theirs", notebooks, notebooks / "02-websocket.ipynb"):
        os.chown(path, owner, owner)
    return folder / "theirs"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of another user")
def test_notebooks_of_another_user_are_used_only_where_they_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PROOFBOOK_WORKSPACE", raising=False)
    monkeypatch.delenv("SUDO_UID", raising=False)
    theirs = workspace_of(tmp_path, 12345)
    below = theirs / "outputs" / "staging"
    below.mkdir(parents=True)
    for start in (theirs, below):
        with pytest.raises(
            UsageError, match=f"found .*theirs of user 12345, .* PROOFBOOK_WORKSPACE={theirs}"
        ):
            paths.root(start)
    monkeypatch.setenv("PROOFBOOK_WORKSPACE", str(theirs))
    assert paths.root() == theirs.resolve()
    # A folder below it does not name it.
    monkeypatch.setenv("PROOFBOOK_WORKSPACE", str(below))
    with pytest.raises(UsageError, match="of user 12345"):
        paths.root()
    monkeypatch.setenv("SUDO_UID", "12345")
    assert paths.root() == theirs.resolve()
    # One notebook in a folder of our own is enough to be wary.
    monkeypatch.delenv("SUDO_UID")
    for path in (theirs, theirs / "notebooks"):
        os.chown(path, 0, 0)
    with pytest.raises(UsageError, match=r"02-websocket.ipynb of user 12345"):
        paths.root(theirs)
