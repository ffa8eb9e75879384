"""The aiohttp server of a specification: served.py SPECIFICATION PORT. It knows the commoner half of the words of served.js.

It ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import os
import random
import re
import socket
import struct
import sys
import time
import uuid
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web

STARTED = time.time()
Words = dict[str, Any]


class Served:
    """A server, by its specification."""

    def __init__(self, spec: Words) -> None:
        self.spec, self.number, self.tries = spec, 0, 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        said = self.spec.get("ws")
        if said and (request.path == said["path"] or said.get("any_path")) and "upgrade" in request.headers:
            return await self.talk(request, said)
        beside = [what for start, what in self.spec.get("under", {}).items() if request.path.startswith(start)]  # fmt: skip
        choices = self.spec.get("pages", {}).get(request.path) or (beside or [self.spec.get("else")])[0]
        page: Words = (
            self.picked(choices) if choices else {"status": 404, "type": "text/plain", "body": "not found"}
        )
        return await self.answer(request, self.door(page.get("doors"), request) or page)

    async def answer(self, request: web.Request, page: Words) -> web.StreamResponse:
        await asyncio.sleep(page.get("wait_ms", 0) / 1000)
        body = self.filled(page.get("body", "")).encode()
        headers = {"Content-Type": page.get("type", "application/json"), **page.get("headers", {})}
        how = page.get("how", "")
        if how in ("cut", "stream"):
            answer = web.StreamResponse(headers=headers)
            answer.content_length = len(body) + 100 if how == "cut" else None
            await answer.prepare(request)
            await answer.write(body or b":\n\n")
            while how == "stream":
                await asyncio.sleep(0.2)
                await answer.write(b":\n\n")
            assert request.transport is not None
            request.transport.close()
            return answer
        if how == "hang":
            await asyncio.sleep(600)
        if how == "drop":
            assert request.transport is not None
            request.transport.close()
        answer_whole = web.Response(body=body, status=page.get("status", 200), headers=headers)
        if how == "gzip":
            answer_whole.enable_compression(web.ContentCoding.gzip)
        return answer_whole

    async def talk(self, request: web.Request, said: Words) -> web.StreamResponse:
        if door := self.door(said.get("doors"), request):
            return await self.answer(request, {"type": "text/plain", **door})
        self.tries += 1
        if self.tries == self.spec.get("dies_at"):
            os._exit(1)
        rule = said.get("token")
        is_good = rule is None or self.known(self.shown(request, rule), rule) or random.random() < rule.get("leak", 0)  # fmt: skip
        refusal = rule["refusal"] if rule else {}
        if not is_good and "status" in refusal:
            return await self.answer(request, {"type": "text/plain", **refusal})
        offered = [name.strip() for name in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
        chosen = offered if rule and rule["place"] == "subprotocol" else said.get("protocols", [])
        await asyncio.sleep(said.get("upgrade_ms", 0) / 1000)
        connection = web.WebSocketResponse(protocols=chosen, compress=bool(said.get("deflate")))
        await connection.prepare(request)
        if not is_good:
            return await self.turn_away(connection, said, refusal)
        await asyncio.sleep(said.get("greeting_ms", 0) / 1000)
        await self.greet(connection, said)
        ends = said.get("ends")
        if ends and random.random() < ends.get("share", 1):
            await asyncio.sleep(ends.get("after_ms", 0) / 1000)
            await self.end(request, connection, ends)
            return connection
        async for message in connection:
            if message.type == WSMsgType.TEXT and said.get("speaks") == "echo":
                await connection.send_str(message.data)
        return connection

    async def turn_away(self, connection: web.WebSocketResponse, said: Words, refusal: Words) -> web.WebSocketResponse:  # fmt: skip
        if refusal.get("greets"):
            await self.greet(connection, said)
        if refusal.get("says"):
            await connection.send_str(refusal["says"])
        if refusal.get("at_message"):
            with contextlib.suppress(TypeError):
                await connection.receive_str()
        await asyncio.sleep(refusal.get("after_ms", 0) / 1000)
        await connection.close(code=refusal.get("code", 1008), message=refusal.get("reason", "").encode())
        return connection

    async def greet(self, connection: web.WebSocketResponse, said: Words) -> None:
        told = self.filled(self.picked(said["greeting"])["text"]) if said.get("greeting") else ""
        if told and random.random() >= said.get("silent_share", 0):
            await (connection.send_bytes(told.encode()) if said.get("binary") else connection.send_str(told))

    async def end(self, request: web.Request, connection: web.WebSocketResponse, ends: Words) -> None:
        assert request.transport is not None
        if ends.get("how") == "reset":
            option = socket.SO_LINGER, struct.pack("ii", 1, 0)
            request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, *option)
            request.transport.abort()
        elif ends.get("how") == "cut":
            request.transport.close()
        else:
            await connection.close(code=ends.get("code", 1011), message=ends.get("reason", "").encode())

    def shown(self, request: web.Request, rule: Words) -> str:
        place, _, name = rule["place"].partition(":")
        if place == "subprotocol":
            return request.headers.get("Sec-WebSocket-Protocol", "").replace("jwt.", "")
        if place == "query":
            return request.query.get(name, "")
        return request.headers.get(name or "Authorization", "").replace("Bearer ", "")

    def known(self, token: str, rule: Words) -> bool:
        good: dict[str, bool] = {
            "exact": token == rule["good"],
            "any": token != "",
            "everybody": True,
            "none-is-guest": token in ("", rule["good"]),
            "prefix": token != "" and token[:12] == rule["good"][:12],
        }
        return good[rule["rule"]]

    def door(self, doors: list[Words] | None, request: web.Request) -> Words | None:
        """The door that is closed to whoever asks."""
        for door in doors or []:
            value = request.headers.get(door.get("header", ""), None)
            if "header" not in door:
                is_closed = random.random() < door["share"]
            elif "is" in door:
                is_closed = (value is not None) == (door["is"] == "there")
            else:
                pattern = door.get("like") or door["unlike"]
                is_closed = bool(re.search(pattern, value or "")) == ("like" in door)
            if is_closed:
                return door
        return None

    def picked(self, choices: list[Words]) -> Words:
        return random.choices(choices, [item.get("weight", 1) for item in choices])[0]

    def filled(self, text: str) -> str:
        self.number += 1
        told = {"$HEX": uuid.uuid4().hex[:16], "$NOW": dt.datetime.now(dt.UTC).isoformat(), "$UPTIME": f"{time.time() - STARTED:.3f}", "$N": str(self.number)}  # fmt: skip
        return re.sub(r"\$(HEX|NOW|UPTIME|N)\b", lambda found: told[found[0]], text)


async def main(spec: Words) -> None:
    served = Served(spec)

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", served.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, spec.get("address", "127.0.0.1"), int(sys.argv[2])).start()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
