"""The options of `proofbook try`, validated before anything is sent."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from proofbook.collect import jwt
from proofbook.config import dialects, duckdb_text, log_uri
from proofbook.config.fields import address_problem
from proofbook.connections import NEW_ID
from proofbook.errors import UsageError
from proofbook.report.finding_html import duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of `proofbook try`. gone: close codes and log patterns. since: deployment time of the fix.

    headers, query: NAME=VALUE, or NAME=env:VARIABLE for what must not be written anywhere.
    """

    url: str
    ws: str = ""
    dialect: str = ""
    headers: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    origin: str = ""
    subprotocols: tuple[str, ...] = ()
    token_env: str = ""
    logs: str = ""
    gone: tuple[str, ...] = ()
    since: dt.datetime | None = None
    within_s: float | None = None
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    server_name: str = ""

    @property
    def page(self) -> str:
        """The page that the URL names, with its query; empty where it names the service alone."""
        parts = urlsplit(self.url)
        query = f"?{parts.query}" if parts.query else ""
        return f"{parts.path or '/'}{query}" if query or parts.path not in ("", "/") else ""

    @property
    def sent_headers(self) -> dict[str, Any]:
        """The headers of every request, as a table of an environment file."""
        return {**_table(self.headers), **({"Origin": self.origin} if self.origin else {})}

    @property
    def socket(self) -> dict[str, Any]:
        """The endpoint, as `ws` of a service states it."""
        where, _, query = self.ws.partition("?")
        added = {**dict(parse_qsl(query, keep_blank_values=True)), **_table(self.query)}
        token = {"env": self.token_env}
        # What names the token's variable is where the token goes.
        name = next((name for name, value in added.items() if value == token), "")
        added.pop(name, None)
        stated = {
            "path" if where.startswith("/") else "url": where,
            "dialect": self.dialect,
            "query": added,
            "token": {"in": "query", "name": name} if name else {},
            "subprotocols": list(self.subprotocols),
        }
        return {key: value for key, value in stated.items() if value}

    @property
    def tls(self) -> dict[str, str]:
        """How encrypted connections are made, as keys of a service."""
        keys = ("ca_file", "cert_file", "key_file", "server_name")
        return {key: value for key in keys if (value := getattr(self, key))}

    @property
    def close_codes(self) -> list[int]:
        return [int(item) for item in self.gone if re.fullmatch(r"[1-4]\d{3}", item)]

    @property
    def log_patterns(self) -> list[str]:
        return [item for item in self.gone if not re.fullmatch(r"[1-4]\d{3}", item)]


def check(options: Options, *, token: str = "", now: dt.datetime) -> None:
    """Checks the options before anything is sent.

    Raises:
        UsageError: what was expected, what came, and what to do.
    """
    _check_url(options.url)
    _check_websocket(options)
    _check_sent(options)
    _check_symptoms(options)
    if options.since is not None and options.since > now:
        raise UsageError(
            f"--since must be in the past, got {options.since.isoformat()}, and it is {now:%Y-%m-%dT%H:%M:%SZ}"
        )
    if problem := log_uri.problem(options.logs or "-"):
        raise UsageError(f"--logs: {problem}")
    _check_token(options, token, now=now)


def _check_url(url: str) -> None:
    if problem := address_problem(url):
        raise UsageError(f"expected a service URL with {problem}, got {url.rsplit('@')[-1]!r}")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        near = (
            url.replace("ws", "http", 1)
            if parts.scheme in ("ws", "wss")
            else f"http://{url.partition('://')[2] or url}"
        )
        raise UsageError(
            f"expected a service URL such as {near}, got {url!r}; give the path of a WebSocket with --ws"
        )
    if parts.username or parts.password:
        raise UsageError(
            f"the URL of {parts.hostname} contains a password; put a token into an environment variable and name it with --token-env, or what a login sends, with --header Authorization=env:NAME"
        )
    if secret := _secret_in(parts.query):
        raise UsageError(
            f"the query of {parts.hostname}{parts.path} holds {secret}, which may be a secret and would be written into files; export it in a variable and send it in a header: --header NAME=env:VARIABLE"
        )
    if parts.fragment:
        raise UsageError(
            f"the URL of {parts.hostname}{parts.path} ends in a fragment, which no server is told; leave out the # and what follows"
        )


def _check_websocket(options: Options) -> None:
    where, _, query = options.ws.partition("?")
    if "@" in where:
        raise UsageError("--ws: expected a path without a password; name a token with --token-env")
    if secret := _secret_in(query):
        raise UsageError(
            f"--ws: its query holds {secret}, which may be a secret; export it in a variable and name that: --query {secret}=env:VARIABLE"
        )
    if options.ws and not options.ws.startswith(("/", "ws://", "wss://")):
        raise UsageError(f"--ws: expected a path such as /ws, got {options.ws!r}")


def _check_sent(options: Options) -> None:
    """Headers and query have a name and a value, and what may be a secret is named instead of written."""
    for option, written in (("--header", options.headers), ("--query", options.query)):
        for item in written:
            name, sign, value = item.partition("=")
            if not sign or not re.fullmatch(r"[!-~]+", name):
                raise UsageError(f"{option}: expected NAME=VALUE, got {name[:40]!r}")
            if not value.startswith(_NAMED) and _may_be_secret(name, value):
                raise UsageError(
                    f"{option}: {name} may be a secret, so its value is not written; export it in a variable and name that: {option} {name}=env:VARIABLE"
                )
    if options.key_file and not options.cert_file:
        raise UsageError("--key is that of a certificate; name the certificate with --cert")
    if options.query and not options.ws:
        raise UsageError("--query is added to the WebSocket's address; give its path with --ws")
    if options.subprotocols and not options.ws:
        raise UsageError("--subprotocol is offered to the WebSocket; give its path with --ws")
    if options.dialect:
        try:
            dialects.checked_name(options.dialect)
        except ValueError as error:
            raise UsageError(f"--dialect: {error}") from None
        if not options.ws:
            raise UsageError("--dialect is that of the WebSocket; give its path with --ws")
    origin = urlsplit(options.origin)
    if options.origin and (not origin.scheme or not origin.netloc or origin.path.strip("/")):
        raise UsageError(f"--origin: expected one such as https://app.example.com, got {options.origin!r}")


_NAMED = "env:"


def _may_be_secret(name: str, value: str) -> bool:
    """Whether a value may be a secret: by its name, or because it is long and no words.

    >>> _may_be_secret("EIO", "4"), _may_be_secret("access_token", "x"), _may_be_secret("k", "9f86d081884c7d659a2feaa0c55ad015")
    (False, True, True)
    >>> _may_be_secret("token", "{id}")
    False
    """
    if value == NEW_ID:
        # Another one on each connection.
        return False
    telling = re.search(r"(?i)auth|cookie|token|secret|passw|key|session|signature|^sig$|jwt", name)
    return bool(telling or re.fullmatch(r"(?=.*\d)[\w+/=.-]{20,}", value))


def _secret_in(query: str) -> str:
    """The name of the first value in a query that may be a secret; empty where none may."""
    return next((name for name, value in parse_qsl(query) if _may_be_secret(name, value)), "")


def _table(written: Sequence[str]) -> dict[str, Any]:
    """NAME=VALUE as a table of an environment file; what is named stays named."""
    pairs = (item.partition("=")[::2] for item in written)
    return {
        name: {"env": value.removeprefix(_NAMED)} if value.startswith(_NAMED) else value
        for name, value in pairs
    }


def _check_symptoms(options: Options) -> None:
    """Each symptom has a place where it would show, and a pattern that not every line matches."""
    if options.close_codes and not options.ws:
        raise UsageError(
            f"--gone {options.close_codes[0]} is a WebSocket close code; give the WebSocket's path with --ws"
        )
    if options.log_patterns and not options.logs:
        raise UsageError(
            f"--gone {options.log_patterns[0]!r} is a log pattern; give the log source with --logs"
        )
    for pattern in options.log_patterns:
        problem = duckdb_text.problem(pattern)
        if problem:
            raise UsageError(f"--gone: expected a regular expression, got {pattern!r} ({problem})")
        if all(duckdb_text.found_in(pattern, ["", "all well", "7"])):
            raise UsageError(f"--gone: {pattern!r} matches every line; name what only the defect writes")


def _check_token(options: Options, token: str, *, now: dt.datetime) -> None:
    if options.token_env and not token:
        raise UsageError(
            f"--token-env: environment variable {options.token_env} is not set; export a token in it first"
        )
    expired = _expired_at(token)
    if expired is not None and expired <= now:
        ago = duration((now - expired).total_seconds())
        raise UsageError(
            f"the token in {options.token_env} expired at {expired:%Y-%m-%d %H:%M:%S} UTC, {ago} ago; get a new one"
        )


def command_of(options: Options) -> str:
    """The command that asks this again; a token is named in it, never written."""
    pairs: Sequence[tuple[str, str]] = (
        ("--ws", options.ws),
        ("--dialect", options.dialect),
        *(("--header", item) for item in options.headers),
        *(("--query", item) for item in options.query),
        ("--origin", options.origin),
        *(("--subprotocol", item) for item in options.subprotocols),
        ("--token-env", options.token_env),
        ("--logs", options.logs),
        ("--ca", options.ca_file),
        ("--cert", options.cert_file),
        ("--key", options.key_file),
        ("--server-name", options.server_name),
        *(("--gone", item) for item in options.gone),
        ("--since", options.since.isoformat() if options.since else ""),
        ("--within", f"{options.within_s:g}s" if options.within_s else ""),
    )
    words = [f"{option} {_typed(value)}" for option, value in pairs if value]
    return " ".join(["proofbook try", _typed(options.url), *words])


def _typed(value: str) -> str:
    """A value as it is typed into a shell."""
    return json.dumps(value) if re.search(r"[^A-Za-z0-9_./:=-]", value) else value


def _expired_at(token: str) -> dt.datetime | None:
    """When a JWT expires; None of anything else."""
    found = jwt.read(token)
    try:
        return None if found is None else dt.datetime.fromtimestamp(float(str(found[1]["exp"])), dt.UTC)
    except (ValueError, KeyError, TypeError, OverflowError):
        return None
