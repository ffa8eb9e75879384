"""Secrets: held without being shown, and scrubbed from whatever is about to be written."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import Any

MASK = "[redacted]"

# (pattern, replacement), in a dialect that Python's `re` and RE2 share, so that tables of any size are scrubbed alike.
# The first is a JWT, whoever issued it: dot-separated base64url parts that start like a JSON object.
RULES = (
    (r"eyJ[A-Za-z0-9_-]{5,}\.eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*", MASK),
    (r"(?i)(\bbearer\s+|\bjwt\.)[A-Za-z0-9._~+/=-]{16,}", rf"\1{MASK}"),
    (r"(?i)([a-z][a-z0-9+.-]*://[^\s:/@]+:)[^\s@/]+(@)", rf"\1{MASK}\2"),
    (
        r"(?i)(\b(?:password|passwd|secret|api[_-]?key|access[_-]?token|client[_-]?secret)\b[\"']?\s*[=:]\s*[\"']?)[^\s\"'&,;]{6,}",
        rf"\1{MASK}",
    ),
)
# Matches wherever one of the rules may; most text is done with after this one look.
SUSPECT = r"(?i:eyJ|bearer|jwt\.|://[^/\s]*@|password|passwd|secret|api[_-]?key|access[_-]?token)"
_RULES = [(re.compile(pattern), replacement) for pattern, replacement in RULES]
_SUSPECT = re.compile(SUSPECT)


class Secret:
    """A value that shows itself only when asked by `reveal()`.

    >>> Secret("hunter2-hunter2")
    Secret([redacted])
    >>> str(Secret("hunter2-hunter2"))
    '[redacted]'
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value
        _KNOWN.add(value)

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __reduce__(self) -> Any:
        raise TypeError("a Secret is not pickled; pass its reference instead")


# Every secret that this process resolved: scrubbing needs the values, and nothing else may read them.
_KNOWN: set[str] = set()


def known_secrets() -> frozenset[str]:
    """The values resolved so far in this process, short ones (under 6 characters) left out as they would mask words."""
    return frozenset(value for value in _KNOWN if len(value) >= 6)


def scrub(text: str, *, secrets: Iterable[str] | None = None) -> str:
    """`text` without known secrets and without what looks like one (JWTs, bearer tokens, passwords in URLs).

    >>> scrub("GET /ws Authorization: Bearer abcdefghijklmnopqrstuvwxyz")
    'GET /ws Authorization: Bearer [redacted]'
    >>> scrub("postgres://app:s3cr3t@db/x")
    'postgres://app:[redacted]@db/x'
    """
    for value in sorted(known_secrets() if secrets is None else secrets, key=len, reverse=True):
        if value in text:
            text = text.replace(value, MASK)
    if _SUSPECT.search(text):
        for pattern, replacement in _RULES:
            text = pattern.sub(replacement, text)
    return text


def scrub_value(value: Any) -> Any:
    """`scrub` applied to every string inside lists and dicts; other values come back as they are."""
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, dict):
        return {key: scrub_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [scrub_value(item) for item in value]
    return value


class _ScrubbingStream:
    """Wraps a text stream so that a printed secret is masked before it leaves the kernel."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(scrub(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def guard_kernel() -> None:
    """Inside a notebook kernel: mask secrets in printed text and in tracebacks. Elsewhere: nothing."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is None or getattr(shell, "_proofbook_guarded", False):
        return
    sys.stdout = _ScrubbingStream(sys.stdout)
    sys.stderr = _ScrubbingStream(sys.stderr)
    show = shell._showtraceback

    def show_scrubbed(etype: Any, evalue: Any, stb: list[str]) -> None:
        show(etype, Exception(scrub(str(evalue))), [scrub(line) for line in stb])

    shell._showtraceback = show_scrubbed
    shell._proofbook_guarded = True
