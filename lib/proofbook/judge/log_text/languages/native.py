"""C and C++: exceptions that nobody caught, and what the sanitizers report."""

from __future__ import annotations

import re
from collections.abc import Sequence

from proofbook.judge.log_text.frames import Frame, Raised, raised

_TERMINATE = re.compile(r"terminate called after throwing an instance of '([^']+)'")
_WHAT = re.compile(r"^\s*what\(\): +(.*)$")
_SANITIZER = re.compile(r"==(?:\d+|#)==\s*(?:ERROR|WARNING): (\w+Sanitizer): ([\w-]+)(.*)$")
_FRAME = re.compile(
    r"^\s*#\d+ 0x[0-9a-f]+ (?:in )?(?:(\S.*?) )?(\(?/?[^\s()]+)(?::\d+)*\)?(?: \(BuildId: .*\))?$"
)


def is_one(line: str) -> bool:
    """Whether a line begins such a report."""
    return bool(_TERMINATE.search(line) or _SANITIZER.search(line))


def read(lines: Sequence[str]) -> list[Raised]:
    """What ended the program, as the only exception."""
    kind = message = ""
    frames: list[Frame] = []
    for line in lines:
        if found := _TERMINATE.search(line):
            kind = found[1]
        elif kind and not message and (found := _WHAT.match(line)):
            message = found[1]
        elif not kind and (found := _SANITIZER.search(line)):
            kind, message = found[2], f"{found[1]}:{found[3]}".strip()
        elif kind and (found := _FRAME.match(line)):
            file = re.sub(r"(?::\d+)+$", "", found[2].lstrip("("))
            in_program = bool(re.search(r"\.(?:c|cc|cpp|cxx|h|hpp)$", file)) and "sanitizer" not in file
            function = re.sub(r"\(.*\)$", "", found[1] or "")
            frames.append(Frame(function=function, place=file, library=not in_program))
        elif frames:
            break
    return [raised(kind, message, frames[::-1])] if kind else []
