"""API definitions and the answers to hold against them, as real servers give them: in YAML, redacted, bounded."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from proofbook.collect.planning import describe_plan
from proofbook.collect.services import openapi, yaml_document
from proofbook.collect.session import Session
from proofbook.config.case import Case
from proofbook.config.environment import Environment
from proofbook.evidence import store
from proofbook.redaction.scrubbing import MASK, scrub_json

DEFINITION = """\
openapi: 3.0.3
info: {title: Orders, version: 1.10}
x-common: &common
  description: shared
  required: false
paths:
  /orders:
    get:
      parameters:
        - <<: *common
          name: api_key
          in: query
          required: true
          schema: {type: string, enum: [on, off, no, 2020-01-01, 010]}
      responses:
        200:
          description: ok
          content:
            application/json:
              schema: {type: object, required: [password, username], properties: {password: {type: string}, username: {type: string}}}
"""


@contextlib.asynccontextmanager
async def serving(pages: dict[str, tuple[int, str, bytes]], **more: Any) -> AsyncIterator[Session]:
    """A session with a server that gives each path its status, media type and body, and 404 for others."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode()
            status, kind, body = pages.get(path, (404, "text/plain", b"none"))
            lines = [
                f"HTTP/1.1 {status} X",
                f"Content-Length: {len(body)}",
                f"Content-Type: {kind}",
                "Connection: close",
            ]
            writer.write("\r\n".join([*lines, "", ""]).encode() + body)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # nobody waits for it any longer
        finally:
            writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        service = {"name": "a", "url": url, "openapi": "/q/openapi", **more}
        yield Session(Environment.model_validate({"service": [service]}), base=Path())


def fetched(body: str, kind: str = "application/yaml") -> pd.Series:
    async def go() -> pd.DataFrame:
        async with serving({"/q/openapi": (200, kind, body.encode())}) as session:
            return await openapi.fetch_openapi(session.environment.services[0], session=session)

    return asyncio.run(go()).iloc[0]


def test_a_definition_in_yaml_is_read_as_the_json_that_it_stands_for() -> None:
    row = fetched(DEFINITION)
    assert row["error"] == "" and row["status"] == 200
    found = json.loads(row["document"])
    [parameter] = found["paths"]["/orders"]["get"]["parameters"]
    assert parameter["required"] is True and parameter["description"] == "shared" and "<<" not in parameter
    # As YAML 1.2 has it: a country, a switch and a day are texts, and 010 is ten.
    assert parameter["schema"]["enum"] == ["on", "off", "no", "2020-01-01", 10]
    assert list(found["paths"]["/orders"]["get"]["responses"]) == ["200"]
    assert found["openapi"] == "3.0.3" and found["info"]["version"] == 1.1


BOMB = "a0: &a0 [1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"a{number}: &a{number} [{','.join(['*a' + str(number - 1)] * 9)}]\n" for number in range(1, 12)
)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("a: &a [1]\nb: *a", "names its version or paths"),
        ("<!doctype html><html><body>a: b</body></html>", "no mapping in JSON or YAML"),
        ("just words", "no mapping in JSON or YAML"),
        ("[1, 2]", "no mapping in JSON or YAML"),
        ("openapi: [3\npaths: {", "neither JSON nor YAML: see line"),
        ("a: &a\n  b: *a\n", "larger than it looks"),
        ("a: !!python/object/apply:os.getcwd []", "neither JSON nor YAML: see line 1"),
        (BOMB, "larger than it looks"),
        ("- " * 50_000 + "a", "nested too deeply"),
        ("[" * 50_000, "neither JSON nor YAML"),
        ("<<: 3\npaths: {}", "<< stands before what is no mapping"),
        ("", "no mapping in JSON or YAML"),
    ],
)
def test_what_is_no_definition_is_said_in_a_sentence(body: str, words: str) -> None:
    began = time.process_time()
    row = fetched(body)
    assert row["document"] == "" and words in row["error"], row["error"]
    assert "\n" not in row["error"] and time.process_time() - began < 20


def test_numbers_that_are_none_become_texts() -> None:
    assert yaml_document.parse("a: .inf\nb: 1e3\nc: ~\nd: 1_000\ne: 0x10") == {"a": ".inf", "b": 1000.0, "c": None, "d": "1_000", "e": "0x10"}  # fmt: skip


def test_answers_are_kept_as_json_and_bounded() -> None:
    pages = {
        "/q/openapi": (200, "application/yaml", DEFINITION.encode()),
        "/health": (200, "application/json", b'{"status": "ok"}'),
        "/text": (200, "text/plain; charset=utf-8", b"all well"),
        "/large": (200, "application/json", json.dumps(["x" * 100] * 1000).encode()),
        "/cut": (200, "application/json", b'{"status": '),
    }

    async def go() -> pd.DataFrame:
        async with serving(
            pages, health="/health", timed=["/text", "/large", "/cut", "/health", "/none"]
        ) as session:
            service = session.environment.services[0]
            plan = "\n".join(describe_plan(session.environment, Case(title="t"), "after"))
            assert (
                "a: its API definition, once, with up to 50 files that it refers to, and 5 answers to compare with it"
                in plan
            )
            return await openapi.fetch_answers(service, session=session)

    table = asyncio.run(go())
    assert table["path"].tolist() == ["/health", "/text", "/large", "/cut", "/none"]
    assert table["status"].tolist() == [200, 200, 200, 200, 404]
    assert table["body"].tolist() == ['{"status": "ok"}', "", "", "", ""]
    assert table["note"].tolist() == ["", "not JSON", "more than 64 KiB", "not JSON", "not JSON"]
    assert table["content_type"].tolist()[1] == "text/plain; charset=utf-8"


def test_a_service_that_does_not_answer_is_kept_as_such() -> None:
    async def go() -> pd.DataFrame:
        async with serving({}) as session:
            service = session.environment.services[0]
            session.service_urls["a"] = "http://127.0.0.1:9"
            return await openapi.fetch_answers(service, session=session)

    [row] = asyncio.run(go()).to_dict("records")
    assert pd.isna(row["status"]) and row["error"] and row["body"] == ""


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ('{"required": ["password", "username"]}', None),
        ('{"in": "header", "name": "x-client-secret", "required": false}', None),
        ('{"name": "api_key", "in": "query"}', None),
        ('{"properties": {"access_token": {"type": "string"}, "token_type": {"type": "string"}}}', None),
        ('{"example": {"password": "hunter2-hunter2"}}', {"example": {"password": MASK}}),
        ('{"example": {"api_key": 123456789012}}', {"example": {"api_key": MASK}}),
        ('["postgres://app:s3cr3t@db/x", 1, null, true]', [f"postgres://app:{MASK}@db/x", 1, None, True]),
        ('{"a": {"b": ["AKIAABCDEFGHIJKLMNOP"]}}', {"a": {"b": [MASK]}}),
        ('{"AKIAABCDEFGHIJKLMNOP": "x"}', {MASK: "x"}),
    ],
)
def test_json_is_redacted_value_by_value_and_keeps_its_structure(text: str, scrubbed: Any) -> None:
    assert json.loads(scrub_json(text)) == (json.loads(text) if scrubbed is None else scrubbed)


def test_what_is_no_json_is_redacted_as_text() -> None:
    assert scrub_json("password=hunter2-hunter2 {") == f"password={MASK} {{"
    deep = "[" * 100_000
    assert scrub_json(deep) == deep


def test_a_recorded_definition_keeps_its_names_and_loses_its_secrets(tmp_path: Path) -> None:
    stated = json.loads(fetched(DEFINITION)["document"])
    stated["x-note"] = "Authorization: Bearer abcdefghijklmnopqrstuvwxyz"
    row = {"service": "a", "timestamp": pd.Timestamp.now("UTC"), "status": 200, "document": json.dumps(stated), "error": ""}  # fmt: skip
    now = pd.Timestamp.now("UTC").to_pydatetime()
    tables = {"openapi": openapi.OPENAPI.frame([row])}
    store.write_phase(
        tmp_path,
        environment="e",
        phase="after",
        tables=tables,
        recorded=store.Phase(started=now, ended=now),
    )
    table = store.read(tmp_path).table("openapi")
    assert table is not None
    kept = json.loads(table.iloc[0]["document"])
    assert kept.pop("x-note") == f"Authorization: Bearer {MASK}"
    del stated["x-note"]
    assert kept == stated
