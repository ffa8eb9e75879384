"""Answers that never end, or are huge, or are not what they say: each is a failed sample in a sentence, and stops nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gzip
import json
import re
import zlib
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pandas as pd
import pytest

from proofbook.collect import answers, discovery, rollout
from proofbook.collect.services import health as service
from proofbook.collect.services import metrics, openapi
from proofbook.collect.session import Session
from proofbook.config.environment import Environment
from proofbook.errors import CouldNotLook

pytestmark = pytest.mark.waits

Pieces = AsyncIterator[bytes]
T = TypeVar("T")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
# Of what lets one wait until the time is over, and of what another limit ends before that, however busy the machine is.
TIMEOUT_S, LONG_TIMEOUT_S = 2.0, 60.0
# What has no end of its own is over by then.
ENDS_S = 120.0


def test_a_connection_that_never_becomes_encrypted_is_left_and_closed() -> None:
    async def go() -> str:
        closed = asyncio.Event()

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                while await reader.read(1000):
                    pass
            closed.set()
            writer.close()

        async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with httpx.AsyncClient(base_url=f"https://127.0.0.1:{port}") as client:
                with pytest.raises(httpx.ReadTimeout, match=r"no answer within 0\.2 s"):
                    await answers.ask(client, "/", headers={}, within_s=0.2)
                await asyncio.wait_for(closed.wait(), ENDS_S)
        return "closed"

    assert asyncio.run(go()) == "closed"


async def drips() -> Pieces:
    yield HEAD + b"Content-Length: 1000000\r\n\r\n"
    while True:
        yield b" "
        await asyncio.sleep(0.05)


async def drips_its_headers() -> Pieces:
    yield HEAD
    while True:
        yield b"X"
        await asyncio.sleep(0.05)


async def streams_for_ever() -> Pieces:
    yield HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    while True:
        yield b"3\r\n:\n\n\r\n"
        await asyncio.sleep(0.05)


async def floods_for_ever() -> Pieces:
    yield HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    while True:
        yield b"10000\r\n" + bytes(0x10000) + b"\r\n"


async def is_of_500_megabytes() -> Pieces:
    yield HEAD + b"Content-Length: 500000000\r\n\r\n"
    for _ in range(500):
        yield bytes(1_000_000)


@functools.cache
def bomb() -> bytes:
    return gzip.compress(bytes(200_000_000), compresslevel=1)


async def is_a_gzip_bomb() -> Pieces:
    async for piece in packed(bomb(), "gzip")():
        yield piece


async def is_packed_twice() -> Pieces:
    async for piece in packed(gzip.compress(bomb()), "gzip, gzip")():
        yield piece


def packed(body: bytes, encoding: str, head: bytes = HEAD) -> Callable[[], Pieces]:
    async def pieces() -> Pieces:
        yield head + f"Content-Encoding: {encoding}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body

    return pieces


async def breaks_off() -> Pieces:
    yield HEAD + b'Content-Length: 1000\r\n\r\n{"sta'


async def says_nothing() -> Pieces:
    await asyncio.sleep(ENDS_S)
    yield b""


BAD: dict[str, tuple[Callable[[], Pieces], str]] = {
    "drips": (drips, "an answer 200 that was not over within 2 s"),
    "drips its headers": (drips_its_headers, "no answer within 2 s"),
    "streams for ever": (streams_for_ever, "an answer 200 that was not over within 2 s"),
    "floods for ever": (floods_for_ever, "bytes, which was not read to the end"),
    "is of 500 MB": (is_of_500_megabytes, "bytes, which was not read to the end"),
    "is a gzip bomb": (is_a_gzip_bomb, "bytes, which was not read to the end"),
    "is packed twice": (is_packed_twice, "packed as 'gzip, gzip', not as gzip, deflate"),
    "is packed as nobody knows": (packed(b"abc", "rot13"), "packed as 'rot13'"),
    "is no gzip": (packed(b"plain words", "gzip"), "an answer 200 that is not gzip, as it says"),
    "breaks off": (breaks_off, "without sending complete message body"),
    "says nothing": (says_nothing, "no answer within 2 s"),
}  # fmt: skip
# They are met side by side.
WAITS = ("drips", "drips its headers", "streams for ever", "says nothing")
bad = pytest.mark.parametrize(
    "names",
    [WAITS, *((name,) for name in BAD if name not in WAITS)],
    ids=lambda names: "waits" if names == WAITS else names[0],
)


def of_each(meet: Callable[[str], Coroutine[Any, Any, T]], names: Sequence[str]) -> list[tuple[str, T]]:
    """What comes of meeting each of these answers, side by side."""

    async def go() -> list[T]:
        return await asyncio.wait_for(asyncio.gather(*map(meet, names)), ENDS_S)

    return list(zip(names, asyncio.run(go()), strict=True))


def timeout_s(name: str) -> float:
    return TIMEOUT_S if name in WAITS else LONG_TIMEOUT_S


@contextlib.asynccontextmanager
async def serving(
    answer: Callable[[], Pieces],
    *,
    at: str = "/",
    timeout_s: float = LONG_TIMEOUT_S,
    more: dict[str, Any] | None = None,
    **where: Any,
) -> AsyncIterator[Session]:
    """A server that answers every path that begins with `at` so, and any other with 404."""

    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pieces = answer()
        # Errors: the probe gave up.
        with contextlib.suppress(OSError, EOFError):
            asked = await reader.readuntil(b"\r\n\r\n")
            if not asked.split(b" ")[1].startswith(at.encode()):
                pieces = packed(b"", "identity", b"HTTP/1.1 404 Not Found\r\n")()
            async for piece in pieces:
                writer.write(piece)
                await writer.drain()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Not by the task itself: one that is cancelled before it began would leave its connection open.
        task = asyncio.create_task(handle(reader, writer))
        tasks.add(task)
        task.add_done_callback(lambda _: writer.transport.abort())
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    settings = {
        "pace": {"per_s": 1000, "concurrency": 15, "timeout_s": timeout_s},
        "service": [{"name": "a", "url": url, "openapi": "/openapi", "metrics": "/metrics", **(more or {})}],
        "login": {"url": url, "path": "/login"},
        **where,
    }
    try:
        yield Session(Environment.model_validate(settings), base=Path())
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # what is aborted is closed in the loop's next turn


def says(errors: pd.Series, words: str) -> bool:
    """Whether these are what went wrong, except where the machine stood still and the time was over before the first byte."""
    as_expected = errors.str.contains(words, regex=False)
    return bool(as_expected.any() and (as_expected | errors.str.contains("no answer within 2 s")).all())


def client_of(session: Session) -> httpx.AsyncClient:
    # Nothing is encrypted here: to load the certificates of all authorities takes longer than the test.
    return httpx.AsyncClient(base_url=session.service_urls["a"], trust_env=False, verify=False)


@bad
@pytest.mark.slow
def test_health_that_is_answered_so_is_a_failed_sample(names: Sequence[str]) -> None:
    async def meet(name: str) -> pd.DataFrame:
        async with serving(BAD[name][0], timeout_s=timeout_s(name)) as session:
            (item,) = session.environment.services
            return await service.probe_health(
                item, session=session, checkpoints=(10,), decided=lambda *_: True
            )

    # Fifteen requests at once.
    for name, table in of_each(meet, names):
        assert len(table) == 15 and not table["ok"].any(), name
        assert says(table["error"], BAD[name][1]), (name, table["error"].unique())


@bad
@pytest.mark.slow
def test_whatever_else_is_fetched_ends_too(names: Sequence[str]) -> None:
    async def meet(name: str) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, BaseException | object]:
        async with serving(BAD[name][0], timeout_s=timeout_s(name)) as session:
            (item,) = session.environment.services
            over = asyncio.Event()
            asyncio.get_running_loop().call_later(0.1, over.set)
            (table, _), documents, metered, token = await asyncio.gather(
                service.time_endpoint(item, "/list", count=2, every=4, session=session),
                openapi.fetch_openapi(item, session=session),
                metrics.sample(item, every_s=0.01, until=over, session=session),
                asyncio.gather(session.token("u"), return_exceptions=True),
            )
            return table, documents, metered, token[0]

    for name, (table, documents, metered, token) in of_each(meet, names):
        assert not table["ok"].any() and table["error"].ne("").all(), name
        (document,) = documents.to_dict("records")
        assert document["document"] == "" and document["error"] != "", name
        assert metered.empty, name
        assert isinstance(token, CouldNotLook) and re.search(r"login at .* failed", str(token)), name


@bad
@pytest.mark.slow
def test_a_watch_through_a_rollout_counts_it_and_goes_on(
    names: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollout, "MAX_ANSWER_S", timeout_s(names[0]))

    async def meet(name: str) -> pd.DataFrame:
        pace = {"per_s": 20, "settle_s": 0.1}
        async with serving(BAD[name][0], timeout_s=timeout_s(name), rollout=pace) as session:
            (item,) = session.environment.services
            return await rollout.watch(item, during=asyncio.sleep(0.2), session=session)

    for name, table in of_each(meet, names):
        assert len(table) >= 2 and not table["ok"].any(), name
        assert says(table["error"], BAD[name][1]), (name, table["error"].unique())


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("identity", lambda body: body),
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda body: zlib.compress(body, wbits=-15)),
    ],
)
@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 1_000_000])
def test_what_is_packed_as_asked_for_is_read_to_the_last_byte(
    encoding: str, pack: Callable[[bytes], bytes], size: int
) -> None:
    async def go() -> answers.Answer:
        body = b"a" * size
        async with serving(packed(pack(body), encoding)) as session, client_of(session) as client:
            return await answers.ask(client, "/", headers={}, within_s=10)

    assert asyncio.run(go()).body == b"a" * size


def test_json_that_is_nested_too_deeply_is_another_answer_and_no_crash() -> None:
    deep = b'{"status":' * 100_000

    async def go() -> tuple[pd.DataFrame, Any]:
        more = {"health_expect": {"json": {"status": "ok"}}, "revision_path": "version"}
        async with serving(packed(deep, "identity"), more=more) as session:
            (item,) = session.environment.services
            table = await service.probe_health(
                item, session=session, checkpoints=(2,), decided=lambda *_: True
            )
            return table, await openapi.fetch_openapi(item, session=session)

    table, document = asyncio.run(go())
    health = table[table["kind"] == "health"]
    assert not health["ok"].any() and not health["body_ok"].any()
    assert document["error"].tolist() == ["the answer is not read: it is nested too deeply"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["drips", "floods for ever", "is a gzip bomb"])
def test_a_first_look_names_the_page_that_cannot_be_read_and_goes_on(name: str) -> None:
    answer, error = BAD[name]

    async def go(at: str) -> discovery.Health:
        async with serving(answer, at=at, timeout_s=timeout_s(name)) as session:
            (item,) = session.environment.services
            return await discovery.find_health(item, discovery.HEALTH_PATHS, session=session)

    found = asyncio.run(asyncio.wait_for(go("/readyz"), ENDS_S))
    assert any("/readyz" in remark and error in remark for remark in found.remarks), found.remarks


def test_an_answer_is_kept_in_part_where_no_more_is_wanted() -> None:
    async def go() -> answers.Answer:
        body = json.dumps({"text": "x" * 100_000}).encode()
        async with serving(packed(body, "identity")) as session, client_of(session) as client:
            return await answers.ask(client, "/", headers={}, within_s=10, keep_bytes=10)

    assert asyncio.run(go()).body == b'{"text": "'
