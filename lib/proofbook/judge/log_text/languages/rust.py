"""Rust: panics with and without a backtrace, and errors with their causes as anyhow and eyre write them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from proofbook.judge.log_text.frames import Frame, Raised, raised

_PANIC = re.compile(
    r"\bpanicked at (?:'(.*)', )?([^\s'][^\s:]*(?::\\[^\s:]*)?):(?:\d+|#)(?::(?:\d+|#))?(:)?(?: (.*))?$"
)
_OLD_PANIC = re.compile(r"\bpanicked at '(.*)$")
_FRAME = re.compile(r"^\s*(?:\d+|#):\s+(?:0x[0-9a-f]+ - )?(\S.*)$")
_AT = re.compile(r"^\s+at (\S.*?):(?:\d+|#)(?::(?:\d+|#))?$")
_BACKTRACE = re.compile(r"^\s*(?:stack backtrace|Stack backtrace|BACKTRACE|Stack):?\s*$", re.IGNORECASE)
_CAUSED_BY = re.compile(r"^\s*Caused by:\s*$")
_CAUSE = re.compile(r"^\s+(?:(?:\d+|#): )?(\S.*)$")


def is_panic(line: str) -> bool:
    """Whether a line says where a thread panicked."""
    return bool(_PANIC.search(line) or _OLD_PANIC.search(line))


def is_causes(line: str) -> bool:
    """Whether the causes of an error begin after that line."""
    return bool(_CAUSED_BY.match(line))


def read(lines: Sequence[str]) -> list[Raised]:
    """The panic, or the error after its causes."""
    for number, line in enumerate(lines):
        if found := _PANIC.search(line):
            following = next((text.strip() for text in lines[number + 1 :] if text.strip()), "")
            message = found[1] or found[4] or (following if found[3] else "")
            frames = _frames(lines[number + 1 :]) or [Frame(function="", place=found[2].replace("\\", "/"))]
            return [raised("panic", message.strip(), frames[::-1])]
        if found := _OLD_PANIC.search(line):
            return [raised("panic", found[1], _frames(lines[number + 1 :])[::-1])]
    return _causes(lines)


def _frames(lines: Sequence[str]) -> list[Frame]:
    """Innermost first."""
    frames: list[Frame] = []
    begun = False
    for line in lines:
        if _BACKTRACE.match(line):
            begun = True
        elif begun and (match := _AT.match(line)) and frames:
            frames[-1] = Frame(function=frames[-1].function, place=match[1].replace("\\", "/"))
        elif begun and (match := _FRAME.match(line)):
            frames.append(Frame(function=match[1], place=""))
        elif begun and line.startswith("note: "):
            break
    return frames


def _causes(lines: Sequence[str]) -> list[Raised]:
    start = next((number for number, line in enumerate(lines) if is_causes(line)), None)
    if start is None:
        return []
    said = next((line.strip() for line in reversed(lines[:start]) if line.strip()), "")
    if not said:
        return []
    causes: list[str] = []
    for line in lines[start + 1 :]:
        if _BACKTRACE.match(line) or not (match := _CAUSE.match(line)):
            if line.strip():
                break
            continue
        causes.append(match[1])
    frames = _frames(lines[start + 1 :])
    outer = raised("Error", re.sub(r"^.*?\bError: ", "", said), frames[::-1])
    return [*(raised("Error", cause, ()) for cause in reversed(causes)), outer] if causes else []
