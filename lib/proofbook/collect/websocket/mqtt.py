"""MQTT 3.1.1 over WebSocket (OASIS, 2014): connected with an id of its own, asked by a ping or by a message to a topic of its own."""

from __future__ import annotations

import secrets
from weakref import WeakKeyDictionary

from proofbook.collect.websocket.dialects import Connection, Dialect, Refused
from proofbook.collect.websocket.messages import text_of
from proofbook.config.services import WebSocket

CONNECT, CONNACK, PUBLISH, SUBSCRIBE, PINGREQ, PINGRESP = 1, 2, 3, 8, 12, 13
# Flags of CONNECT: a clean session, with a password, with a user name.
CLEAN, PASSWORD, USER = 0x02, 0x40, 0x80
REFUSED = {
    1: "unacceptable protocol version", 2: "identifier rejected", 3: "server unavailable",
    4: "bad user name or password", 5: "not authorized",
}  # fmt: skip
FOR_THE_TOKEN = (4, 5)
MAX_LENGTH_BYTES = 4


class Mqtt(Dialect):
    """A message is PINGREQ, or a topic, a space and a payload: it is subscribed to, published, and comes back so."""

    acknowledges = True

    def __init__(self) -> None:
        self._unread: WeakKeyDictionary[Connection, bytes] = WeakKeyDictionary()

    async def enter(self, connection: Connection, endpoint: WebSocket, token: str | None) -> None:
        shown = token if endpoint.token.is_message else None
        flags = CLEAN if shown is None else CLEAN | USER | PASSWORD
        name = endpoint.token.name or "proofbook"
        body = [_text("MQTT"), bytes([4, flags]), (60).to_bytes(2, "big"), _text(f"pb{secrets.token_hex(8)}")]
        body += [] if shown is None else [_text(name), _text(shown)]
        await connection.send(packet(CONNECT, b"".join(body)))
        kind, said = await self._packet(connection)
        if kind != CONNACK or len(said) != 2:
            raise OSError(f"expected a packet CONNACK of MQTT, got one of type {kind}")
        if said[1] in FOR_THE_TOKEN:
            raise Refused(f"CONNACK {said[1]}, {REFUSED[said[1]]}")
        if said[1]:
            raise OSError(
                f"it answers CONNACK {said[1]}, {REFUSED.get(said[1], 'which MQTT 3.1.1 does not know')}"
            )

    async def send(self, connection: Connection, message: str | bytes) -> None:
        said = text_of(message)
        if said == "PINGREQ":
            await connection.send(packet(PINGREQ, b""))
            return
        topic, _, payload = said.partition(" ")
        await connection.send(packet(SUBSCRIBE, b"\x00\x01" + _text(topic) + b"\x00", flags=2))
        await connection.send(packet(PUBLISH, _text(topic) + payload.encode()))

    async def receive(self, connection: Connection) -> str | bytes:
        while True:
            kind, said = await self._packet(connection)
            if kind == PINGRESP:
                return "PINGRESP"
            if kind == PUBLISH:
                length = int.from_bytes(said[:2], "big")
                return f"{text_of(said[2 : 2 + length])} {text_of(said[2 + length :])}"

    async def _packet(self, connection: Connection) -> tuple[int, bytes]:
        """Type and body of the next packet, of which a frame may hold several or a part."""
        while True:
            found = unpacked(self._unread.get(connection, b""))
            if found is not None:
                kind, body, self._unread[connection] = found
                return kind, body
            frame = await connection.recv()
            if isinstance(frame, str):
                raise OSError(f"expected packets of MQTT, got text: {frame[:40]!r}")
            self._unread[connection] = self._unread.get(connection, b"") + frame


def packet(kind: int, body: bytes, *, flags: int = 0) -> bytes:
    """A control packet: its type, its length in groups of seven bits, its body.

    >>> packet(PINGREQ, b"").hex(), packet(PUBLISH, bytes(200))[:3].hex()
    ('c000', '30c801')
    """
    length, groups = len(body), bytearray()
    while True:
        length, group = divmod(length, 128)
        groups.append(group | (0x80 if length else 0))
        if not length:
            return bytes([kind << 4 | flags]) + bytes(groups) + body


def unpacked(read: bytes) -> tuple[int, bytes, bytes] | None:
    """Type and body of the first packet and what follows it; None where it is not there in full.

    >>> unpacked(packet(PUBLISH, b"ab") + b"more")
    (3, b'ab', b'more')
    >>> unpacked(packet(PUBLISH, bytes(200))[:-1]) is None
    True

    Raises:
        OSError: its length is none of MQTT.
    """
    length, begins = 0, 1
    for place, group in enumerate(read[1 : 1 + MAX_LENGTH_BYTES]):
        length |= (group & 0x7F) << 7 * place
        begins = place + 2
        if not group & 0x80:
            break
    else:
        if len(read) > MAX_LENGTH_BYTES:
            raise OSError("it sends packets with a length that is none of MQTT")
        return None
    if len(read) < begins + length:
        return None
    return read[0] >> 4, read[begins : begins + length], read[begins + length :]


def _text(value: str) -> bytes:
    encoded = value.encode()
    return len(encoded).to_bytes(2, "big") + encoded


MQTT = Mqtt()
