"""Receivers that drip, flood, hang up or answer nonsense: each costs a run its time limit, and nobody is told twice because of them."""

from __future__ import annotations

import contextlib
import functools
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from proofbook.config.unattended import Mail
from proofbook.notify import mail, webhook
from proofbook.notify.notice import NotDelivered, Notice
from proofbook.redaction.scrubbing import Secret

Behaviour = Callable[[socket.socket], None]
NOTICE = Notice(kind="test", environment="e", at="2026-01-01T00:00:00Z")


@contextlib.contextmanager
def serving(behaviour: Behaviour) -> Iterator[int]:
    """The port of a server that treats each connection so, until it is closed."""

    def treat(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            behaviour(connection)

    def accept(server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=treat, args=(server.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=accept, args=(server,), daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


# By HTTP ------------------------------------------------------------------------------------------------------------


def read_request(connection: socket.socket) -> None:
    """Reads all of a request: to close while a part is unread is a reset, and a client sends its content after the header."""
    with connection.makefile("rb") as lines:
        length = 0
        for line in iter(lines.readline, b"\r\n"):
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        lines.read(length)


def answering(first: bytes, then: bytes, every_s: float, connection: socket.socket) -> None:
    """Answers a request with some bytes, then with others again and again."""
    read_request(connection)
    connection.sendall(first)
    while then:
        connection.sendall(then)
        time.sleep(every_s)


def reset(connection: socket.socket) -> None:
    """Ends a connection without an answer, as a process that is killed or a firewall does."""
    read_request(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def answers(first: bytes, *, then: bytes = b"", every_s: float = 0.0) -> Behaviour:
    return functools.partial(answering, first, then, every_s)


def post(behaviour: Behaviour, *, timeout_s: float = 1.0) -> str:
    with serving(behaviour) as port:
        return webhook.post(f"http://127.0.0.1:{port}/very-secret-path", {"text": "x"}, headers={}, timeout_s=timeout_s)  # fmt: skip


def why_not(behaviour: Behaviour) -> str:
    with pytest.raises(NotDelivered) as raised:
        post(behaviour)
    return str(raised.value)


def test_an_answer_in_drops_takes_no_longer_than_one_that_never_comes() -> None:
    began = time.monotonic()
    said = why_not(answers(b"HTTP/1.1 200 OK\r\n", then=b"X-Again: yes\r\n", every_s=0.2))
    assert said == "no answer within 1 s" and time.monotonic() - began < 10


@pytest.mark.parametrize(
    "behaviour",
    [
        answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", then=b"5\r\nagain\r\n", every_s=0.2),
        answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", then=b"4000\r\n" + b"x" * 0x4000 + b"\r\n"),
        answers(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut"),
        answers(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnot gzip"),
        answers(b"HTTP/1.1 204 No Content\r\n\r\n"),
    ],
    ids=["in-drops", "without-end", "cut", "not-as-it-says", "empty"],
)  # fmt: skip
def test_who_took_it_is_not_told_again_whatever_else_it_answers(behaviour: Behaviour) -> None:
    assert len(post(behaviour)) <= webhook.MOST_BYTES


@pytest.mark.parametrize(
    ("behaviour", "sentence"),
    [
        (answers(b"\xff\xfe\x00garbage\r\n\r\n"), "what it answered is not HTTP, or nothing at all"),
        (answers(b""), "what it answered is not HTTP, or nothing at all"),
        (reset, "the connection ended without an answer (Connection reset by peer)"),
        (answers(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/very-secret-path\r\nContent-Length: 0\r\n\r\n"), "answered 302 Found"),
        (answers(b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 30\r\nContent-Length: 4\r\n\r\nslow"), "answered 429 Too Many Requests: slow"),
        (answers(b"HTTP/1.1 500 Internal Server Error\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbad\r\n", then=b"1\r\n!\r\n", every_s=0.3), "answered 500 Internal Server Error: bad!"),
    ],
    ids=["garbage", "nothing", "reset", "redirect", "too-many", "error-in-drops"],
)  # fmt: skip
def test_what_is_no_success_is_said_in_a_sentence(behaviour: Behaviour, sentence: str) -> None:
    assert why_not(behaviour).startswith(sentence)


# By SMTP ------------------------------------------------------------------------------------------------------------


def speaks(
    connection: socket.socket,
    *,
    rcpt: tuple[bytes, ...] = (),
    data: bytes = b"250 taken",
    quit_: bytes = b"221 bye",
) -> None:
    """A server for mail that answers some commands otherwise."""
    left = list(rcpt)
    connection.sendall(b"220 here\r\n")
    lines = connection.makefile("rb")
    for line in lines:
        word, said = line[:4].strip().upper(), b"250 fine"
        if word == b"EHLO":
            said = b"250-here\r\n250 AUTH PLAIN"
        elif word == b"RCPT" and left:
            said = left.pop(0)
        elif word == b"DATA":
            connection.sendall(b"354 go on\r\n")
            while lines.readline() not in (b".\r\n", b""):
                pass
            said = data
        elif word == b"QUIT":
            said = quit_
        connection.sendall(said + b"\r\n")


def drips(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"220-one moment\r\n")
        time.sleep(0.2)


def floods(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"220-one moment\r\n" * 100)


def another(connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")


def receiver(port: int, **more: object) -> Mail:
    given = {"host": "127.0.0.1", "port": port, "security": "none", "from": "p@example.com", "to": ["a@example.com", "b@example.com"], "timeout_s": 0.5}  # fmt: skip
    return Mail.model_validate({**given, **more})


def mail_to(behaviour: Behaviour, *, ca_path: str | None = None, **more: object) -> None:
    with serving(behaviour) as port:
        mail.tell(NOTICE, receiver(port, **more), password=None, ca_file=ca_path)


@pytest.mark.parametrize("goodbye", [b"421 too busy", b"what?", b"221-\r\n221-"])
def test_a_mail_that_was_taken_is_not_sent_again_however_the_server_says_goodbye(goodbye: bytes) -> None:
    mail_to(functools.partial(speaks, quit_=goodbye))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("behaviour", "more", "sentence"),
    [
        (drips, {}, "the server did not come to an end within 1.5 s"),
        (floods, {}, "the server did not come to an end within 1.5 s"),
        (drips, {"security": "tls"}, "no secure connection (WRONG_VERSION_NUMBER)"),
        (another, {}, "the server does not answer as one for mail does: 2.0-OpenSSH_9.9"),
        (functools.partial(speaks, rcpt=(b"250 fine", b"421 later")), {}, "the server refused b@example.com: 421 later"),
        (functools.partial(speaks, rcpt=(b"450 later", b"450 later")), {}, "the server refused every address: 450 later"),
        (functools.partial(speaks, data=b"552 too large"), {}, "the server answered 552 too large"),
        (speaks, {"security": "starttls"}, "the server cannot be used (STARTTLS extension not supported by server.)"),
    ],
    ids=["drips", "floods", "no-tls", "no-mail", "one-later", "all-later", "too-large", "no-starttls"],
)  # fmt: skip
def test_why_a_mail_was_not_taken_is_said_in_time(
    behaviour: Behaviour, more: dict[str, object], sentence: str
) -> None:
    with pytest.raises(NotDelivered) as raised:
        mail_to(behaviour, **more)
    assert str(raised.value) == sentence


def test_who_alone_was_refused_is_named_and_the_others_are_told_once() -> None:
    with pytest.raises(mail.PartlyRefused, match=r"the server refused a@example\.com; the other addresses"):
        mail_to(functools.partial(speaks, rcpt=(b"550 no such user",)))


def test_a_file_of_certificates_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    for name, why in (("ca.pem", "holds no certificate in PEM form"), ("gone.pem", "cannot be read (No such file or directory)")):  # fmt: skip
        with pytest.raises(NotDelivered) as raised:
            mail_to(speaks, ca_path=str(tmp_path / name), security="starttls", ca_file=name)
        assert str(raised.value) == f"ca_file {name} {why}"


def test_a_password_that_the_protocol_cannot_carry_is_refused_without_a_letter_of_it() -> None:
    with serving(speaks) as port, pytest.raises(NotDelivered) as raised:
        mail.tell(
            NOTICE,
            receiver(port, user="u", password={"env": "P"}),
            password=Secret("pässword-ö"),
            ca_file=None,
        )
    assert str(raised.value) == "the server cannot be used (user and password have to be of ASCII characters)"
