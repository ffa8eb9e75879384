"""Go's panics, fatal errors, and the stacks that loggers and middleware add to an error."""

from __future__ import annotations

import re
from collections.abc import Sequence

from proofbook.judge.log_text.frames import Frame, Raised, raised

_GOROUTINE = re.compile(r"^\s*goroutine (?:\d+|#) \[")
_PLACE = re.compile(r"^\s*(\S+\.(?:go|s|c)):(?:\d+|#)(?: \+0x[0-9a-f]+)?$")
_FUNCTION = re.compile(r"^(?:created by )?([\w./*()\[\]{}~@%$,·-]*\w[\w./*()\[\]{}~@%$,·-]*)$")
# A place first, and the function with its source on the next line.
_PLACE_FIRST = re.compile(r"^\s*(\S+\.go):(?:\d+|#) \((?:0x[0-9a-f]+|#)\)$")
_NAME_NEXT = re.compile(r"^\s+([\w.*()]+): ")
_SAYS = re.compile(
    r"(?:^|[\s\[(|])(?:(fatal error)|[Pp]anic(?:ked)?(?: recovered| serving \S+)?|Observed a panic|PANIC)\]?[:=] ?(.*)$"
)
_STANDARD = re.compile(
    r"^(?:archive|bufio|bytes|compress|container|context|crypto|database/sql|encoding|errors|flag|fmt|hash|html|image|io|iter|log|maps|math|mime|net|os"
    r"|path|reflect|regexp|runtime|slices|sort|strconv|strings|sync|syscall|testing|text|time|unicode)(?:/[\w/]+)?\.|^panic$"
)


def has_goroutine(line: str) -> bool:
    """Whether the trace of a goroutine begins there."""
    return bool(_GOROUTINE.match(line))


def is_one(line: str) -> bool:
    """Whether a line names the file of a frame, or is the first of a panic."""
    return bool(_is_panic(line) or _PLACE.match(line) or _PLACE_FIRST.match(line))


def read(lines: Sequence[str]) -> list[Raised]:
    """The panic, or the error with its stack, as the only exception."""
    start = next((number for number, line in enumerate(lines) if _GOROUTINE.match(line)), None)
    frames, first = _frames(lines[start + 1 :] if start is not None else lines)
    head = lines[: start if start is not None else first]
    kind, message = _said(head)
    if not frames and not (kind and head and _is_panic(head[0])):
        return []
    # Above the last call of panic stands what happened after it.
    last = max((number for number, frame in enumerate(frames) if frame.function == "panic"), default=-1)
    kind = kind or ("panic" if last >= 0 else "error")
    return [raised(kind, message, (frames[last + 1 :] or frames)[::-1])]


def _is_panic(line: str) -> bool:
    return line.startswith(("panic: ", "fatal error: "))


def _said(head: Sequence[str]) -> tuple[str, str]:
    """The type and the message in the lines before the frames; of an error only the message."""
    for number, line in enumerate(head):
        if found := _SAYS.search(line):
            following = head[number + 1].strip() if number + 1 < len(head) else ""
            message = re.sub(r" \[recovered[^\]]*\]$", "", found[2]).strip() or following
            return found[1] or "panic", message
    return "", next((line.strip() for line in reversed(head) if line.strip()), "")


def _frames(lines: Sequence[str]) -> tuple[list[Frame], int]:
    """The frames of the first stack, innermost first, and the number of the line at which they begin."""
    frames: list[Frame] = []
    first, function = len(lines), ""
    for number, line in enumerate(lines):
        if function and (match := _PLACE.match(line)):
            frames.append(_frame(function, match[1]))
            first = min(first, number - 1)
            function = ""
        elif match := _PLACE_FIRST.match(line):
            name = _NAME_NEXT.match(lines[number + 1]) if number + 1 < len(lines) else None
            frames.append(_frame(name[1] if name else "", match[1]))
            first = min(first, number)
        elif frames and (not line.strip() or _GOROUTINE.match(line)):
            break
        else:
            function = _function(line)
    return frames, first


def _function(line: str) -> str:
    text = re.sub(r" in goroutine \d+$", "", line.strip())
    # Arguments are the last parentheses.
    name = text[: text.rfind("(")] if text.endswith(")") else text
    found = _FUNCTION.match(name)
    return found[1] if found else ""


def _frame(function: str, place: str) -> Frame:
    return Frame(function=function, place=place, library=bool(_STANDARD.match(function)))
