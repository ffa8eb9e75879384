"""Exceptions in log text: Python, Java, Node, Go and .NET tracebacks as values, and what makes two of them the same."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

# Frames whose place matches belong to a language or a library, not to the application.
LIBRARY = re.compile(
    r"site-packages|dist-packages|/lib/python|<frozen |node_modules|node:|internal/|/usr/local/go/|/go/pkg/mod/|/usr/lib/"
    r"|^(?:java|javax|jakarta|jdk|sun|com\.sun|kotlin|scala|org\.(?:springframework|apache|eclipse|hibernate)|io\.netty|reactor)\."
    r"|^(?:System|Microsoft)\.|^runtime\."
)
_PYTHON_START = "Traceback (most recent call last):"
_PYTHON_FRAME = re.compile(r'^\s*(?:\|\s*)*File "([^"]*)", line (?:\d+|#)(?:, in (.+))?$')
_REPEATED = re.compile(r"\[Previous line repeated (\d+|#) more times?\]")
_TYPE = (
    r"[A-Za-z_$][\w.$]*(?:Error|Exception|Throwable|Exit|Interrupt|Fault|Warning|Timeout|Refused|Denied)\w*"
)
_PYTHON_END = re.compile(r"^(?:\|\s*)*([A-Za-z_][\w.]*)(?:: ?(.*))?$")
_HEADER = re.compile(rf"({_TYPE})(?:: ?(.*))?$")
_AT = re.compile(r"^\s+at (?:async |new )?(.+)$")
_GO_FRAME = re.compile(r"^([\w./*()\[\]{}-]+)\((?:.*)\)$|^created by (\S+)")
_GO_PLACE = re.compile(r"^\s+(\S+\.go):(?:\d+|#)")
LONGEST_CYCLE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One call: the function, and the file or package that holds it."""

    function: str
    place: str

    @property
    def in_app(self) -> bool:
        return not LIBRARY.search(self.place) and not LIBRARY.search(self.function)

    def __str__(self) -> str:
        short = "/".join(self.place.split("/")[-2:])
        return f"{self.function} ({short})" if short and short != self.function else self.function


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
        parts = []
        for item in self.chain:
            own = [frame for frame in item.frames if frame.in_app] or list(item.frames)
            kept = _least_rotation(item.cycle) if item.cycle else own
            parts.append(item.type + "".join(f"|{frame}" for frame in kept))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def parse(text: str) -> Traceback | None:
    """The traceback in a log body, or None.

    >>> found = parse('Traceback (most recent call last):\\n  File "/app/a.py", line 3, in f\\n    g()\\nValueError: no')
    >>> found.language, found.raised.type, found.raised.message, str(found.raised.where)
    ('python', 'ValueError', 'no', 'f (app/a.py)')
    """
    if _PYTHON_START in text:
        return _traceback("python", _python(text))
    if re.search(r"^goroutine (?:\d+|#) \[", text, re.MULTILINE):
        return _traceback("go", _go(text))
    if re.search(r"^\s+at \S", text, re.MULTILINE):
        return _traceback(*_stack(text))
    return None


def _traceback(language: str, chain: list[Raised]) -> Traceback | None:
    return Traceback(language=language, chain=tuple(chain)) if chain else None


def _python(text: str) -> list[Raised]:
    chain = []
    for part in text.split(_PYTHON_START)[1:]:
        frames: list[Frame] = []
        repeats = False
        kind = message = ""
        for line in part.splitlines():
            if match := _PYTHON_FRAME.match(line):
                frames.append(Frame(function=match[2] or "<module>", place=match[1]))
            elif _REPEATED.search(line):
                repeats = True
            elif line.strip() and not line[:1].isspace() and (end := _PYTHON_END.match(line)):
                kind, message = end[1], end[2] or ""
                break
        if kind or frames:
            cycle = (frames[-1],) if repeats and len(set(frames[-3:])) == 1 else find_cycle(frames)
            chain.append(Raised(type=kind or "unknown", message=message, frames=tuple(frames), cycle=cycle))
    return chain


def _stack(text: str) -> tuple[str, list[Raised]]:
    """Java, Node and .NET: a header, then frames that begin with `at`, innermost first."""
    chain: list[Raised] = []
    language = ""
    header: tuple[str, str] | None = None
    frames: list[Frame] = []

    def close() -> None:
        nonlocal header, frames
        if header is not None and frames:
            inner_last = list(reversed(frames))
            chain.append(Raised(type=header[0], message=header[1], frames=tuple(inner_last), cycle=find_cycle(inner_last)))  # fmt: skip
        header, frames = None, []

    for line in text.splitlines():
        if match := _AT.match(line):
            frame, kind = _at(match[1])
            language = language or kind
            frames.append(frame)
        elif found := _HEADER.search(line):
            close()
            header = found[1], (found[2] or "").strip()
    close()
    # What comes first got out; what it was caused by comes after.
    return language or "java", list(reversed(chain))


def _at(text: str) -> tuple[Frame, str]:
    if " in " in text and (":line " in text or ")" in text.split(" in ")[0]):
        function, _, place = text.partition(" in ")
        return Frame(function=function.partition("(")[0], place=re.sub(r":line \S+$", "", place).replace("\\", "/")), "dotnet"  # fmt: skip
    if match := re.match(r"^(.*?) ?\((.*?)(?::(?:\d+|#)){1,2}\)$", text):
        is_java = match[2].endswith((".java", ".kt", ".scala", ".groovy"))
        function, place = match[1].strip(), match[2]
        return (Frame(function=function, place=function.rpartition(".")[0]), "java") if is_java else (Frame(function=function or "<anonymous>", place=place), "node")  # fmt: skip
    if match := re.match(r"^(\S+?)(?::(?:\d+|#)){1,2}$", text):
        return Frame(function="<anonymous>", place=match[1]), "node"
    function, _, inside = text.partition("(")
    is_java = inside.startswith(("Native Method", "Unknown Source"))
    return Frame(function=function.strip(), place=function.strip().rpartition(".")[0]), "java" if is_java else "dotnet"  # fmt: skip


def _go(text: str) -> list[Raised]:
    message = next((line.removeprefix("panic: ") for line in text.splitlines() if line.startswith("panic: ")), "")  # fmt: skip
    frames: list[Frame] = []
    function = ""
    for line in text.partition("goroutine ")[2].splitlines()[1:]:
        if not line.strip():
            break
        if match := _GO_PLACE.match(line):
            if function:
                frames.append(Frame(function=function, place=match[1]))
            function = ""
        elif match := _GO_FRAME.match(line):
            function = match[1] or match[2]
    inner_last = list(reversed(frames))
    return [Raised(type="panic", message=message, frames=tuple(inner_last), cycle=find_cycle(inner_last))] if frames else []  # fmt: skip


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
