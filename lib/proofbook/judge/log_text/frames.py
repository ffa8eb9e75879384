"""Exceptions as values: frames, what was raised, a chain of it, and what makes two of them the same."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

# Frames whose place matches belong to a language or a library, not to the application.
LIBRARY = re.compile(
    r"site-packages|dist-packages|/lib/python|<frozen |node_modules|^node:|^internal/|/usr/local/go/|/go/pkg/mod/|/usr/lib/|@v[0-9]"
    r"|(?:^|/)vendor/|^\[internal|^phar:|/gems/|/rubygems/|/lib/ruby/|^<internal:|^[\w-]+ \([0-9.]+\w*\) |(?:^|/)deps/"
    r"|/rustc/|/rustlib/|/\.cargo/|^<?(?:&?(?:mut |dyn )?)(?:std|core|alloc|tokio|futures\w*)::|^_*rust_|^_+(?:libc_)?start|^start_thread$|^clone3?$"
    r"|^(?:java|javax|jakarta|jdk|sun|com\.sun|kotlinx?|scala|groovy|clojure|akka|feign|okhttp3|retrofit2|ch\.qos|graphql)\."
    r"|^org\.(?:springframework|apache|eclipse|hibernate|jboss|wildfly|xnio|glassfish|quartz|postgresql|junit|slf4j|jooq|codehaus|elasticsearch)\."
    r"|^com\.(?:google|fasterxml|zaxxer|mysql|microsoft|amazonaws|netflix|mongodb|oracle)\."
    r"|^(?:io\.(?:netty|undertow|vertx|grpc|micrometer|micronaut|quarkus|lettuce|reactivex|projectreactor)|reactor|rx)\."
    r"|^(?:System|Microsoft|Npgsql|Dapper|MediatR|Newtonsoft|Polly|Serilog|Grpc|Autofac|Castle|lambda_method)\b|^runtime\."
)
LONGEST_CYCLE = 20
# What differs between two builds or two runs of the same code: (pattern, what stands there instead).
_PASSING = tuple(
    (re.compile(pattern), instead)
    for pattern, instead in (
        (r"::h[0-9a-f]{16}\b", ""),
        (r"\{closure(?:[#:][^{}]*)?\}", "{closure}"),
        (r"/?0x[0-9a-fA-F]+", ""),
        (r"(\$\$(?:Lambda|EnhancerBy\w+|FastClassBy\w+|SpringCGLIB|HibernateProxy))[$/\w]*", r"\1"),
        (r"(\$Proxy|GeneratedMethodAccessor|GeneratedConstructorAccessor|lambda_method)\d+", r"\1"),
        (r"\$\d+", ""),
        (r"\.(?:func|gowrap|deferwrap)\d+(?:\.(?:func)?\d+|\.gowrap\d+)*", ".func"),
        (r"-fun-\d+-", "-fun-"),
        (r"_{2,}\d+(?:_\d+)?$", ""),
        (r"@v\d[\w.+-]*", ""),
        (r"[.-](?:[0-9a-f]{7,}|(?=[\w-]{0,7}\d)\w{8})(?=\.(?:chunk\.)?[mc]?js$)", ""),
    )
)
# Of a message, what is a value: it stands in quotes or holds a digit.
_VALUE = re.compile(r"\"[^\"]*\"|'[^']*'|`[^`]*`|\S*\d\S*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One call: the function (empty where it is not stated), and the file or package that holds it.

    library: whether it is known to belong to a language or a library, whatever its names look like.
    """

    function: str
    place: str
    library: bool = False

    @property
    def in_app(self) -> bool:
        return not self.library and not LIBRARY.search(self.place) and not LIBRARY.search(self.function)

    def __str__(self) -> str:
        function, short = stable(self.function), stable("/".join(self.place.split("/")[-2:]))
        if not function:
            return short
        return f"{function} ({short})" if short and short != function else function


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """One exception of a chain. `cycle` holds the frames that repeat where it recursed."""

    type: str
    message: str
    frames: tuple[Frame, ...]
    cycle: tuple[Frame, ...] = ()

    @property
    def where(self) -> Frame | None:
        """The innermost frame of the application, else the innermost."""
        own = [frame for frame in self.frames if frame.in_app]
        return own[-1] if own else self.frames[-1] if self.frames else None

    @property
    def told(self) -> str:
        """The exception in one line."""
        where = f" in {self.where}" if self.where else ""
        return f"{self.type}: {self.message[:120]}{where}" if self.message else f"{self.type}{where}"

    @property
    def identity(self) -> str:
        """The same for the same fault: the type and the application's frames; the message, less its values, where no function is known."""
        own = [frame for frame in self.frames if frame.in_app] or list(self.frames)
        kept = _least_rotation(self.cycle) if self.cycle else own
        is_known = any(frame.function for frame in own) and not self.message.startswith("runtime error: ")
        said = "" if is_known else _VALUE.sub("#", self.message)
        return stable(self.type) + "".join(f"|{part}" for part in (*kept, said) if str(part))


@dataclass(frozen=True, slots=True, kw_only=True)
class Traceback:
    """A chain of exceptions, causes first; the last is the one that got out."""

    language: str
    chain: tuple[Raised, ...]

    @property
    def raised(self) -> Raised:
        return self.chain[-1]

    @property
    def fingerprint(self) -> str:
        """The same for the same fault: types and the application's frames, without line numbers, ids and messages.

        A recursion is known by its cycle, since where it is cut off depends on the depth at which it began.
        """
        return hashlib.sha256("\n".join(item.identity for item in self.chain).encode()).hexdigest()[:12]


def raised(kind: str, message: str, innermost_last: Sequence[Frame]) -> Raised:
    """An exception with the cycle of its frames."""
    frames = tuple(innermost_last)
    return Raised(type=kind, message=message, frames=frames, cycle=find_cycle(frames))


def stable(name: str) -> str:
    """The name of a function, a type or a file without what differs between two builds of the same code.

    >>> stable("shop::cart::{closure#0}::h0123456789abcdef"), stable("Cart.lambda$pay$3"), stable("main.serve.func1.2")
    ('shop::cart::{closure}', 'Cart.lambda$pay', 'main.serve.func')
    """
    for pattern, instead in _PASSING:
        name = pattern.sub(instead, name)
    return name


def find_cycle(frames: Sequence[Frame]) -> tuple[Frame, ...]:
    """The shortest sequence of frames that follows itself at least three times, or nothing.

    >>> a, b = Frame(function="a", place=""), Frame(function="b", place="")
    >>> [str(frame) for frame in find_cycle([a, b, a, b, a, b])]
    ['a', 'b']
    """
    for period in range(1, min(LONGEST_CYCLE, len(frames) // 3) + 1):
        run = 0
        for index in range(period, len(frames)):
            run = run + 1 if frames[index] == frames[index - period] else 0
            if run >= 2 * period:
                return tuple(frames[index - period + 1 : index + 1])
    return ()


def _least_rotation(cycle: Sequence[Frame]) -> list[Frame]:
    """The same cycle wherever it was entered."""
    turned = [[*cycle[index:], *cycle[:index]] for index in range(len(cycle))]
    return min(turned, key=lambda frames: [str(frame) for frame in frames])
