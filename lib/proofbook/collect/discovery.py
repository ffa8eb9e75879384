"""A first look at a service that nobody described: where its health is. It judges nothing."""

from __future__ import annotations

import datetime as dt
import email.utils
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx

from proofbook.collect import answers
from proofbook.collect.answers import Answer
from proofbook.collect.services import health, health_page
from proofbook.collect.services.health_page import Said, Word
from proofbook.collect.session import Session, describe, name_not_found
from proofbook.config.services import Service
from proofbook.errors import CouldNotLook

# Where frameworks and platforms put it; the last is any page at all.
HEALTH_PATHS = (
    "/health", "/healthz", "/api/health", "/livez", "/readyz", "/status", "/ping", "/actuator/health", "/",
)  # fmt: skip
_NOWHERE = ("answers 404", "answers 410")
# How a server answers that knows upgrades alone: not a request that it takes, not by this method, an upgrade wanted, not implemented.
_NO_HTTP = {"answers 400", "answers 405", "answers 426", "answers 501"}
_REVISION_KEYS = ("revision", "version", "build", "commit", "sha", "release")
MAX_CLOCK_SKEW_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Where health is asked: path and status that answered, keys for [[service]] that follow from its body, and remarks.

    no_http: whether nothing is served over HTTP, or nothing but upgrades, so that there may be no health page at all.
    """

    path: str
    status: int
    settings: dict[str, object] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    no_http: bool = False


async def find_health(item: Service, paths: Sequence[str], *, session: Session) -> Health:
    """The first of the paths that answers as a health page does; where none does, the first, as it is.

    Raises:
        CouldNotLook: the host name does not resolve.
    """
    tried: dict[str, str] = {}
    clock: tuple[str, ...] = ()
    async with health.client_for(item, session, keep_alive=True) as client:
        waiting = list(paths)
        while waiting:
            path = waiting.pop(0)
            try:
                answer = await _ask(path, item, client, session)
            except (answers.TooMuch, answers.Unending, answers.Unreadable) as error:
                tried[path] = f"gives {error}"
                continue
            except httpx.HTTPError as error:
                if name_not_found(error):
                    raise CouldNotLook(
                        f"the host {client.base_url.host} does not resolve; check the address"
                    ) from None
                return Health(
                    path=paths[0],
                    status=200,
                    no_http=not tried,
                    remarks=(f"nothing answers at {client.base_url}: {describe(error)}", *_told(tried)),
                )
            clock = _clock(answer)
            why_not = _no_health(answer)
            if not why_not or (path != "/" and answer.status_code >= 500):
                # A known path that answers 5xx is the health page: whatever another path says, it says that it is not well.
                return _found(path, answer)
            tried[path] = why_not
            if _adds_a_slash(path, answer) and f"{path}/" not in tried:
                waiting.insert(0, f"{path}/")
    likely = next((path for path, why in tried.items() if path != "/" and why not in _NOWHERE), paths[0])
    no_http = set(tried.values()) <= _NO_HTTP
    return Health(path=likely, status=200, remarks=(*_told(tried), *clock), no_http=no_http)


async def _ask(path: str, item: Service, client: httpx.AsyncClient, session: Session) -> Answer:
    async with session.acquire("http requests"):
        answer = await answers.ask(
            client,
            path,
            headers=session.service_headers(item),
            within_s=session.environment.pace.timeout_s,
        )
    if answer.status_code == 429:
        await session.back_off(answer.headers.get("retry-after"), host=client.base_url.host)
    return answer


def _found(path: str, answer: Answer) -> Health:
    """A health page, with what an environment says of it and what a reader should know of it."""
    status = answer.status_code
    if status != 200:
        settings: dict[str, object] = {"health_status": [status]} if status < 300 else {}
        return Health(
            path=path, status=status, settings=settings, remarks=(f"it answers {status}", *_clock(answer))
        )
    said = health_page.read(answer.text, is_html=answer.is_html)
    if said is None:
        remark: tuple[str, ...] = ("nothing in it says that it is well, so any 200 will count",)
    elif said.word is Word.UNKNOWN:
        remark = (f"it says {said.shown()!r}, of which nothing is known, so any 200 will count",)
    else:
        remark = () if said.word is Word.WELL else (f"it says {said.shown()!r}",)
    return Health(
        path=path, status=status, settings=_from_body(answer, said), remarks=(*remark, *_clock(answer))
    )


def _told(tried: dict[str, str]) -> tuple[str, ...]:
    """What each path answered, those that answered alike together."""
    alike: dict[str, list[str]] = {}
    for path, why in tried.items():
        alike.setdefault(why, []).append(path)
    return tuple(f"{', '.join(paths)} {why}" for why, paths in alike.items())


def _adds_a_slash(path: str, answer: Answer) -> bool:
    """Whether the answer sends to the same path with a slash at its end, as several frameworks do."""
    return answer.is_redirect and urlsplit(answer.headers["location"]).path == f"{path}/"


def _no_health(answer: Answer) -> str:
    """Why an answer is no health page, or nothing."""
    if answer.is_redirect:
        return f"answers {answer.status_code} to {answer.headers.get('location', 'elsewhere')[:80]}"
    if answer.status_code in (401, 403):
        return f"answers {answer.status_code}: it wants a login"
    if not 200 <= answer.status_code < 300:
        return f"answers {answer.status_code}"
    if answer.is_html and re.search(r'type=["\']?password', answer.text[:50_000], re.IGNORECASE):
        return "is a login page"
    return ""


def _from_body(answer: Answer, said: Said | None) -> dict[str, object]:
    """Keys of [[service]] that follow from the page: what it said of itself, where it said that it is well, and its revision."""
    try:
        body = answer.json()
    except ValueError:
        return {}
    if not isinstance(body, dict):
        return {}
    found: dict[str, object] = {}
    if said is not None and said.word is Word.WELL and said.path:
        # Only what was seen: a guess that was never fulfilled would fail a service for being described wrongly.
        found["health_expect"] = {"json": {said.path: said.value}}
    revision = next((key for key in _REVISION_KEYS if isinstance(body.get(key), str)), None)
    return {**found, "revision_path": revision} if revision else found


def _clock(answer: Answer) -> tuple[str, ...]:
    try:
        theirs = email.utils.parsedate_to_datetime(answer.headers["date"])
    except (KeyError, ValueError):
        return ()
    ahead = (theirs.astimezone(dt.UTC) - dt.datetime.now(dt.UTC)).total_seconds()
    if abs(ahead) <= MAX_CLOCK_SKEW_S:
        return ()
    return (
        f"its clock is {abs(ahead):,.0f} s {'ahead of' if ahead > 0 else 'behind'} this machine's, so times in its log may mislead",
    )
