"""Who was let in with which settings, in this run and in the newest earlier run in which somebody was."""

from __future__ import annotations

import importlib.metadata
import json
import logging
import platform
import socket as sockets
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd

from proofbook import paths
from proofbook.collect import jwt
from proofbook.collect.fingerprints import Fingerprints
from proofbook.collect.session import Session
from proofbook.config import asked_alike
from proofbook.config import environment as environments
from proofbook.config.services import Service, Tls, WebSocket
from proofbook.connections import connected
from proofbook.errors import ProofbookError
from proofbook.evidence import store
from proofbook.evidence.access import ACCESS, ENDPOINT, ISSUED, NO_TOKEN, PAGE, STATED
from proofbook.evidence.schema import HEALTH, REFUSALS, WEBSOCKET
from proofbook.protocol import REFUSED_CODES, REFUSED_STATUS, TokenKind

# What is older is not looked for: each run carries on what it knows of those before it.
MOST_RUNS = 10
logger = logging.getLogger("proofbook.collect")
Tables = Mapping[str, Any]
Row = dict[str, object]


def read(session: Session, tables: Tables, *, folder: Path) -> pd.DataFrame | None:
    """The table `access`; None where the evidence lies in no run of the environment, or nothing was asked.

    Args:
        tables: what was recorded just now. folder: of that phase.
    """
    outputs = (paths.outputs(session.base) / session.environment.name).resolve()
    if outputs not in folder.resolve().parents:
        return None
    run = folder.resolve().relative_to(outputs).parts[0]
    asking = _Asking(session=session, tables=tables, run=run, fingerprints=Fingerprints.of(outputs))
    rows = list(asking.rows())
    if not rows:
        return None
    earlier = _earlier(outputs, run, {(str(row["kind"]), str(row["name"])) for row in rows}, session)
    return ACCESS.frame([*rows, *earlier])


@dataclass(frozen=True, kw_only=True)
class _Sent:
    """How an endpoint or a page was asked. parts: all that is stated of that. refused: whether who showed no good token was refused by name."""

    url: str
    headers: Mapping[str, str]
    parts: tuple[str, ...]
    shows_token: bool
    refused: bool = False


@dataclass(frozen=True, kw_only=True)
class _Asking:
    """How this run asked, and what came of it."""

    session: Session
    tables: Tables
    run: str
    fingerprints: Fingerprints

    def rows(self) -> Iterator[Row]:
        """A row for every endpoint and health page that was tried."""
        for socket in self.session.environment.websockets:
            tried = self._rows(WEBSOCKET.name, endpoint=socket.name)
            if len(tried):
                yield self._row(ENDPOINT, socket.name, tried, connected(tried, socket), self._of_endpoint(socket))  # fmt: skip
        for service in self.session.environment.services:
            tried = self._rows(HEALTH.name, service=service.name, kind="health")
            if len(tried):
                yield self._row(PAGE, service.name, tried, tried["ok"], self._of_page(service))

    def _rows(self, table: str, **wanted: str) -> pd.DataFrame:
        rows: pd.DataFrame | None = self.tables.get(table)
        if rows is None:
            return pd.DataFrame()
        for column, value in wanted.items():
            rows = rows[rows[column] == value]
        return rows

    def _row(self, kind: str, name: str, tried: pd.DataFrame, let_in: pd.Series, sent: _Sent) -> Row:
        in_at = tried.loc[let_in.fillna(False).astype(bool), "timestamp"]
        headers = json.dumps(dict(sorted(sent.headers.items())))
        version = importlib.metadata.version("proofbook")
        proxies = (f"{scheme}={url}" for scheme, url in sorted(urllib.request.getproxies().items()))
        return {
            "kind": kind,
            "name": name,
            "run": self.run,
            "earlier": False,
            "timestamp": (in_at if len(in_at) else tried["timestamp"]).max(),
            "tries": len(tried),
            "let_in": len(in_at),
            "refused": sent.refused,
            "differs": "",
            "settings": self.fingerprints(sent.url, headers, *sent.parts, version),
            "place": self.fingerprints(platform.node(), own_address(sent.url), *proxies),
            **self._token(sent.shows_token),
        }

    def _of_endpoint(self, socket: WebSocket) -> _Sent:
        session = self.session
        tried = self._rows(REFUSALS.name, endpoint=socket.name)
        bad = tried[~tried["token_kind"].isin([TokenKind.GOOD, TokenKind.AT_UNKNOWN_PATH])] if len(tried) else tried  # fmt: skip
        files = self._files(session.environment.tls(socket))
        return _Sent(
            url=session.socket_urls[socket.name],
            headers=_without_trace(session.socket_headers(socket)),
            parts=(*self._parts(f"websocket {socket.name}"), *files),
            shows_token=socket.token.place != "none",
            refused=bool(len(bad)) and bool(_refused_by_name(bad).all()),
        )

    def _of_page(self, service: Service) -> _Sent:
        headers = _without_trace(self.session.service_headers(service))
        if service.sends_token:
            # The token has a fingerprint of its own.
            headers.pop("authorization", None)
        return _Sent(
            url=f"{self.session.service_urls[service.name]}{service.health}",
            headers=headers,
            parts=(*self._parts(f"service {service.name}"), *self._files(service)),
            shows_token=service.sends_token,
        )

    def _parts(self, part: str) -> Iterator[str]:
        """All that is stated of how it is asked."""
        stated = asked_alike.stated(self.session.environment)
        for name in ("pace", "login", part):
            yield json.dumps(stated.get(name, {}), sort_keys=True)
        yield json.dumps(self.session.sent_at_login(), sort_keys=True)

    def _files(self, tls: Tls) -> Iterator[str]:
        for name in filter(None, tls.files):
            try:
                yield (self.session.base / name).read_bytes().hex()
            except OSError:
                yield ""

    def _token(self, shows_token: bool) -> Row:
        login = self.session.environment.login
        if not shows_token or login is None:
            return {"token_from": NO_TOKEN, "token": "", "expires": None}
        token = self.session.known_token(login.user)
        # A command may give another one each time.
        if login.url is not None or token is None or (login.token and login.token.command):
            return {"token_from": ISSUED if login.url else STATED, "token": "", "expires": None}
        return {
            "token_from": STATED,
            "token": self.fingerprints("token", token.reveal()),
            "expires": ends(token.reveal()),
        }


def ends(token: str) -> pd.Timestamp | None:
    """When a token ends, as it says itself; None of one that does not say.

    >>> ends("eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3NjcyMjU2MDB9.c2ln").isoformat()
    '2026-01-01T00:00:00+00:00'
    """
    found = jwt.read(token)
    said = found[1].get("exp") if found else None
    if isinstance(said, bool) or not isinstance(said, int | float) or not 0 < said < 1e10:
        return None
    return pd.Timestamp(said, unit="s", tz="UTC")


def own_address(url: str) -> str:
    """The address of this machine from which an address is reached; nothing is sent. Empty where there is no way."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme in ("https", "wss") else 80)
    try:
        family, kind, _, _, address = sockets.getaddrinfo(parts.hostname, port, type=sockets.SOCK_DGRAM)[0]
        with sockets.socket(family, kind) as way:
            way.connect(address)
            return str(way.getsockname()[0])
    except (OSError, UnicodeError):
        return ""


def _without_trace(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name != "traceparent"}


def _refused_by_name(rows: pd.DataFrame) -> pd.Series:
    by_code = rows["http_status"].isin(REFUSED_STATUS) | rows["close_code"].isin(REFUSED_CODES)
    return by_code | rows["refused"].astype(bool)


def _earlier(outputs: Path, run: str, wanted: set[tuple[str, str]], session: Session) -> Iterator[Row]:
    """For each endpoint and page the newest earlier run in which somebody was let in."""
    known = [path for path in outputs.iterdir() if path.name < run and not path.name.startswith(".") and not path.is_symlink()]  # fmt: skip
    left = set(wanted)
    for folder in sorted(known, reverse=True)[:MOST_RUNS]:
        if not left:
            return
        for row in _rows_of(folder, session.environment.name):
            key = (str(row["kind"]), str(row["name"]))
            if key in left and row["let_in"]:
                left.discard(key)
                yield {**row, "earlier": True, "differs": _differs(outputs / str(row["run"]), session)}


def _rows_of(folder: Path, environment: str) -> list[Row]:
    """What a run says of itself, and then of those before it; nothing where it is damaged, of an older version or of something else."""
    try:
        evidence = store.read(folder / "evidence")
        table = evidence.table(ACCESS.name) if evidence.manifest.environment == environment else None
    except (ProofbookError, OSError, ValueError) as error:
        logger.info("run %s says nothing of who was let in: %s", folder.name, error)
        return []
    if table is None:
        return []
    rows = table.sort_values("earlier", kind="stable").to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


def _differs(run: Path, session: Session) -> str | None:
    """The settings that are stated otherwise now than in a run; None where it keeps none any more."""
    was = environments.kept_in(run)
    return None if was is None else ", ".join(asked_alike.differing(was, session.environment))
