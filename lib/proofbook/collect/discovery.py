"""Discovers the health page of a service, as settings of an environment file. It judges nothing."""

from __future__ import annotations

import contextlib
import datetime as dt
import email.utils
import errno
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import httpx

from proofbook import probe_marks
from proofbook.collect import answers
from proofbook.collect.answers import Answer
from proofbook.collect.connection_errors import describe, error_numbers, name_not_found
from proofbook.collect.rate_limit import asks_for_less
from proofbook.collect.services import first_answers, health, health_page, page_time, stored_copies
from proofbook.collect.services.health_page import Said, Word
from proofbook.collect.session import Session
from proofbook.config.services import Service
from proofbook.errors import CouldNotLook
from proofbook.evidence.page_times import means_now
from proofbook.evidence.product_keys import PRODUCT_KEYS, REVISION_KEYS
from proofbook.redaction.scrubbing import scrub

# Where frameworks and platforms put it; the last is any page at all.
HEALTH_PATHS = (
    "/health", "/healthz", "/api/health", "/livez", "/readyz", "/health/ready", "/status", "/ping", "/actuator/health", "/q/health",
    "/-/healthy", "/up", "/api", "/",
)  # fmt: skip
# Where gRPC over JSON (its gateways, Connect) has it; asked for where no page is found.
POSTED = "/grpc.health.v1.Health/Check"
# Two of which are enough to see that what a page says is not the same each time.
ASKED_AGAIN = 2
# Beside each path, and once more with a slash: two that must not exist, the page again, as a browser, and two with the token.
_BESIDE = ASKED_AGAIN + 5
MOST_DROPPED = 2
MAX_CLOCK_SKEW_S = 60.0
# Of a text that is expected from then on.
_LONGEST_WORDS = 60
_NOT_THERE = (404, 410)
_NOWHERE = tuple(f"answers {status}" for status in _NOT_THERE)
# How a server answers that knows upgrades alone: not a request that it takes, not by this method, an upgrade wanted, not implemented.
_NO_HTTP = {"answers 400", "answers 405", "answers 426", "answers 501"}
_ALIKE = "answers as a path that must not exist does"
_REFUSED = (401, 403, 406, 429)
# The worst word counts: who is alive may not be ready.
_WORST_FIRST = (Word.ILL, Word.HALF, Word.WELL, Word.UNKNOWN, Word.CHALLENGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Where health is asked: path and status that answered, keys for [[service]] that follow from it, and remarks.

    no_http: whether nothing is served over HTTP, nothing but upgrades, or nothing at any of the usual paths, so that there may be
    no health page at all. listens: whether anything does at that port.
    """

    path: str
    status: int
    settings: dict[str, object] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    no_http: bool = False
    listens: bool = True


def plan(paths: Sequence[str], *, has_token: bool) -> str:
    """What `find_health` sends at most, in words."""
    most, where = (
        2 * len(paths) + _BESIDE,
        f"{len(paths)} usual paths" if paths == HEALTH_PATHS else ", ".join(paths),
    )
    posts = (
        f"; if none of them has it, up to {3 + ASKED_AGAIN} by POST at {POSTED}"
        if paths == HEALTH_PATHS
        else ""
    )
    token = ", with the token if it is refused without" if has_token else ""
    return f"up to {most} requests for health, at {where}{token}{posts}"


async def find_health(item: Service, paths: Sequence[str], *, session: Session) -> Health:
    """The one of the paths that answers as a health page does, the worst where there are several; where none does, the likeliest.

    Raises:
        CouldNotLook: the host name does not resolve.
    """
    async with health.client_for(item, session, keep_alive=True) as client:
        search = _Search(item=item, client=client, session=session)
        try:
            return await search.find(paths)
        except httpx.HTTPError as error:
            if name_not_found(error):
                raise CouldNotLook(
                    f"the host {client.base_url.host} does not resolve; check the address"
                ) from None
            # Who speaks HTTP/2 alone says something at once.
            is_silent = isinstance(error, httpx.TimeoutException) or bool(search.tried)
            if not is_silent and (told := await _over_http2(item, paths, session)) is not None:
                return told
            remark = f"nothing answers at {client.base_url}: {describe(error)}"
            return Health(
                path=paths[0],
                status=200,
                remarks=(remark, *_told(search.tried)),
                no_http=not search.tried,
                listens=errno.ECONNREFUSED not in error_numbers(error),
            )


async def _over_http2(item: Service, paths: Sequence[str], session: Session) -> Health | None:
    """What a server says of its health that speaks HTTP/2 only, as those of gRPC do; None where it is not known to be one."""
    if paths not in (HEALTH_PATHS, [POSTED]):
        return None
    calls = item.model_copy(update={"health_method": "gRPC"})
    async with health.client_for(calls, session, keep_alive=False) as client:
        return await _Search(item=calls, client=client, session=session).posted("gRPC")


@dataclass(slots=True, kw_only=True)
class _Search:
    """What was asked so far, and why which path is no health page."""

    item: Service
    client: httpx.AsyncClient
    session: Session
    tried: dict[str, str] = field(default_factory=dict)
    unknown: Answer | None = None
    refused: tuple[str, Answer] | None = None
    token_refused: bool = False
    clock: tuple[str, ...] = ()
    # Whether some path was more than not there, or elsewhere.
    has_pages: bool = False

    async def find(self, paths: Sequence[str]) -> Health:
        """The health page among these paths."""
        found: dict[str, Answer] = {}
        waiting = list(paths)
        while waiting:
            path = waiting.pop(0)
            answer = await self._look_at(path)
            if answer is None:
                continue
            if path != "/" and answer.status_code >= 500 and self.tried.get(path) != _ALIKE:
                # Whatever another path says, this one says that it is not well.
                return await self._described(path, answer)
            if path not in self.tried:
                found[path] = answer
            elif (there := first_answers.sends_to(path, answer)) and there not in (*self.tried, *waiting):
                waiting.insert(0, there)
        if not any(_says_something(answer) for path, answer in found.items() if path != "/") and (
            told := await self._with_token()
        ):
            return told
        if found:
            # Of two that are well, who is alive may not be ready, on one replica of several and now and then.
            path = min(found, key=lambda path: (path == "/", _rank(found[path]), "live" in path))
            return await self._described(path, found[path])
        if paths == HEALTH_PATHS and (posted := await self.posted()) is not None:
            return posted
        likely = next((path for path, why in self.tried.items() if path != "/" and why not in (*_NOWHERE, _ALIKE)), paths[0])  # fmt: skip
        return Health(
            path=likely,
            status=200,
            remarks=(*_told(self.tried), *await self._why(), *self.clock),
            # A path that somebody named is there for him, whatever it answers.
            no_http=set(self.tried.values()) <= _NO_HTTP or (len(paths) > 1 and not self.has_pages),
        )

    async def _with_token(self) -> Health | None:
        """The page that refused us, asked with the token of the login; None where none did, there is no token, or it does not help."""
        login = self.session.environment.login
        if self.refused is None or self.refused[1].status_code not in (401, 403) or login is None:
            return None
        plain, (path, _) = self.item, self.refused
        await self.session.token(login.user)
        self.item = plain.model_copy(update={"sends_token": True})
        answer, unknown = await self._ask(path), await self._ask(plain.unknown_path)
        if first_answers.no_health(answer) or first_answers.are_alike(answer, unknown):
            self.item, self.token_refused = plain, True
            return None
        self.unknown = unknown
        found = await self._described(path, answer)
        told = f"it needs the token, and answers {self.refused[1].status_code} without"
        return replace(
            found, settings={"sends_token": True, **found.settings}, remarks=(told, *found.remarks)
        )

    async def posted(self, method: str = "POST") -> Health | None:
        """Health as gRPC tells it, over JSON or over HTTP/2; None where it is not there, or answers as any other path does."""
        plain = self.item
        self.item = plain.model_copy(update={"health_method": method})
        try:
            answer, unknown = await self._ask(POSTED), await self._ask(self.item.unknown_path)
            if health_page.read(answer.text) is None or (unknown.status_code, unknown.body) == (answer.status_code, answer.body):  # fmt: skip
                return None
            if answer.status_code == 200 or answer.status_code >= 500:
                self.unknown = unknown
                found = await self._described(POSTED, answer)
                return replace(found, settings={"health_method": method, **found.settings})
        except httpx.HTTPError:
            # What answered a moment ago does not know this; that it is not there is what is said.
            return None
        finally:
            self.item = plain
        return None

    async def _look_at(self, path: str) -> Answer | None:
        """The answer at a path; None where it cannot be read. `tried` says why it is no health page."""
        try:
            answer = await self._ask(path)
            if self.unknown is None:
                self.unknown = await self._ask(self.item.unknown_path)
        except (answers.TooMuch, answers.Unending, answers.Unreadable) as error:
            self.tried[path] = f"gives {error}"
            self.has_pages = True
            return None
        except httpx.TransportError as error:
            if not self.tried and self.unknown is None:
                raise
            # Others were answered: that this one is not is a thing of this path.
            self.tried[path] = f"gives no answer: {describe(error)}"
            return None
        self.clock = _clock(answer)
        # That every path answers alike says less than what it is that answers.
        is_alike = not first_answers.is_login_page(answer) and first_answers.are_alike(answer, self.unknown)
        is_none = (
            answer.status_code in _NOT_THERE
            or answer.is_redirect
            or (is_alike and first_answers.is_a_word(answer))
        )
        self.has_pages |= not is_none
        if why_not := _ALIKE if is_alike else first_answers.no_health(answer):
            self.tried[path] = why_not
        if answer.status_code in _REFUSED and self.refused is None:
            self.refused = path, answer
        return answer

    async def _ask(self, path: str, *, as_browser: bool = False) -> Answer:
        """The answer to a request, asked again where the connection ended without one."""
        for _ in range(MOST_DROPPED):
            with contextlib.suppress(httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                return await self._ask_once(path, as_browser=as_browser)
        return await self._ask_once(path, as_browser=as_browser)

    async def _ask_once(self, path: str, *, as_browser: bool) -> Answer:
        headers = self.session.service_headers(self.item)
        if as_browser:
            headers = probe_marks.BROWSER_HEADERS
        async with self.session.acquire("http requests"):
            answer = await answers.ask(
                self.client,
                path,
                headers=headers,
                within_s=self.session.environment.pace.timeout_s,
                **health.asking(self.item),
            )
        if asks_for_less(answer.status_code, answer.headers, answer.text):
            await self.session.back_off(
                answer.headers.get("retry-after"),
                host=self.client.base_url.host or "",
                status=answer.status_code,
            )
        return answer

    async def _described(self, path: str, answer: Answer) -> Health:
        """A health page, with what an environment says of it and what a reader should know of it."""
        status = answer.status_code
        if status != 200:
            settings: dict[str, object] = {"health_status": [status]} if status < 300 else {}
            remark = f"it answers {status}{_quoted(answer) if status >= 400 else ''}"
            return Health(path=path, status=status, settings=settings, remarks=(remark, *_clock(answer)))
        seen = [answer]
        for _ in range(ASKED_AGAIN):
            # What fails now and then is met again by the probes, and judged there.
            with contextlib.suppress(httpx.HTTPError):
                seen.append(await self._ask(path))
        said = health_page.read(answer.text, is_html=answer.is_html)
        other, where_not = await self._other_unknown(path)
        if where_not and not other and (word := self._own_word(seen, said)):
            other, where_not = {"health_expect": {"regex": word}}, ()
        return Health(
            path=path,
            status=status,
            settings={**_from_bodies(seen, said), **other},
            remarks=(*_remarks(answer, said), *_dated(seen, self.item), *where_not, *_clock(answer)),
        )

    def _own_word(self, seen: Sequence[Answer], said: Said | None) -> str:
        """A pattern of the text by which a page says each time that it is well, and a path that must not exist does not; empty where there is none."""
        assert self.unknown is not None
        if said is None or said.word is not Word.WELL or said.path or _is_well_said(self.unknown):
            return ""
        same = all(answer.text.strip() == seen[0].text.strip() for answer in seen)
        return rf"^\s*{re.escape(str(said.value))}" if same and len(str(said.value)) <= _LONGEST_WORDS else ""

    async def _other_unknown(self, path: str) -> tuple[dict[str, object], tuple[str, ...]]:
        """A path beside this one that is not there, where the usual one answers all the same, as in applications of one page."""
        parent = path.rstrip("/").rpartition("/")[0]
        if self.unknown is None or self.unknown.status_code >= 400:
            return {}, ()
        beside = f"{parent}{self.item.unknown_path}"
        if parent and (await self._ask(beside)).status_code >= 400:
            remark = f"{self.item.unknown_path} answers {self.unknown.status_code} as if it were there, {beside} does not"
            return {"unknown_path": beside}, (remark,)
        return {}, (f"a path that must not exist answers {self.unknown.status_code} too: set unknown_path of the service to one that answers 404",)  # fmt: skip

    async def _why(self) -> tuple[str, ...]:
        """What would help where no page was found."""
        if self.refused is not None:
            path, answer = self.refused
            again = await self._ask(path, as_browser=True)
            said = _quoted(answer)
            if again.status_code < 400:
                return (
                    f"{path} answers {again.status_code} to a browser, and {answer.status_code}{said} to a probe: let the agent {probe_marks.USER_AGENT} through the firewall",
                )
            says = f"says{said}" if said else f"answers {answer.status_code}"
            if answer.status_code not in (401, 403):
                return (f"{path} {says}: name what it wants in headers of the service",) if said else ()
            also = " also to the token as Authorization: Bearer" if self.token_refused else ""
            other = "" if self.session.environment.login is not None else "a token with --token-env NAME, or "
            return (f"{path} {says}{also}: name {other}what it wants with --header NAME=env:VARIABLE",)
        if _ALIKE in self.tried.values():
            return ("give the address of the health page: proofbook try URL/path",)
        return ()


def _is_well_said(answer: Answer) -> bool:
    """Whether an answer says that it is well."""
    said = health_page.read(answer.text, is_html=answer.is_html)
    return said is not None and said.word is Word.WELL


def _says_something(answer: Answer) -> bool:
    return health_page.read(answer.text, is_html=answer.is_html) is not None


def _rank(answer: Answer) -> int:
    """How well a page suits: those that say something of themselves first, the worst of them before."""
    said = health_page.read(answer.text, is_html=answer.is_html)
    return len(_WORST_FIRST) if said is None else _WORST_FIRST.index(said.word)


def _remarks(answer: Answer, said: Said | None) -> tuple[str, ...]:
    if said is None:
        told = ["it does not state its health, so any 200 counts"]
    elif said.word is Word.UNKNOWN:
        told = [f"it says {said.shown()!r}, an unknown word"]
    else:
        told = [] if said.word is Word.WELL else [f"it says {said.shown()!r}"]
    product = _product_of([answer])
    told += [f"it calls itself {', '.join(f'{key} = {value}' for key, value in product.items())}"] if product else []  # fmt: skip
    if age_s := health.age_of(answer):
        told.append(f"it is a cached copy, {age_s:,.0f} s old")
    elif stored := stored_copies.named_in(answer.headers):
        told.append(f"it is a cached copy ({stored})")
    return tuple(told)


def _dated(seen: Sequence[Answer], item: Service) -> tuple[str, ...]:
    """That the time that a page names as its own is long over and stands still."""
    times = [page_time.of(answer, now=dt.datetime.now(dt.UTC)) for answer in seen]
    first = times[0]
    if first is None or not means_now(first.path) or first.age_s <= item.health_max_age_s:
        return ()
    stands_still = all(other is not None and other.moment == first.moment for other in times)
    says = f"its {first.path} is {first.age_s:,.0f} s old and does not change, so the page is stale"
    return (says,) if stands_still else ()


def _told(tried: dict[str, str]) -> tuple[str, ...]:
    """What each path answered, those that answered alike together."""
    alike: dict[str, list[str]] = {}
    for path, why in tried.items():
        alike.setdefault(why, []).append(path)
    return tuple(f"{', '.join(paths)} {why}" for why, paths in alike.items())


def _quoted(answer: Answer) -> str:
    """The beginning of a body in quotes; empty of a page for people, or of none."""
    said = "" if answer.is_html else " ".join(scrub(answer.text[:300]).split())[:80]
    return f" “{said}”" if said else ""


def _from_bodies(seen: Sequence[Answer], said: Said | None) -> dict[str, object]:
    """Keys of [[service]] that follow from a page that was asked several times: what it said each time, where it said that it is well."""
    expected: dict[str, object] = dict(_product_of(seen))
    if said is not None and said.word is Word.WELL and said.path and _object_of(seen[0]):
        again = [health_page.read(answer.text, is_html=answer.is_html) for answer in seen]
        # Only what was seen each time: a guess that was never fulfilled would fail a service for being described wrongly.
        if all(other == said for other in again):
            expected = {said.path: said.value, **expected}
    found: dict[str, object] = {"health_expect": {"json": expected}} if expected else {}
    bodies = [_object_of(answer) for answer in seen]
    # What differs from one answer to the next names an instance, whatever it is called.
    revision = next((key for key in REVISION_KEYS if isinstance(value := bodies[0].get(key), str) and all(body.get(key) == value for body in bodies)), None)  # fmt: skip
    return {**found, "revision_path": revision} if revision else found


def _product_of(seen: Sequence[Answer]) -> dict[str, str]:
    """Which product a page says that it is of, by key; only what it says each time."""
    first, *others = [_object_of(answer) for answer in seen]
    return {
        key: value
        for key in PRODUCT_KEYS
        if isinstance(value := first.get(key), str) and re.fullmatch(r"[A-Za-z][\w .-]{1,40}", value)
        if not re.search(r"\d{3}|[0-9a-f]{8}", value) and all(other.get(key) == value for other in others)
    }


def _object_of(answer: Answer) -> dict[str, object]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _clock(answer: Answer) -> tuple[str, ...]:
    try:
        theirs = email.utils.parsedate_to_datetime(answer.headers["date"])
    except (KeyError, ValueError):
        return ()
    ahead = (theirs.astimezone(dt.UTC) - dt.datetime.now(dt.UTC)).total_seconds()
    if abs(ahead) <= MAX_CLOCK_SKEW_S or health.age_of(answer):
        return ()
    return (
        f"its clock is {abs(ahead):,.0f} s {'ahead of' if ahead > 0 else 'behind'} this machine's, so times in its log may mislead",
    )
