"""Tells a webhook: one POST of JSON with the key `text`, as Slack and those that are compatible take it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from proofbook.config.unattended import Webhook
from proofbook.notify.notice import NotDelivered, Notice, lines
from proofbook.redaction.scrubbing import MASK, SHORTEST, for_others

LONGEST_ANSWER = 120
# Of an answer; whatever follows is not read.
MOST_BYTES = 65_536


def tell(notice: Notice, receiver: Webhook, *, url: str) -> None:
    """Posts a notice.

    Raises:
        NotDelivered: it was not taken.
    """
    # Slack reads <, > and & as markup, such as a call of everybody; a finding may quote them.
    text = "\n".join(lines(notice)).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    post(url, {"text": text}, headers={"Idempotency-Key": notice.id}, timeout_s=receiver.timeout_s)


@dataclass(slots=True)
class _Answer:
    """What came of a request so far; status: 0 until one came."""

    status: int = 0
    reason: str = ""
    body: bytes = b""

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


def post(url: str, content: object, *, headers: dict[str, str], timeout_s: float) -> str:
    """What is answered to JSON that was taken, as far as it came in time.

    Args:
        timeout_s: how long all of it may take, in whatever pieces an answer comes.
    Raises:
        NotDelivered: it was not taken. The sentence names no URL, since that may be a secret.
    """
    try:
        # In a thread of its own, whose loop ends with it: whoever tells may have a loop already.
        with ThreadPoolExecutor(1) as thread:
            answer = thread.submit(asyncio.run, _posted(url, content, headers, timeout_s)).result()
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError):
        raise NotDelivered("the URL cannot be used; expected http:// or https:// and a host") from None
    except httpx.RemoteProtocolError:
        raise NotDelivered("what it answered is not HTTP, or nothing at all") from None
    except (httpx.ReadError, httpx.WriteError) as error:
        raise NotDelivered(f"the connection ended without an answer ({_why(error)})") from None
    except httpx.HTTPError as error:
        raise NotDelivered(f"cannot be reached ({_why(error)})") from None
    if not answer.status:
        raise NotDelivered(f"no answer within {timeout_s:g} s")
    if not 200 <= answer.status < 300:
        said = _without_address(for_others(" ".join(answer.text.split())), url)[:LONGEST_ANSWER]
        raise NotDelivered(f"answered {answer.status} {answer.reason}{f': {said}' if said else ''}")
    return answer.text


async def _posted(url: str, content: object, headers: dict[str, str], timeout_s: float) -> _Answer:
    """What came within the time. Once there is a status it stands, whatever becomes of the rest: who took it would be told twice."""
    found = _Answer()
    with contextlib.suppress(TimeoutError, httpx.TimeoutException):
        async with (
            asyncio.timeout(timeout_s),
            httpx.AsyncClient(timeout=timeout_s) as client,
            client.stream("POST", url, json=content, headers=headers) as answer,
        ):
            found.status, found.reason = answer.status_code, answer.reason_phrase
            with contextlib.suppress(httpx.HTTPError):
                async for chunk in answer.aiter_bytes():
                    found.body += chunk[: MOST_BYTES - len(found.body)]
                    if len(found.body) >= MOST_BYTES:
                        break
    return found


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
        if isinstance(found, OSError) and found.errno is not None and found.errno in errno.errorcode:
            # A loop adds the address to what the system says.
            return os.strerror(found.errno)
        if isinstance(found, OSError) and found.strerror:
            return found.strerror
        found = (
            found.exceptions[0]
            if isinstance(found, BaseExceptionGroup)
            else found.__cause__ or found.__context__
        )
    return type(error).__name__
