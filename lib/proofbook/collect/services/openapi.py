"""Fetches the OpenAPI documents that services publish, and answers to hold against them."""

from __future__ import annotations

import functools
import json
from typing import Any

import httpx
import pandas as pd

from proofbook.collect import answers
from proofbook.collect.answers import KIB, Answer
from proofbook.collect.connection_errors import describe
from proofbook.collect.services import openapi_files, yaml_document
from proofbook.collect.services.health import client_for, fetch_json
from proofbook.collect.session import Session
from proofbook.config.services import Service
from proofbook.evidence.schema import ANSWERS, OPENAPI
from proofbook.files import parse_json

# Of an answer no more is kept: a page of a listing shows as much of its schema as all of it.
MOST_KEPT = 64 * KIB


async def fetch_openapi(service: Service, *, session: Session) -> pd.DataFrame:
    """One row: service, timestamp (UTC), status (nullable int), document (JSON text, empty when it was not had), error.

    What it refers to in other files of its origin is in it; the error says which of them are not, and why.
    """
    assert service.openapi is not None
    status, text, error = await fetch_json(service, service.openapi, session=session)
    if status == 200:
        found, error = _document(text)
        if found is not None:
            whole = await openapi_files.join(
                found,
                url=f"{session.service_urls[service.name]}{service.openapi}",
                fetch=functools.partial(_part, service, session),
            )
            found, error = whole.document, "; ".join(whole.problems)
        # In the order of names, so that two of them can be compared by eye.
        text = "" if found is None else json.dumps(found, sort_keys=True)
    else:
        text = ""
    row = {
        "service": service.name,
        "timestamp": pd.Timestamp.now("UTC"),
        "status": pd.NA if status is None else status,
        "document": text,
        "error": error,
    }
    return OPENAPI.frame([row])


def answered_paths(service: Service) -> tuple[str, ...]:
    """What is asked once, so that its answer can be held against the definition."""
    own = (service.health,) if service.health_method == "GET" else ()
    return tuple(dict.fromkeys((*own, *service.timed)))


async def fetch_answers(service: Service, *, session: Session) -> pd.DataFrame:
    """One row for each of `answered_paths`: service, path, timestamp (UTC), status (nullable int), content_type, body (JSON text,
    empty when it was not kept), note (why not), error."""
    rows = []
    async with client_for(service, session, keep_alive=True) as client:
        for path in answered_paths(service):
            row = {"service": service.name, "path": path, "timestamp": pd.Timestamp.now("UTC")}
            async with session.acquire("http requests"):
                try:
                    answer = await answers.ask(
                        client,
                        path,
                        headers=session.service_headers(service),
                        within_s=session.environment.pace.timeout_s,
                        most_bytes=answers.DOCUMENT_BYTES,
                        keep_bytes=MOST_KEPT + 1,
                    )
                except httpx.HTTPError as error:
                    empty = {"status": pd.NA, "content_type": "", "body": "", "note": ""}
                    rows.append({**row, **empty, "error": describe(error)})
                    continue
            rows.append({**row, **_kept(answer), "error": ""})
    return ANSWERS.frame(rows)


def _kept(answer: Answer) -> dict[str, object]:
    """What an answer holds, as columns."""
    body, note = "", ""
    if len(answer.body) > MOST_KEPT:
        note = f"more than {MOST_KEPT // KIB} KiB"
    else:
        try:
            body = json.dumps(answer.json())
        except ValueError:
            note = "not JSON"
    return {
        "status": answer.status_code,
        "content_type": answer.headers.get("content-type", "")[:200],
        "body": body,
        "note": note,
    }


async def _part(service: Service, session: Session, url: str) -> tuple[Any, int, str]:
    """Another file of a definition, the length of its text, and why there is none."""
    status, text, error = await fetch_json(service, url, session=session)
    if status != 200:
        return None, 0, error or f"HTTP {status}"
    found, error, _ = _read(text)
    if not isinstance(found, dict | list):
        return None, len(text), error or "it is no mapping in JSON or YAML"
    return found, len(text), ""


def _document(text: str) -> tuple[dict[str, Any] | None, str]:
    """A definition, and why there is none."""
    found, error, is_yaml = _read(text)
    if error:
        return None, error
    # Any text with a colon in it is a mapping in YAML.
    if not isinstance(found, dict) or (is_yaml and not found.keys() & {"openapi", "swagger", "paths"}):
        return (
            None,
            "the answer is no definition: it is no mapping in JSON or YAML that names its version or paths",
        )
    return found, ""


def _read(text: str) -> tuple[Any, str, bool]:
    """The value of a text in JSON or YAML, why there is none, and whether it was YAML."""
    try:
        return parse_json(text), "", False
    except ValueError:
        try:
            return yaml_document.parse(text), "", True
        except ValueError as error:
            return None, str(error), True
