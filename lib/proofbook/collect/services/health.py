"""Probes HTTP services: health, a path that must not exist, and endpoints that are timed."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import re
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import httpx
import jmespath
import pandas as pd

from proofbook import probe_marks as marks
from proofbook.collect import answers
from proofbook.collect.answers import Answer
from proofbook.collect.connection_errors import describe, name_not_found
from proofbook.collect.filling import match_fields
from proofbook.collect.rate_limit import asks_for_less
from proofbook.collect.services import grpc_calls, health_page, page_time, stored_copies, transport
from proofbook.collect.services.health_page import Word
from proofbook.collect.session import Session, side_by_side
from proofbook.config.conversation import Expectation
from proofbook.config.services import Service
from proofbook.errors import CouldNotLook
from proofbook.evidence import stand_ins
from proofbook.evidence.product_keys import states_health
from proofbook.evidence.schema import HEALTH, LATENCY
from proofbook.files import parse_json
from proofbook.protocol import UNMARKED_PAGE_KINDS
from proofbook.redaction.scrubbing import scrub

BODY_SAMPLE = 300
UNKNOWN_TRIES = 5
_ENCRYPTED, _CERTIFICATE_ENDS = "connection.start_tls.complete", "certificate"
_HEADERS_CAME = tuple(f"{protocol}.receive_response_headers.complete" for protocol in ("http11", "http2"))


async def probe_health(
    service: Service,
    *,
    session: Session,
    checkpoints: Sequence[int],
    decided: Callable[[int, int], bool],
    unknown_count: int = UNKNOWN_TRIES,
) -> pd.DataFrame:
    """Asks for a service's health until `decided(failures, count)`, asked at the checkpoints, and for a path that must not be there.

    Returns:
        One row per request: service, kind (`health` or `unknown-path`), timestamp (UTC), status (nullable int), ok,
        body_ok, body (sample), says (a Word of `health_page`, or empty), age_s (of a stored copy; NaN where it is none), stored (the header that says that it is one),
        dated_in, dated (UTC) and dated_age_s (of a time that the page names as its own), error, certificate_days (left of the one that was shown), connect_s, tls_s, first_byte_s, total_s, revision, trace_id,
        cause (a transport.Cause, or empty).
    Raises:
        CouldNotLook: the host name does not resolve, or 429 came too often.
    """
    # The log of a service that keeps no trace ids may keep addresses: so the canary is in one of them too.
    sign = "&" if "?" in service.unknown_path else "?"
    unknown = f"{service.unknown_path}{sign}{marks.QUERY}={session.canary}"
    # A new connection each time, so that connecting is part of what is measured.
    async with client_for(service, session, keep_alive=False) as client:
        rows: list[Mapping[str, object]] = []
        for checkpoint in checkpoints:
            rows += await side_by_side(
                _ask(service, "health", service.health, client, session)
                for _ in range(checkpoint - len(rows))
            )
            if decided(sum(not row["ok"] for row in rows), len(rows)):
                break
        rows += await side_by_side(
            _ask(service, "unknown-path", unknown, client, session) for _ in range(unknown_count)
        )
    cause = await _cause(rows, service, session=session)
    return HEALTH.frame([{**row, "cause": str(cause)} for row in rows])


async def ask_unmarked(service: Service, *, count: int, session: Session) -> pd.DataFrame:
    """Asks for the health page and every timed path without a sign of a probe, `count` times as each kind of UNMARKED_PAGE_KINDS.

    Returns:
        Rows as those of `probe_health`, with one of UNMARKED_PAGE_KINDS as kind.
    """
    rows: list[Mapping[str, object]] = []
    for kind in UNMARKED_PAGE_KINDS:
        async with client_for(service, session, keep_alive=False) as client:
            # What the library sends by itself is a sign too.
            client.headers.clear()
            rows += await side_by_side(
                _ask(service, kind, path, client, session)
                for path in (service.health, *service.timed)
                for _ in range(count)
            )
    return HEALTH.frame([{**row, "cause": ""} for row in rows])


async def _cause(
    rows: Sequence[Mapping[str, object]], service: Service, *, session: Session
) -> transport.Cause:
    """What explains that nothing is answered, or that everything is answered with what only a proxy says of a connection."""
    answered = [row for row in rows if row["status"] is not pd.NA]
    if answered:
        is_refused = len(answered) == len(rows) and all(
            row["status"] == HTTPStatus.BAD_REQUEST for row in rows
        )
        return transport.cause_in(str(rows[0]["body"])) if is_refused else transport.Cause.NONE
    url = session.service_urls[service.name]
    context = session.tls(service, url)
    return await asyncio.to_thread(transport.why_no_answer, url, context, server_name=service.server_name)


async def time_endpoint(
    service: Service, path: str, *, count: int, every: int, session: Session
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Times `count` requests to one endpoint over kept connections, and after every few of them one to the health endpoint.

    Returns:
        Two tables, the endpoint's and the health endpoint's, one row per request: service, path, timestamp (UTC), status
        (nullable int), ok, error, total_s, trace_id.
    """
    paths = [
        which for number in range(count) for which in (path, service.health)[: 1 + (number % every == 0)]
    ]
    async with client_for(service, session, keep_alive=True) as client:
        rows = await side_by_side(_ask(service, "timed", which, client, session) for which in paths)
    table = LATENCY.frame([{column.name: row[column.name] for column in LATENCY.columns} for row in rows])
    beside = pd.Series([which != path for which in paths])
    return table[~beside].reset_index(drop=True), table[beside].reset_index(drop=True)


async def fetch_json(service: Service, path: str, *, session: Session) -> tuple[int | None, str, str]:
    """A JSON document as (status, text, error)."""
    async with client_for(service, session, keep_alive=False) as client, session.acquire("http requests"):
        try:
            answer = await answers.ask(
                client,
                path,
                headers=session.service_headers(service),
                within_s=answers.DOCUMENT_TIMES * session.environment.pace.timeout_s,
                most_bytes=answers.DOCUMENT_BYTES,
            )
            return answer.status_code, answer.text, ""
        except httpx.HTTPError as error:
            return None, "", describe(error)


def asking(service: Service) -> dict[str, Any]:
    """How the health of a service is asked for, as arguments of `answers.ask`."""
    return {} if service.health_method == "GET" else {"method": "POST", "json": service.health_body}


@contextlib.asynccontextmanager
async def client_for(
    service: Service, session: Session, *, keep_alive: bool, at: str | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """A client for a service; where that wants the token of the login, there is one by then. at: another address than its own.

    Raises:
        CouldNotLook: the login did not give one.
    """
    login = session.environment.login
    if service.sends_token and login is not None:
        await session.token(login.user)
    url = at or session.service_urls[service.name]
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None if keep_alive else 0)
    # Each request is somebody else's: a cookie would keep all of them at one of several instances.
    nobodys = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    speaks: dict[str, Any] = {}
    if service.health_method == "gRPC":
        speaks["transport"] = grpc_calls.Transport(context=session.tls(service, url))
    async with session.client(
        url, tls=service, base_url=url, limits=limits, cookies=nobodys, **speaks
    ) as client:
        yield client


async def _ask(
    service: Service, kind: str, path: str, client: httpx.AsyncClient, session: Session
) -> Mapping[str, object]:
    """The row of one request.

    Raises:
        CouldNotLook: the host name does not resolve, or 429 came too often.
    """
    moments: dict[str, float] = {}
    async with session.acquire("http requests"):
        is_unmarked = kind in UNMARKED_PAGE_KINDS
        headers = session.unmarked_headers(service, kind) if is_unmarked else session.service_headers(service)
        asked = {"service": service.name, "kind": kind, "path": path, "timestamp": pd.Timestamp.now("UTC"), "trace_id": marks.trace_sent(headers)}  # fmt: skip
        began = time.perf_counter()
        try:
            answer = await _answer(service, kind, path, client, session, headers, moments)
        except httpx.HTTPError as error:
            if name_not_found(error):
                raise CouldNotLook(
                    f"the host of service {service.name!r} ({urlsplit(str(client.base_url)).hostname}) does not resolve; check its url"
                ) from None
            told = {**_NO_ANSWER, **_packed(error, service, kind), "error": describe(error)}
            return {**asked, **told, "total_s": time.perf_counter() - began, **_phases(moments, began)}
        total_s = time.perf_counter() - began
    if asks_for_less(answer.status_code, answer.headers, answer.text):
        await session.back_off(
            answer.headers.get("retry-after"), host=client.base_url.host, status=answer.status_code
        )
    # Of another page nobody said what health says.
    asked_as = ("health" if path == service.health else "timed") if is_unmarked else kind
    return {**asked, **_told(answer, service, asked_as), "total_s": total_s, **_phases(moments, began)}


_NO_ANSWER = {
    "status": pd.NA,
    "ok": False,
    "body_ok": pd.NA,
    "body": "",
    "says": "",
    "part": "",
    "age_s": None,
    "stored": "",
    "dated_in": "",
    "dated": pd.NaT,
    "dated_age_s": None,
    "revision": None,
}


def _packed(error: httpx.HTTPError, service: Service, kind: str) -> Mapping[str, object]:
    """What is known of an answer that is packed in a way that cannot be unpacked here: that it came, and not what it says."""
    if not isinstance(error, answers.PackedOtherwise) or kind == "timed":
        return {}
    wanted = service.health_status if kind == "health" else [HTTPStatus.OK]
    told = {"status": error.status, "ok": error.status in wanted and not service.health_expect}
    return {**told, "says": Word.UNKNOWN.value, "body": str(error)}


async def _answer(
    service: Service,
    kind: str,
    path: str,
    client: httpx.AsyncClient,
    session: Session,
    headers: dict[str, str],
    moments: dict[str, float],
) -> Answer:
    """The answer; `moments` becomes when each part of the request began and ended."""

    async def mark(event: str, info: Mapping[str, Any]) -> None:
        moments[event] = time.perf_counter()
        if event == _ENCRYPTED and (ends := _certificate_end(info["return_value"])) is not None:
            moments[_CERTIFICATE_ENDS] = ends

    is_page = kind != "timed" and path not in service.timed
    return await answers.ask(
        client,
        path,
        headers=headers,
        trace=mark,
        **(asking(service) if kind == "unknown-path" or path == service.health else {}),
        within_s=session.environment.pace.timeout_s,
        most_bytes=answers.PAGE_BYTES if is_page else answers.DOCUMENT_BYTES,
        # Of what is only timed the body is received, as its users do, and not kept.
        keep_bytes=None if is_page else BODY_SAMPLE,
    )


def is_well(answer: Answer, service: Service) -> bool:
    """Whether an answer to a request for health is that of a healthy service."""
    return bool(_told(answer, service, "health")["ok"])


def _told(answer: Answer, service: Service, kind: str) -> Mapping[str, object]:
    """What an answer says, as columns."""
    wanted = service.health_status if kind == "health" else [200]
    said = health_page.read(answer.text, is_html=answer.is_html) if kind == "health" else None
    body_ok: bool | None = None
    if kind != "timed" and service.health_expect:
        body_ok = _body_ok(service.health_expect, answer.text)
    if (
        said is not None
        and said.word in (Word.WELL, Word.ILL)
        and body_ok is not False
        and not states_health(service.health_expect)
    ):
        body_ok = said.word is Word.WELL
    dated = (
        page_time.of(answer, now=dt.datetime.now(dt.UTC), leaves_out=_expected_keys(service))
        if kind == "health"
        else None
    )
    # Of what is only timed, the text of a crash is no answer.
    crash = stand_ins.crash_in(answer.text) if kind == "timed" else ""
    ill = said.shown() if said is not None and said.word is not Word.WELL and body_ok is False else crash
    return {
        "status": answer.status_code,
        "ok": answer.status_code in wanted and body_ok is not False and not crash,
        "body_ok": pd.NA if body_ok is None else body_ok,
        "body": scrub(answer.text[:BODY_SAMPLE]),
        "says": said.word.value if said is not None else "",
        "part": scrub(_ill_part(said)) if said is not None and body_ok else "",
        "age_s": age_of(answer) if kind == "health" else None,
        "stored": scrub(stored_copies.named_in(answer.headers)) if kind == "health" else "",
        "dated_in": scrub(dated.path) if dated is not None else "",
        "dated": pd.Timestamp(dated.moment) if dated is not None else pd.NaT,
        "dated_age_s": dated.age_s if dated is not None else None,
        "error": f"a page that says {scrub(ill)}" if ill else "",
        "revision": field_of(service.revision_path, answer) if kind == "health" else None,
    }


def _ill_part(said: health_page.Said) -> str:
    """What a page that is taken for healthy says beside that: of a part, or in words that nobody stated."""
    return said.beside or (said.shown() if said.word in (Word.ILL, Word.HALF) else "")


def age_of(answer: Answer) -> float | None:
    """How old a stored copy is that something in between answered with, in seconds; None where the answer is none, or new."""
    stated = answer.headers.get("age", "").strip()
    return float(stated) if stated.isdigit() and int(stated) > 0 else None


def _certificate_end(stream: Any) -> float | None:
    """When the certificate of an encrypted connection ends, in seconds since 1970; None where it was not checked."""
    shown = stream.get_extra_info("ssl_object")
    ends = (shown.getpeercert() or {}).get("notAfter") if shown is not None else None
    return None if ends is None else float(ssl.cert_time_to_seconds(str(ends)))


def _phases(marks: dict[str, float], began: float) -> dict[str, float | None]:
    def between(first: str, last: str) -> float | None:
        return marks[last] - marks[first] if first in marks and last in marks else None

    headers = next((name for name in _HEADERS_CAME if name in marks), "")
    return {
        "certificate_days": (marks[_CERTIFICATE_ENDS] - time.time()) / 86400
        if _CERTIFICATE_ENDS in marks
        else None,
        "connect_s": between("connection.connect_tcp.started", "connection.connect_tcp.complete"),
        "tls_s": between("connection.start_tls.started", _ENCRYPTED),
        "first_byte_s": marks[headers] - began if headers else None,
    }


def _expected_keys(service: Service) -> frozenset[str]:
    """The fields of the health page whose value is stated."""
    return frozenset(service.health_expect.fields if service.health_expect else ())


def _body_ok(expected: Expectation, text: str) -> bool:
    if expected.regex is not None and not re.search(expected.regex, text):
        return False
    if not expected.fields:
        return True
    try:
        return match_fields(expected.fields, parse_json(text), {})
    except ValueError:
        return False


def field_of(path: str | None, answer: Answer) -> str | None:
    if path is None:
        return None
    try:
        value = jmespath.search(path, answer.json())
    except ValueError:
        return None
    return None if value is None else str(value)
