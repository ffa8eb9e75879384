"""Tells people by mail, through an SMTP server."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate

from proofbook.config.unattended import Mail
from proofbook.notify.notice import NotDelivered, Notice, lines, subject
from proofbook.redaction.scrubbing import Secret, for_others


def tell(notice: Notice, receiver: Mail, *, password: Secret | None, ca_file: str | None) -> None:
    """Sends a notice to all addresses.

    Raises:
        NotDelivered: the server did not take it for every one of them.
    """
    try:
        with _connected(receiver, ca_file) as server:
            if password is not None:
                server.login(receiver.user, password.reveal())
            refused = server.send_message(_message(notice, receiver))
    except ssl.SSLError as error:
        raise NotDelivered(f"no secure connection ({error.reason or 'certificate not accepted'})") from None
    except smtplib.SMTPRecipientsRefused:
        raise NotDelivered("the server refused every address") from None
    except smtplib.SMTPResponseException as error:
        said = (
            error.smtp_error.decode("utf-8", "replace")
            if isinstance(error.smtp_error, bytes)
            else error.smtp_error
        )
        raise NotDelivered(
            f"the server answered {error.smtp_code} {for_others(' '.join(str(said).split()))[:120]}"
        ) from None
    except (smtplib.SMTPException, UnicodeError, ValueError) as error:
        raise NotDelivered(f"the server cannot be used ({for_others(str(error))[:120]})") from None
    except OSError as error:
        raise NotDelivered(f"cannot be reached ({error.strerror or 'no answer in time'})") from None
    if refused:
        # The others have it: sending it to them again would tell them twice.
        raise PartlyRefused(f"the server refused {', '.join(sorted(refused))}; the other addresses were told")


class PartlyRefused(NotDelivered):
    """Some addresses were told and others were refused."""


def _connected(receiver: Mail, ca_file: str | None) -> smtplib.SMTP:
    where = (receiver.host, receiver.port)
    context = ssl.create_default_context(cafile=ca_file) if receiver.security != "none" else None
    if receiver.security == "tls":
        return smtplib.SMTP_SSL(*where, timeout=receiver.timeout_s, context=context)
    server = smtplib.SMTP(*where, timeout=receiver.timeout_s)
    if receiver.security == "starttls":
        try:
            server.starttls(context=context)
        except BaseException:
            server.close()
            raise
    return server


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
