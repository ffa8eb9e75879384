"""Ruby: exceptions as the interpreter, Rails and other loggers write them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from proofbook.judge.log_text.frames import Frame, Raised, raised

_TYPE = r"[A-Z]\w*(?:::[A-Z]\w*)*"
_FRAME = re.compile(r"^\s*(?:from )?((?:[\w-]+ \([\w.]+\) )?[\w./<(~@+][^\s:]*(?::[\w./]+>)?):(?:\d+|#):in [`'](.+?)'(?=$|: |\s)(.*)$")  # fmt: skip
_SAID = re.compile(rf"^: (.*?)(?: \(({_TYPE})\))?$")
# `Type (message):` as Rails writes it, `Type: message`, `message (Type)`, `#<Type: message>`.
_RAILS = re.compile(rf"(?:^|\] |: )({_TYPE}) \((.*)\):\s*$")
_NAMED = re.compile(rf"(?:^|[\s\]#<])({_TYPE}): (.*?)>?$")
_AFTER = re.compile(rf"^(.*) \(({_TYPE})\)$")
_SURE = re.compile(r"::|Error$|Exception$")
# A tag before each line, such as the id of the request.
_TAG = re.compile(r"^\[[\w.:-]{1,64}\] ")


def is_one(line: str) -> bool:
    """Whether a line is a frame of Ruby, or a header as Rails writes it."""
    return bool(_FRAME.match(_TAG.sub("", line))) or is_header(line)


def is_header(line: str) -> bool:
    """Whether a line is the header that Rails writes, whatever follows."""
    found = _RAILS.search(line)
    return bool(found and _SURE.search(found[1]))


def read(lines: Sequence[str]) -> list[Raised]:
    """The exceptions, causes first."""
    chain: list[Raised] = []
    head: tuple[str, str] | None = None
    frames: list[Frame] = []
    before = ""

    def close() -> None:
        nonlocal head
        if head is not None:
            chain.append(raised(head[0], head[1], frames[::-1]))
        head = None
        frames.clear()

    for tagged in lines:
        line = _TAG.sub("", tagged)
        if match := _FRAME.match(line):
            said = _SAID.match(match[3])
            if said and (said[2] or not frames):
                close()
                head = said[2] or "RuntimeError", said[1]
            elif head is None:
                head = _head(before)
            if head is not None:
                frames.append(Frame(function=match[2], place=match[1]))
        elif line.strip():
            if frames or is_header(line):
                close()
            if is_header(line):
                head = _head(line)
            before = line
    close()
    # What came first got out.
    return chain[::-1]


def _head(line: str) -> tuple[str, str] | None:
    """Type and message of the exception that the line before its frames names; None where it names none."""
    text = line.strip()
    if found := _RAILS.search(text) or _NAMED.search(text):
        return found[1], found[2]
    if found := _AFTER.match(text):
        return found[2], found[1]
    return ("error", text) if text else None
