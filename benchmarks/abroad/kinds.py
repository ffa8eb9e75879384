"""What a kind of fault, or of being well in an odd way, is; and the dice that vary what does not matter."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

Words = dict[str, Any]
PASS, FAIL, OPEN = "pass", "fail", "inconclusive"


class State(Enum):
    """What is known of a system that was made so.

    BROKEN: users are harmed. WELL: they are not. UNASKED: it is well, and was asked in a way that cannot show it. BEYOND: it is
    broken by something that no `try` asks for, and that its summary must not claim.
    """

    BROKEN = "broken"
    WELL = "well"
    UNASKED = "unasked"
    BEYOND = "beyond"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One server: its make, and what it is.

    words: a specification of served.js and served.py, or the variables of a program of its own. front: the location block of an
    nginx before it, in which INNER is its address. tls: `own` (an authority of its own), `expired`, `other-name`, `client` (which
    wants a certificate); empty without. settings: the configuration of a broker.
    """

    make: str
    words: Words = field(default_factory=dict)
    front: str = ""
    limits: str = ""
    tls: str = ""
    settings: str = ""
    upstreams: int = 1
    dead: int = 0
    stopped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a user would state by the manual. environment: the [[service]] of a file with URL in it, where `try` does not suffice."""

    path: str = ""
    ws: str = ""
    token: str = ""
    trusts: bool = True
    scheme: str = ""
    has_certificate: bool = False
    options: Words = field(default_factory=dict)
    environment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A server and a question. later: what stands at the same address when it is asked a second time, which is what counts."""

    server: Server
    asked: Asked = Asked()
    later: Server | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A way of being broken or well, the verdicts that are right, the best first, and how one is made. why: of what is beyond."""

    name: str
    what: str
    state: State
    right: tuple[str, ...]
    make: Callable[[Dice], Scene]
    why: str = ""


class Dice:
    """What varies from one collection of a kind to another."""

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)

    def of(self, *choices: Any) -> Any:
        return self.random.choice(choices)

    def make(self, *makes: str) -> str:
        return str(self.of(*(makes or ("ws", "faye", "bare", "aiohttp"))))

    def page_make(self) -> str:
        return self.make("bare", "nginx", "aiohttp", "bare", "nginx")

    def ms(self, low: int, high: int) -> int:
        return self.random.randint(low, high)

    def secret(self) -> str:
        letters = string.ascii_letters + string.digits
        return "".join(self.random.choice(letters) for _ in range(self.random.randint(20, 40)))

    def word(self) -> str:
        return str(self.of("billing", "tickets", "chat", "orders", "search", "mail", "stock", "maps"))

    def part(self) -> str:
        return str(self.of("db", "database", "redis", "queue", "diskSpace", "mongo", "kafka", "storage"))

    def ws_path(self) -> str:
        return str(
            self.of("/ws", "/socket", "/live", "/api/stream", "/v1/events", "/chat/connect", "/cable2")
        )

    def health_path(self) -> str:
        return str(self.of("/health", "/healthz", "/api/health", "/status", "/actuator/health", "/q/health"))

    def well(self) -> Words:
        """A page that says that it is well, in one of the usual ways."""
        word = self.of("ok", "UP", "healthy", "pass", "SERVING", "success", "green", "operational", "online", "available")  # fmt: skip
        key = self.of("status", "status", "state", "Status")
        shape: Callable[[], Words] = self.of(
            lambda: page(f'{{"{key}": "{word}"}}'),
            lambda: page(f'{{"{key}":"{word}","uptime":$UPTIME,"time":"$NOW"}}'),
            lambda: page(f'{{"version":"{self.ms(1, 9)}.{self.ms(0, 20)}.0","{key}":"{word}"}}'),
            lambda: page(f'{{"{key}":"{word}","checks":{{"{self.part()}":{{"{key}":"{word}"}}}}}}'),
            lambda: page(self.of("OK", "ok\n", "Healthy", "healthy", "UP"), type="text/plain"),
        )
        return {**shape(), "wait_ms": self.of(0, 0, 0, self.ms(1, 60))}

    def greeting(self) -> list[Words]:
        """A first message, in one of the usual ways."""
        key = self.of("type", "event", "kind", "op", "action")
        word = self.of("hello", "welcome", "connected", "ready", "session")
        return [
            self.of(
                {"text": f'{{"{key}":"{word}"}}'},
                {"text": f'{{"{key}":"{word}","session":"$HEX"}}'},
                {"text": f'{{"{key}":"{word}","time":"$NOW","n":$N}}'},
                {"text": f"{word} $HEX"},
                {"text": word},
            )
        ]


def page(body: str = "", status: int = 200, type: str = "application/json", **more: Any) -> Words:
    """A page of a specification."""
    return {"body": body, "status": status, "type": type, **more}


HTML = "text/html"
NOT_FOUND = page("not found", 404, "text/plain")


def catalogue(kinds: list[Kind]) -> Callable[..., Callable[[Callable[[Dice], Scene]], Callable[[Dice], Scene]]]:  # fmt: skip
    """A decorator that adds a kind to a list: its name, what it is, its state, and the verdicts that are right."""

    def named(name: str, what: str, state: State, *right: str, why: str = "") -> Any:
        def added(make: Callable[[Dice], Scene]) -> Callable[[Dice], Scene]:
            usual = {State.BROKEN: (FAIL,), State.WELL: (PASS,), State.UNASKED: (OPEN,), State.BEYOND: (PASS,)}  # fmt: skip
            kinds.append(Kind(name=name, what=what, state=state, right=right or usual[state], make=make, why=why))  # fmt: skip
            return make

        return added

    return named
