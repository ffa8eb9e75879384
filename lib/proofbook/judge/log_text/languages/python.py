"""Python's tracebacks: chains, groups of exceptions, notes, errors of syntax, and crashes of the interpreter."""

from __future__ import annotations

import re
from collections.abc import Sequence

from proofbook.judge.log_text.frames import Frame, Raised, find_cycle, raised

START = "Traceback (most recent call last):"
CRASH = "Fatal Python error: "
# What a group draws beside its exceptions.
_RULE = r"^\s*(?:[|+]\s*)*"
_FRAME = re.compile(_RULE + r'File "([^"]*)", line (?:\d+|#)(?:,? in (.+))?$')
_REPEATED = re.compile(r"\[Previous line repeated (\d+|#) more times?\]")
_END = re.compile(r"^([A-Za-z_][\w.<>]*)(?:: ?(.*))?$")
_BRANCH = re.compile(r"^\s*\+-[+-]*")


def is_one(line: str) -> bool:
    """Whether a line begins a traceback."""
    return START in line or CRASH in line


def read(lines: Sequence[str]) -> list[Raised]:
    """The exceptions of a traceback, causes first; those of a group before the group, in an order of their own."""
    if not any(START in line for line in lines):
        return _crash(lines)
    chain: list[Raised] = []
    depths: list[int] = []
    for part, depth in _parts(lines):
        if (found := _one(part)) is not None:
            chain.append(found)
            depths.append(depth)
    return _groups_last(chain, depths)


def _parts(lines: Sequence[str]) -> list[tuple[list[str], int]]:
    """The lines of each exception after the first of its traceback, and how deep in groups it stands."""
    parts: list[tuple[list[str], int]] = []
    is_branch = False
    for line in lines:
        depth = len(line) - len(line.lstrip(" |+")) if line.lstrip()[:1] in ("|", "+") else 0
        if START in line:
            parts.append(([], depth))
        elif _BRANCH.match(line):
            is_branch = True
            continue
        elif is_branch and parts and _END.match(_bare(line)):
            # An exception of a group that was never raised has no traceback.
            parts.append(([line], depth))
        elif parts:
            parts[-1][0].append(line)
        is_branch = False
    return parts


def _bare(line: str) -> str:
    return re.sub(r"^\s*(?:\| ?)+", "", line) if line.lstrip().startswith("|") else line


def _one(lines: Sequence[str]) -> Raised | None:
    frames: list[Frame] = []
    repeats = False
    kind = message = ""
    for line in lines:
        bare = _bare(line)
        if match := _FRAME.match(line):
            frames.append(Frame(function=match[2] or "<module>", place=match[1]))
        elif _REPEATED.search(line):
            repeats = True
        elif bare.strip() and not bare[0].isspace() and (end := _END.match(bare)):
            kind, message = end[1], end[2] or ""
            break
    if not kind and not frames:
        return None
    cycle = (frames[-1],) if repeats and len(set(frames[-3:])) == 1 else find_cycle(frames)
    return Raised(type=kind or "unknown", message=message, frames=tuple(frames), cycle=cycle)


def _groups_last(chain: Sequence[Raised], depths: Sequence[int]) -> list[Raised]:
    """Exceptions of a group before it: which of them came first, and how many were alike, is chance."""
    found: list[Raised] = []
    inner: dict[str, Raised] = {}
    group: Raised | None = None
    outer = 0
    for item, depth in zip(chain, depths, strict=True):
        if group is not None and depth > outer:
            inner.setdefault(item.identity, item)
            continue
        if group is not None:
            found += [*(inner[name] for name in sorted(inner)), group]
            inner, group = {}, None
        if item.type.endswith("ExceptionGroup"):
            group, outer = item, depth
        else:
            found.append(item)
    return [*found, *(inner[name] for name in sorted(inner)), *([group] if group is not None else [])]


def _crash(lines: Sequence[str]) -> list[Raised]:
    """What the interpreter writes when it dies: innermost frames first, of the thread that died."""
    message, is_current = "", False
    frames: list[Frame] = []
    for line in lines:
        if CRASH in line:
            message = line.partition(CRASH)[2]
        elif line.startswith(("Current thread ", "Thread ", "Stack ")):
            is_current = not frames and not line.startswith("Thread ")
        elif is_current and (match := _FRAME.match(line)):
            frames.append(Frame(function=match[2] or "<module>", place=match[1]))
    return [raised("Fatal Python error", message, frames[::-1])] if message else []
