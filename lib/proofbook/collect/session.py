"""HTTP and WebSocket session of one collection phase: rate limiting, back-off, TLS contexts, tokens, request counts."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import secrets
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import httpx
import jmespath

from proofbook import paths, probe_marks
from proofbook.collect import answers
from proofbook.collect.answers import Answer
from proofbook.collect.connection_errors import describe
from proofbook.collect.filling import fill
from proofbook.collect.rate_limit import TOO_MANY, RateLimiter
from proofbook.config.environment import Environment
from proofbook.config.fields import check_url
from proofbook.config.probes import references
from proofbook.config.references import Reference
from proofbook.config.services import Login, Service, Tls, WebSocket
from proofbook.errors import ConfigurationError, CouldNotLook
from proofbook.protocol import UNMARKED_KINDS, UNMARKED_PAGE_KINDS, TokenKind
from proofbook.redaction.scrubbing import Secret

Result = TypeVar("Result")
# As sites that count their visitors set it.
_VISITED = "_ga=GA1.1.1804289383.1764355200"
logger = logging.getLogger("proofbook.collect")


class Session:
    """What the collectors of one phase share. Resolving fails before anything is sent."""

    def __init__(self, environment: Environment, *, base: Path) -> None:
        self.environment = environment
        self.base = paths.home(base)
        self.done: Counter[str] = Counter()
        self.canary = probe_marks.new_canary()
        # Whether an endpoint of which no greeting is stated says something before it is spoken to, by its name.
        self.speaks_first: dict[str, asyncio.Task[bool]] = {}
        self._where = f"environments/{environment.name}.toml"
        self._limiter = RateLimiter(environment.pace)
        self._tokens: dict[str, Secret] = {}
        self._find_addresses()
        self._find_headers()
        self._make_contexts()
        self.bad_tokens = self._supplied_bad_tokens()
        if environment.login and environment.login.token:
            self._tokens[environment.login.user] = self._secret(environment.login.token, "login.token")
        self._values = self._values_of_probes()

    def _find_addresses(self) -> None:
        environment, login = self.environment, self.environment.login
        self.service_urls = {
            item.name: self._url(item.url, ("http", "https"), f"service {item.name!r}: url").rstrip("/")
            for item in environment.services
        }
        self.socket_urls = {item.name: self._socket_url(item) for item in environment.websockets}
        self._login_url = (
            self._url(login.url, ("http", "https"), "login.url").rstrip("/") + login.path
            if login and login.url
            else ""
        )

    def _find_headers(self) -> None:
        login = self.environment.login
        self._login_headers = self._headers(login.headers, "login.headers") if login else {}
        self._login_form = self._headers(login.form, "login.form") if login else {}
        self._service_headers = {
            item.name: self._headers(item.headers, f"service {item.name!r}: headers")
            for item in self.environment.services
        }
        self._socket_headers = {
            item.name: self._headers(item.headers, f"websocket {item.name!r}: headers")
            for item in self.environment.websockets
        }

    def _make_contexts(self) -> None:
        """TLS contexts, each made once, since each reads every certificate of the system."""
        environment = self.environment
        used: list[tuple[Tls, str]] = [(item, self.service_urls[item.name]) for item in environment.services]
        used += [(environment.tls(item), self.socket_urls[item.name]) for item in environment.websockets]
        if environment.login is not None and self._login_url:
            used.append((environment.login, self._login_url))
        encrypted = {item.files: item for item, url in used if _encrypted(url)}
        self._contexts = {files: self._context(item) for files, item in encrypted.items()}

    def _values_of_probes(self) -> dict[str, str | Secret]:
        """What the settings of every [[probe]] name, read before anything is sent."""
        found: dict[str, str | Secret] = {}
        for item in self.environment.probes:
            for key, reference, secret in references(item):
                read = self._secret if secret else self._read
                found[repr(reference)] = read(reference, f"probe {item.name!r}: {key}")
        return found

    def value(self, reference: Reference) -> str:
        """What a reference in the settings of a [[probe]] names: an address, or a secret, which is masked wherever it is written."""
        found = self._values[repr(reference)]
        return found.reveal() if isinstance(found, Secret) else found

    @asynccontextmanager
    async def acquire(self, what: str) -> AsyncIterator[None]:
        """Waits for a place within the environment's pace and concurrency, and counts the request.

        Raises:
            CouldNotLook: the service said 429 too often.
        """
        async with self._limiter.acquire():
            self.done[what] += 1
            logger.debug("%s: number %d", what, self.done[what])
            yield

    async def back_off(self, retry_after: str | None, *, host: str, status: int = TOO_MANY) -> None:
        """Backs off after a 429 of a host, or what says the same with another status, as long as it asks.

        Raises:
            CouldNotLook: it asks for too long.
        """
        self._limiter.back_off(retry_after, host=host, status=status)

    def host_of(self, socket: WebSocket) -> str:
        """The host of an endpoint."""
        return urlsplit(self.socket_urls[socket.name]).hostname or ""

    def sent_at_login(self) -> dict[str, str]:
        """The address of the login, and the headers and the form that are sent to it."""
        return {**self._login_headers, **self._login_form, ":url": self._login_url}

    def known_token(self, user: str) -> Secret | None:
        """The token of a user that was named or issued already."""
        return self._tokens.get(user)

    async def token(self, user: str) -> Secret | None:
        """A good token for `user`; None when the environment has no way to get one for that user.

        Raises:
            CouldNotLook: the login did not give one.
        """
        login = self.environment.login
        if login is None or user in self._tokens:
            return self._tokens.get(user)
        if not self._login_url:
            return None
        body: dict[str, Any] = {"json": json.loads(json.dumps(login.body).replace("{user}", user))}
        if login.form:
            body = {"data": {key: fill(value, {"user": user}) for key, value in self._login_form.items()}}
        try:
            async with (
                self.acquire("logins"),
                self.client(self._login_url, tls=login) as client,
            ):
                answer = await answers.ask(
                    client,
                    self._login_url,
                    method="POST",
                    headers=self._login_headers,
                    within_s=self.environment.pace.timeout_s,
                    **body,
                )
            logger.info("login at %s answered %d", self._login_url, answer.status_code)
            token = _token_in(answer, login) if answer.status_code < 400 else None
        except (httpx.HTTPError, ValueError) as error:
            raise CouldNotLook(
                f"{self._where}: login at {self._login_url} failed: {describe(error)}"
            ) from None
        if not isinstance(token, str):
            raise CouldNotLook(
                f"{self._where}: expected a token {_place_of_token(login)} from {self._login_url}, got status {answer.status_code}; check [login]"
            )
        self._tokens[user] = Secret(token, issued=True)
        return self._tokens[user]

    def service_headers(self, service: Service) -> dict[str, str]:
        return {
            "user-agent": probe_marks.USER_AGENT,
            **self._bearer(service),
            **self._service_headers[service.name],
            **self._trace_headers(),
        }

    def unmarked_headers(self, service: Service, kind: str) -> dict[str, str]:
        """The headers of a request that does not say that it is a probe: what the environment states, and what a browser sends."""
        own = self._service_headers[service.name]
        stated = {name.lower() for name in own}
        # As sites that count their visitors set it; of what a page of the service fetches, which names no Origin.
        browser = {
            **probe_marks.BROWSER_HEADERS,
            **probe_marks.FETCH_HEADERS,
            "accept": "*/*",
            "cookie": _VISITED,
        }
        sent = browser if kind == UNMARKED_PAGE_KINDS[1] else {}
        sent = {name: value for name, value in sent.items() if name not in stated}
        return {**sent, **self._bearer(service), **own}

    def _bearer(self, service: Service) -> dict[str, str]:
        """The token of the login, where the service wants it and there is one by now."""
        login = self.environment.login
        token = self._tokens.get(login.user) if login is not None and service.sends_token else None
        return {} if token is None else {"authorization": f"Bearer {token.reveal()}"}

    def socket_headers(
        self, socket: WebSocket, *, kind: str = TokenKind.GOOD, as_test: bool = False
    ) -> dict[str, str]:
        """The headers of a handshake; of an unmarked probe's without anything by which a server could know it.

        As a user: nothing but what the environment states; else with a browser's agent, and as a browser with all that one sends.
        """
        own = self._socket_headers[socket.name]
        if kind in UNMARKED_KINDS:
            known = {name.lower() for name in socket.test_headers}
            own = {name: value for name, value in own.items() if name.lower() not in known}
            return {**self._unmarked_headers(socket, kind), **own}
        tests = socket.test_headers if as_test else {}
        return {"user-agent": probe_marks.USER_AGENT, **own, **tests, **self._trace_headers()}

    def _unmarked_headers(self, socket: WebSocket, kind: str) -> dict[str, str]:
        """What a kind of unmarked probe sends beside what the environment states."""
        stated = {name.lower() for name in self._socket_headers[socket.name]}
        sent = {
            TokenKind.UNCOMPRESSED: {"user-agent": probe_marks.BROWSER_HEADERS["user-agent"]},
            TokenKind.AS_A_BROWSER: {
                **probe_marks.BROWSER_HEADERS,
                **probe_marks.UPGRADE_HEADERS,
                "accept": "*/*",
                "origin": origin_of(self.socket_urls[socket.name]),
                "cookie": _VISITED,
            },
        }.get(TokenKind(kind), {})
        return {name: value for name, value in sent.items() if name not in stated}

    def _trace_headers(self) -> dict[str, str]:
        """A W3C trace context."""
        return {"traceparent": f"00-{probe_marks.trace_id(self.canary)}-{secrets.token_hex(8)}-01"}

    def client(self, url: str, *, tls: Tls, **more: Any) -> httpx.AsyncClient:
        """A client for one address: certificates checked, no redirect followed, a proxy only where one is on the way."""
        context = self.tls(tls, url)
        name = tls.server_name

        async def ask_by_name(request: httpx.Request) -> None:
            if name is not None:
                request.headers["host"] = name
                request.extensions["sni_hostname"] = name

        return httpx.AsyncClient(
            event_hooks={"request": [ask_by_name]},
            verify=context if context is not None else False,
            timeout=self.environment.pace.timeout_s,
            follow_redirects=False,
            trust_env=not is_loopback(url),
            **more,
        )

    def tls(self, tls: Tls, url: str) -> ssl.SSLContext | None:
        """The context that checks certificates for an address, and shows one; None without TLS."""
        return self._contexts.get(tls.files) if _encrypted(url) else None

    def _context(self, tls: Tls) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=str(self.base / tls.ca_file) if tls.ca_file else None)
        except (OSError, ssl.SSLError) as error:
            wanted = f"expected a PEM file with certificates at {tls.ca_file}, got: {error}"
            raise ConfigurationError(self._where, [("ca_file", wanted)]) from None
        if tls.cert_file is not None:
            key = str(self.base / tls.key_file) if tls.key_file else None
            try:
                # A key with a passphrase would be asked for at the terminal, where nobody may be.
                context.load_cert_chain(str(self.base / tls.cert_file), key, password="")
            except (OSError, ssl.SSLError) as error:
                files = f"{tls.cert_file} and a key in {tls.key_file or 'it'}"
                wanted = (
                    f"expected a PEM file with a certificate at {files}, without a passphrase, got: {error}"
                )
                raise ConfigurationError(self._where, [("cert_file", wanted)]) from None
        return context

    def _supplied_bad_tokens(self) -> dict[str, Secret]:
        login = self.environment.login
        if login is None:
            return {}
        named = {
            TokenKind.EXPIRED: ("expired", login.expired),
            TokenKind.WRONG_AUDIENCE: ("wrong_audience", login.wrong_audience),
            TokenKind.WITHOUT_RIGHT: ("without_right", login.without_right),
        }
        return {
            kind: self._secret(reference, f"login.{key}")
            for kind, (key, reference) in named.items()
            if reference is not None
        }

    def _url(self, reference: Reference, schemes: tuple[str, ...], key: str) -> str:
        value = self._read(reference, key)
        try:
            return check_url(value, schemes)
        except ValueError as error:
            raise ConfigurationError(self._where, [(key, str(error))]) from None

    def _socket_url(self, socket: WebSocket) -> str:
        where = f"websocket {socket.name!r}"
        url = (
            self._beside(socket)
            if socket.url is None
            else self._url(socket.url, ("ws", "wss"), f"{where}: url")
        )
        query = urlencode(self._headers(socket.query, f"{where}: query"))
        return f"{url}{'&' if '?' in url else '?'}{query}" if query else url

    def _beside(self, socket: WebSocket) -> str:
        """The address of an endpoint that lies on its service: http becomes ws, https wss."""
        return "ws" + self.service_urls[socket.service].removeprefix("http") + (socket.path or "")

    def _headers(self, headers: dict[str, Reference], key: str) -> dict[str, str]:
        # A header that is referenced instead of written is a secret.
        return {
            name: value.text if value.text is not None else self._secret(value, f"{key}.{name}").reveal()
            for name, value in headers.items()
        }

    def _read(self, reference: Reference, key: str) -> str:
        return reference.read(base=self.base, where=f"{self._where}: {key}", hint=self.environment.hint)

    def _secret(self, reference: Reference, key: str) -> Secret:
        return reference.read_secret(
            base=self.base, where=f"{self._where}: {key}", hint=self.environment.hint
        )


def _token_in(answer: Answer, login: Login) -> object:
    """The token that a login gave: a cookie, or a place in JSON.

    Raises:
        ValueError: it wants JSON, and the answer is none.
    """
    if not login.token_cookie:
        return jmespath.search(login.token_path, answer.json())
    for line in answer.headers.get_list("set-cookie"):
        name, _, value = line.partition(";")[0].partition("=")
        if name.strip() == login.token_cookie and value.strip():
            return value.strip().strip('"')
    return None


def _place_of_token(login: Login) -> str:
    return f"in the cookie {login.token_cookie!r}" if login.token_cookie else f"at {login.token_path!r}"


def is_loopback(url: str) -> bool:
    """Whether an address is this machine, to which no proxy leads.

    >>> is_loopback("http://[::1]:8000"), is_loopback("https://example.com")
    (True, False)
    """
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def origin_of(url: str) -> str:
    """The Origin of a page of the same host, as a browser sends it.

    >>> origin_of("wss://chat.example.com/ws")
    'https://chat.example.com'
    """
    parts = urlsplit(url)
    return f"{'https' if parts.scheme in ('https', 'wss') else 'http'}://{parts.netloc.rpartition('@')[2]}"


def _encrypted(url: str) -> bool:
    return urlsplit(url).scheme in ("https", "wss")


async def side_by_side(work: Iterable[Coroutine[Any, Any, Result]]) -> list[Result]:
    """The results of all; when one breaks, the others are stopped at once, so that nothing more is sent."""
    tasks = [asyncio.ensure_future(item) for item in work]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
