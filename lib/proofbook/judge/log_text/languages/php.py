"""PHP: uncaught exceptions with those before them, fatal errors, and exceptions as Monolog writes them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from proofbook.judge.log_text.frames import Frame, Raised, raised

_NAME = r"[A-Za-z_\\][\w\\]*"
_PLACE = r" (?:in|at) (\S+?)(?::(?:\d+|#)|\((?:\d+|#)\)|(?: on)? line (?:\d+|#))"
_UNCAUGHT = re.compile(
    rf"(?:Uncaught |^\s*Next )(?:exception '|PHP Exception )?({_NAME})'?(?:: | with message '|$)(.*)$"
)
_OBJECT = re.compile(rf"\[object\] \(({_NAME})\(code: [^)]*\): (.*?) at (\S+?):(?:\d+|#)\)")
_FATAL = re.compile(r"PHP ((?:Fatal|Parse|Recoverable fatal) error): +(.*)$")
_FRAME = re.compile(r"^\s*#\d+ (?:(\[internal function\])|(.+?)\((?:\d+|#)\)): (.*)$|^\s*#\d+ (\{main\})")
_ENDS_AT = re.compile(rf"{_PLACE}| in (\S+)$")
_STATED = re.compile(_PLACE)


def is_one(line: str) -> bool:
    """Whether a line begins an exception of PHP."""
    uncaught = _UNCAUGHT.search(line)
    # JavaScript says "Uncaught" too, but not where.
    return bool(_OBJECT.search(line) or _FATAL.search(line) or (uncaught and _STATED.search(uncaught[2])))


def read(lines: Sequence[str]) -> list[Raised]:
    """The exceptions, causes first."""
    chain: list[Raised] = []
    backwards = False
    head: tuple[str, str, str] | None = None
    calls: list[tuple[str, str]] = []

    def close() -> None:
        if head is not None:
            chain.append(raised(head[0], head[1], _frames(head[2], calls)))
        calls.clear()

    for line in lines:
        if match := _FRAME.match(line):
            function = "{main}" if match[4] else match[3].partition("(")[0]
            calls.append((function.strip(), match[1] or match[2] or ""))
        elif found := _head(line):
            if head is not None and not calls and not head[2] and found[0] == head[0]:
                continue
            close()
            head, backwards = found, backwards or "[object]" in line
        elif head is not None and not calls and not head[2] and (match := _ENDS_AT.search(line)):
            # A message of several lines.
            head = (head[0], head[1], match[1] or match[2])
    close()
    # Monolog names what came before an exception after it.
    return chain[::-1] if backwards else chain


def _head(line: str) -> tuple[str, str, str] | None:
    """Type, message and place that a line names."""
    if match := _OBJECT.search(line):
        return match[1].replace("\\\\", "\\"), match[2], match[3]
    match = _UNCAUGHT.search(line) or _FATAL.search(line)
    if match is None:
        return None
    places = list(_ENDS_AT.finditer(match[2]))
    message = match[2][: places[-1].start()] if places else match[2]
    return (
        match[1].strip("\\"),
        message.strip().removesuffix("'"),
        (places[-1][1] or places[-1][2]) if places else "",
    )


def _frames(thrown_at: str, calls: Sequence[tuple[str, str]]) -> list[Frame]:
    """Innermost last. Each call is written with the place that it was made from, which lies in the function below it."""
    if not calls:
        return [Frame(function="", place=thrown_at)] if thrown_at else []
    places = [thrown_at, *(place for _, place in calls)]
    return [Frame(function=name, place=place) for (name, _), place in zip(calls, places, strict=False)][::-1]
