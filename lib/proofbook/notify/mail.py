"""Tells people by mail, through an SMTP server."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate

from proofbook.config.unattended import Mail
from proofbook.notify.notice import NotDelivered, Notice, lines, subject
from proofbook.redaction.scrubbing import Secret, for_others

# A conversation has several answers, each of which may take its time; so many times that time all of them together.
ANSWERS = 3


def tell(notice: Notice, receiver: Mail, *, password: Secret | None, ca_file: str | None) -> None:
    """Sends a notice to all addresses.

    Raises:
        NotDelivered: the server did not take it for every one of them.
    """
    context = _context(receiver, ca_file)
    with (
        _limited(receiver) as line,
        _translated(receiver, line),
        _connected(receiver, context, line) as server,
    ):
        if password is not None:
            server.login(receiver.user, password.reveal())
        refused = server.send_message(_message(notice, receiver))
    if refused:
        # The others have it: sending it to them again would tell them twice.
        raise PartlyRefused(f"the server refused {', '.join(sorted(refused))}; the other addresses were told")


class PartlyRefused(NotDelivered):
    """Some addresses were told and others were refused."""


@dataclass(slots=True)
class _Line:
    """A connection that is cut when its time is over. other: a second handle of it, by which another thread does that."""

    other: socket.socket | None = None
    is_over: bool = False

    def hold(self, connection: socket.socket) -> None:
        self.other = connection.dup()

    def cut(self) -> None:
        self.is_over = True
        if self.other is not None:
            with contextlib.suppress(OSError):
                self.other.shutdown(socket.SHUT_RDWR)


@contextmanager
def _limited(receiver: Mail) -> Iterator[_Line]:
    """A line for one conversation: the time limit of the library is of one read, and there is no end to the lines of an answer."""
    line = _Line()
    timer = threading.Timer(ANSWERS * receiver.timeout_s, line.cut)
    timer.daemon = True
    timer.start()
    try:
        yield line
    finally:
        timer.cancel()
        if line.other is not None:
            line.other.close()


@contextmanager
def _translated(receiver: Mail, line: _Line) -> Iterator[None]:
    """What goes wrong in a conversation, as a sentence."""
    try:
        yield
    except (OSError, smtplib.SMTPException) as error:
        if line.is_over:
            raise NotDelivered(f"the server did not come to an end within {ANSWERS * receiver.timeout_s:g} s") from None  # fmt: skip
        raise NotDelivered(_why(error, receiver)) from None
    except UnicodeError:
        # What it says of the text may be a part of the password.
        raise NotDelivered("the server cannot be used (user and password have to be of ASCII characters)") from None  # fmt: skip
    except ValueError as error:
        raise NotDelivered(f"the server cannot be used ({for_others(str(error))[:120]})") from None


def _why(error: OSError | smtplib.SMTPException, receiver: Mail) -> str:
    if isinstance(error, ssl.SSLError):
        return f"no secure connection ({error.reason or 'certificate not accepted'})"
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        (first, (code, said)), *_ = error.recipients.items()
        all_of_them = len(error.recipients) == len(receiver.to)
        return f"the server refused {'every address' if all_of_them else first}: {_said(code, said)}"
    if isinstance(error, smtplib.SMTPResponseException):
        if error.smtp_code < 0:
            return f"the server does not answer as one for mail does: {_said('', error.smtp_error)}".rstrip(": ")  # fmt: skip
        return f"the server answered {_said(error.smtp_code, error.smtp_error)}"
    if isinstance(error, smtplib.SMTPException):
        return f"the server cannot be used ({for_others(str(error))[:120]})"
    return f"cannot be reached ({error.strerror or 'no answer in time'})"


def _said(code: int | str, said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return f"{code} {for_others(' '.join(text.split()))[:120]}".strip()


def _context(receiver: Mail, ca_file: str | None) -> ssl.SSLContext | None:
    if receiver.security == "none":
        return None
    try:
        return ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError:
        raise NotDelivered(f"ca_file {receiver.ca_file} holds no certificate in PEM form") from None
    except OSError as error:
        raise NotDelivered(f"ca_file {receiver.ca_file} cannot be read ({error.strerror})") from None


class _Server(smtplib.SMTP):
    """The library's client, over a connection that can be cut."""

    def __init__(self, receiver: Mail, line: _Line) -> None:
        self.line = line
        super().__init__(receiver.host, receiver.port, timeout=receiver.timeout_s)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        connection = socket.create_connection((host, port), timeout)
        self.line.hold(connection)
        return connection


class _SecureServer(_Server):
    """The same, encrypted from the beginning."""

    def __init__(self, receiver: Mail, line: _Line, context: ssl.SSLContext) -> None:
        self.context = context
        super().__init__(receiver, line)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return self.context.wrap_socket(super()._get_socket(host, port, timeout), server_hostname=host)


@contextmanager
def _connected(receiver: Mail, context: ssl.SSLContext | None, line: _Line) -> Iterator[smtplib.SMTP]:
    if receiver.security == "tls" and context is not None:
        server: smtplib.SMTP = _SecureServer(receiver, line, context)
    else:
        server = _Server(receiver, line)
    try:
        if receiver.security == "starttls":
            server.starttls(context=context)
        yield server
        # The mail was taken: how the server says goodbye changes nothing, and sending it again would tell people twice.
        with contextlib.suppress(OSError, smtplib.SMTPException):
            server.quit()
    finally:
        server.close()


def _message(notice: Notice, receiver: Mail) -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = subject(notice)
    message["From"] = receiver.sender
    message["To"] = ", ".join(receiver.to)
    message["Date"] = formatdate()
    # The same for the same notice: mail programs show it once, should it come twice.
    message["Message-ID"] = f"<{notice.id}@proofbook>"
    # So that nobody's absence is answered.
    message["Auto-Submitted"] = "auto-generated"
    if notice.run_id:
        message["X-Proofbook-Run"] = notice.run_id
    message.set_content("\n".join(lines(notice)) + "\n")
    return message
