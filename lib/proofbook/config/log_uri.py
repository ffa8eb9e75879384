"""Where a log lies, by a short name: `gcp:project/service`, `k8s:namespace/selector`, `loki:http://host:3100{app="x"}`, a file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

KINDS = {
    "gcp": "gcp:PROJECT/SERVICE",
    "k8s": "k8s:NAMESPACE/SELECTOR",
    "docker": "docker:CONTAINER",
    "journald": "journald:UNIT",
    "loki": "loki:URL{…}",
}
# What Google, Kubernetes, Docker and systemd allow in names; so that none is taken for an option or ends a quoted text.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@-]*")
_SELECTOR = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.,=!/() -]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPlace:
    """kind: a key of KINDS, `file`, or `-` for standard input. first, second: the parts of the name, in its order.

    folder: of journald alone: the folder of the journal, empty for the machine's own.
    """

    kind: str
    first: str
    second: str = ""
    folder: str = ""


def parse(text: str) -> LogPlace:
    """The place that a short name means.

    Raises:
        ValueError: it is none.

    >>> parse("gcp:example-staging/backend").second
    'backend'
    >>> parse('loki:http://localhost:3100{app="backend"}').second
    '{app="backend"}'
    >>> parse("logs/*.json").kind
    'file'
    """
    if text == "-":
        return LogPlace(kind="-", first="-")
    kind, colon, rest = text.partition(":")
    if not colon or not re.fullmatch(r"[a-z][a-z0-9+]+", kind):
        if not text.strip():
            raise ValueError(f"expected {_known()}, got nothing")
        return LogPlace(kind="file", first=text)
    if kind not in KINDS:
        raise ValueError(f"expected {_known()}, got {text!r}")
    wanted = ValueError(f"expected {KINDS[kind]}, got {text!r}")
    if kind == "loki":
        url, brace, query = rest.partition("{")
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or not (brace and "}" in query):
            raise wanted
        if parts.username or parts.password:
            raise ValueError(
                f"expected {KINDS[kind]} without a password in it; set LOKI_USERNAME and LOKI_PASSWORD, or LOKI_BEARER_TOKEN"
            )
        return LogPlace(kind=kind, first=url.rstrip("/"), second=brace + query)
    if kind in ("gcp", "k8s"):
        first, slash, second = rest.partition("/")
        if not slash or not _NAME.fullmatch(first):
            raise wanted
        if not (_SELECTOR if kind == "k8s" else _NAME).fullmatch(second):
            raise wanted
        return LogPlace(kind=kind, first=first, second=second)
    name, _, folder = rest.partition("?directory=")
    if not _NAME.fullmatch(name) or (folder and kind != "journald"):
        raise wanted
    return LogPlace(kind=kind, first=name, folder=folder)


def is_file(text: str) -> bool:
    """Whether a short name is that of a file or of files.

    >>> is_file("logs/*.json"), is_file("docker:api"), is_file("-")
    (True, False, False)
    """
    try:
        return parse(text).kind == "file"
    except ValueError:
        return False


def _known() -> str:
    return f"{', '.join(KINDS.values())}, a file, a pattern of files, or -"
