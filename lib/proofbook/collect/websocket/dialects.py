"""What is said on a WebSocket beside the application's own messages: how one logs in, is let in, is refused, and stays."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, ConnectionClosedError

from proofbook.collect.filling import fill
from proofbook.collect.websocket.messages import recognises, say
from proofbook.collect.websocket.stream import Refused, Stream
from proofbook.config import dialects
from proofbook.config.conversation import Step
from proofbook.config.dialects import DIALECTS
from proofbook.config.services import WebSocket
from proofbook.errors import ExtensionError
from proofbook.protocol import names_refusal

Result = TypeVar("Result")
__all__ = ["Dialect", "Handshake", "Line", "Refused", "dialect_of", "lets_in_by_name", "prepare", "refuses"]


class Connection(Protocol):
    """What a dialect speaks on: messages in both directions."""

    async def send(self, message: str | bytes) -> None: ...

    async def recv(self) -> str | bytes: ...


@dataclass(slots=True, kw_only=True)
class Handshake:
    """The request for an upgrade, which a dialect may change."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)
    subprotocols: list[str] = field(default_factory=list)


class Dialect(dialects.Dialect):
    """How WebSocket is spoken. This one is `plain`: messages are the application's own, and nothing is said around them.

    A method that another package overrides may raise Refused, ConnectionClosed, OSError and TimeoutError; anything else is
    its defect, and named.
    """

    # Whether `enter` ends only when the server said that it lets in.
    acknowledges = False

    def prepare(self, handshake: Handshake, endpoint: WebSocket, token: str | None) -> None:
        """Puts the token, where there is one, into the request for an upgrade."""
        place = endpoint.token
        if token is None:
            return
        if place.place == "header":
            shown = (place.format or "Bearer {token}").replace("{token}", token)
            handshake.headers[place.name or "Authorization"] = shown
        elif place.place == "subprotocol":
            handshake.subprotocols.append((place.format or "jwt.{token}").replace("{token}", token))
        elif place.place == "cookie":
            handshake.headers["Cookie"] = f"{place.name or 'token'}={token}"
        elif place.place == "query":
            query = urlencode({place.name or "token": token})
            handshake.url = f"{handshake.url}{'&' if '?' in handshake.url else '?'}{query}"

    async def enter(self, connection: Connection, endpoint: WebSocket, token: str | None) -> None:
        """Says what comes before the first message once the connection is open: the token, where it is a message."""
        if endpoint.token.is_message and token is not None:
            await connection.send((endpoint.token.format or '{"token": "{token}"}').replace("{token}", token))

    async def send(self, connection: Connection, message: str | bytes) -> None:
        """Sends a message of the application."""
        await connection.send(message)

    async def receive(self, connection: Connection) -> str | bytes:
        """The next message of the application; what the dialect says between two is answered, and not given."""
        return await connection.recv()

    def refuses(self, http_status: int | None, close_code: int | None) -> bool:
        """Whether a status of the upgrade or a close code says that it was for the token."""
        return names_refusal(http_status, close_code)


PLAIN = Dialect()


class Line:
    """An open connection, spoken on as its endpoint states and in its dialect.

    user: whom the token is for. own_id: an id of this connection, by which `{id}` is filled in before the first message.
    """

    def __init__(
        self, connection: ClientConnection, endpoint: WebSocket, token: str | None, *, user: str = ""
    ) -> None:
        self.connection = connection
        self._endpoint, self._token = endpoint, token
        self._dialect = dialect_of(endpoint)
        # Where the token goes into the request for an upgrade, it is shown nowhere else.
        self._shown = token if endpoint.token.is_message else None
        self._values = {"id": secrets.token_hex(8), "user": user, "token": self._shown or ""}
        self._stream = Stream(connection, endpoint, self._values)
        # Whether the server has said anything that its dialect says before it lets in; None where nothing is waited for.
        self.understood: bool | None = None
        # What came that is none of its messages.
        self.problem = ""

    async def enter(self) -> bool:
        """Says what comes first; whether the server has said that it lets in.

        Raises:
            Refused: it said that it does not. ConnectionClosed: it closed. ExtensionError: the dialect broke.
        """
        if self._endpoint.opening:
            for step in self._endpoint.opening:
                await self._take(step)
        else:
            await self._named(self._dialect.enter(self._stream, self._endpoint, self._token))
        return lets_in_by_name(self._endpoint)

    async def _take(self, step: Step) -> None:
        if step.says:
            bare = step.without_token if self._shown is None else None
            await self._stream.send(
                say(step, self._values) if bare is None else str(fill(bare, self._values))
            )
        if step.wait_for is not None:
            self.understood = bool(self.understood)
            while not recognises(step.wait_for, await self._stream.recv(), self._values):
                # What else a server says before it lets in, such as who is there, is not for us to judge.
                continue
            self.understood = True

    @property
    def last_heard(self) -> str:
        """The last message, whatever it was; empty where none came."""
        return self._stream.last

    async def send(self, message: str | bytes) -> None:
        """Sends a message of the application."""
        if isinstance(message, str):
            message = self._endpoint.prefix + message
        await self._named(self._dialect.send(self._stream, message))

    async def receive(self) -> str | bytes:
        """The next message of the application."""
        prefix = self._endpoint.prefix
        while True:
            message = await self._named(self._dialect.receive(self._stream))
            if not prefix:
                return message
            if isinstance(message, str) and message.startswith(prefix):
                return message.removeprefix(prefix)

    def abort(self) -> None:
        """Gives the connection up without a word: what was said on it broke, or was stopped."""
        self.connection.transport.abort()

    async def _named(self, work: Awaitable[Result]) -> Result:
        name = self._endpoint.dialect
        try:
            return await work
        except (Refused, ConnectionClosed, TimeoutError):
            raise
        except OSError as error:
            # It is nothing of the dialect, so nothing more can be read here.
            self.problem = str(error)
            raise ConnectionClosedError(None, None) from error
        # Whatever the code of somebody else raises.
        except Exception as error:
            if DIALECTS.is_ours(name):
                raise
            raise _broken(self._endpoint, error) from error


def lets_in_by_name(endpoint: WebSocket) -> bool:
    """Whether the server says who is let in, so that nobody is by his silence.

    Raises:
        ExtensionError: the dialect cannot be used.
    """
    return endpoint.lets_in_by_name or dialect_of(endpoint).acknowledges


def refuses(endpoint: WebSocket, http_status: int | None, close_code: int | None) -> bool:
    """Whether a status of the upgrade or a close code says that it was for the token: as the endpoint states, or its dialect."""
    named = endpoint.refusal.is_named(http_status, close_code)
    return named or dialect_of(endpoint).refuses(http_status, close_code)


def dialect_of(endpoint: WebSocket) -> Dialect:
    """The dialect of an endpoint.

    Raises:
        ExtensionError: it cannot be used.
    """
    found = DIALECTS.get(endpoint.dialect)
    if not isinstance(found, Dialect):
        raise DIALECTS.failed(endpoint.dialect, f"expected a Dialect, got {type(found).__name__}")
    return found


def prepare(handshake: Handshake, endpoint: WebSocket, token: str | None) -> None:
    """Lets the dialect of an endpoint change the request for an upgrade.

    Raises:
        ExtensionError: it cannot be used, or broke.
    """
    dialect = dialect_of(endpoint)
    try:
        dialect.prepare(handshake, endpoint, token)
    # Whatever the code of somebody else raises.
    except Exception as error:
        if DIALECTS.is_ours(endpoint.dialect):
            raise
        raise _broken(endpoint, error) from error


def _broken(endpoint: WebSocket, error: Exception) -> ExtensionError:
    return DIALECTS.failed(
        endpoint.dialect,
        f"websocket {endpoint.name!r}: it broke ({type(error).__name__}: {' '.join(str(error).split())})",
    )
