"""Tells a webhook: one POST of JSON with the key `text`, as Slack and those that are compatible take it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import httpx

from proofbook.config.unattended import Webhook
from proofbook.notify.notice import NotDelivered, Notice, lines
from proofbook.redaction.scrubbing import MASK, SHORTEST, for_others

LONGEST_ANSWER = 120


def tell(notice: Notice, receiver: Webhook, *, url: str) -> None:
    """Posts a notice.

    Raises:
        NotDelivered: it was not taken.
    """
    # Slack reads <, > and & as markup, such as a call of everybody; a finding may quote them.
    text = "\n".join(lines(notice)).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    post(url, {"text": text}, headers={"Idempotency-Key": notice.id}, timeout_s=receiver.timeout_s)


def post(url: str, content: object, *, headers: dict[str, str], timeout_s: float) -> str:
    """What is answered to JSON that was taken.

    Raises:
        NotDelivered: it was not taken. The sentence names no URL, since that may be a secret.
    """
    try:
        answer = httpx.post(url, json=content, headers=headers, timeout=timeout_s)
    except httpx.TimeoutException:
        raise NotDelivered(f"no answer within {timeout_s:g} s") from None
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError):
        raise NotDelivered("the URL cannot be used; expected http:// or https:// and a host") from None
    except httpx.HTTPError as error:
        raise NotDelivered(f"cannot be reached ({_why(error)})") from None
    if not answer.is_success:
        said = _without_address(for_others(" ".join(answer.text.split())), url)[:LONGEST_ANSWER]
        raise NotDelivered(
            f"answered {answer.status_code} {answer.reason_phrase}{f': {said}' if said else ''}"
        )
    return answer.text


def _without_address(text: str, url: str) -> str:
    """An answer without what it repeats of the address, by which anybody could post."""
    parts = urlsplit(url)
    pieces = [piece for piece in re.split(r"[/?&=]", f"{parts.path}?{parts.query}") if len(piece) >= SHORTEST]
    for piece in (url, parts.path, *pieces):
        text = text.replace(piece, MASK) if len(piece) >= SHORTEST else text
    return text


def _why(error: BaseException) -> str:
    """What the system says of a failed connection, in words that hold no address."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, OSError) and found.strerror:
            return found.strerror
        found = found.__cause__ or found.__context__
    return type(error).__name__
