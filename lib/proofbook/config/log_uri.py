"""Where a log lies, by a short name: `gcp:project/service`, `k8s:namespace/selector`, `loki:http://host:3100{app="x"}`, a file.

What stands before the colon is a log source of LOG_SOURCES, to which other packages add theirs.
"""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from proofbook.errors import ExtensionError
from proofbook.registry import Registry

# What Google, Kubernetes, Docker and systemd allow in names; so that none is taken for an option or ends a quoted text.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@-]*")
_SCHEME = re.compile(r"[a-z][a-z0-9+]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPlace:
    """A log by its short name.

    scheme: the name of its log source; `file` or `-` (standard input) of what is here already.
    parts: what the rest of the name says, such as project and service; of a file its path.
    """

    scheme: str
    shown: str
    parts: Mapping[str, str]

    @property
    def is_here(self) -> bool:
        """Whether it need not be fetched."""
        return self.scheme in ("file", "-")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSourceKind:
    """A kind of log source: what its short names look like, and how its logs are read.

    One of the three ways to read is stated, as a function of a LogPlace and a `collect.logs.sources.LogRequest`, or as
    `module:attribute`, which is imported when a log is read.

    Args:
        usage: a short name as it is shown in messages, such as `gcp:PROJECT/SERVICE`.
        parse: the parts of what stands after the colon, by name. It raises ValueError where that is none, which may say why.
        entries: gives the entries, oldest first, as JSON objects or as lines of text.
        server: gives a `collect.logs.sources.Server`, which is asked page by page, and again later where it is busy.
        commands: gives `collect.logs.sources.Command`s, whose output is the log.
    """

    usage: str
    parse: Callable[[str], Mapping[str, str]]
    entries: str | Callable[..., Any] | None = None
    server: str | Callable[..., Any] | None = None
    commands: str | Callable[..., Any] | None = None

    def __post_init__(self) -> None:
        stated = [name for name in ("entries", "server", "commands") if getattr(self, name) is not None]
        if len(stated) != 1:
            raise ValueError(
                f"expected one of entries, server, commands for {self.usage}, got {' and '.join(stated) or 'none'}"
            )

    def way(self) -> tuple[str, Callable[..., Any]]:
        """How it is read (`entries`, `server` or `commands`), and the function, imported now."""
        for name in ("entries", "server", "commands"):
            found = getattr(self, name)
            if isinstance(found, str):
                module, _, attribute = found.partition(":")
                return name, getattr(importlib.import_module(module), attribute)
            if found is not None:
                return name, found
        raise AssertionError("one is stated")


LOG_SOURCES = Registry(
    "log source",
    group="proofbook.log_sources",
    own={
        "gcp": "proofbook.collect.logs.servers:GCP",
        "k8s": "proofbook.collect.logs.commands:K8S",
        "docker": "proofbook.collect.logs.commands:DOCKER",
        "journald": "proofbook.collect.logs.commands:JOURNALD",
        "loki": "proofbook.collect.logs.servers:LOKI",
    },
    wanted=LogSourceKind,
)


def parse(text: str) -> LogPlace:
    """The place that a short name means.

    Raises:
        ValueError: it is none. ExtensionError: what another package registers for it cannot be used.

    >>> parse("gcp:example-staging/backend").parts["service"]
    'backend'
    >>> parse('loki:http://localhost:3100{app="backend"}').parts["selector"]
    '{app="backend"}'
    >>> parse("logs/*.json").scheme
    'file'
    """
    if text == "-":
        return LogPlace(scheme="-", shown="standard input", parts={})
    scheme, colon, rest = text.partition(":")
    if not colon or not _SCHEME.fullmatch(scheme):
        if not text.strip():
            raise ValueError(f"expected {_known()}, got nothing")
        return LogPlace(scheme="file", shown=text, parts={"path": text})
    if scheme not in LOG_SOURCES:
        near = difflib.get_close_matches(scheme, LOG_SOURCES.names(), n=1)
        raise ValueError(
            f"expected {_known()}, got {text!r}" + (f"; did you mean {near[0]}:?" if near else "")
        )
    return LogPlace(scheme=scheme, shown=text, parts=_parts(scheme, rest, text))


def _parts(scheme: str, rest: str, text: str) -> Mapping[str, str]:
    kind = LOG_SOURCES.get(scheme)
    try:
        parts = kind.parse(rest)
    except ValueError as error:
        # What a parser says may be about a secret in the text, which is not shown then.
        raise ValueError(
            f"expected {kind.usage}: {error}" if str(error) else f"expected {kind.usage}, got {text!r}"
        ) from None
    # Whatever the code of somebody else raises.
    except Exception as error:
        raise LOG_SOURCES.failed(
            scheme, f"it cannot parse a short name ({type(error).__name__}: {error})"
        ) from error
    if not isinstance(parts, Mapping):
        raise LOG_SOURCES.failed(
            scheme, f"expected the parts of a short name by their names, got {type(parts).__name__}"
        )
    return parts


def problem(text: str) -> str:
    """Why a text is no short name of a log; empty where it is one, or where that cannot be known.

    What another package registers and cannot be used is found when the log is read: everything else goes on.
    """
    try:
        parse(text)
    except ValueError as error:
        return str(error)
    except ExtensionError:
        pass
    return ""


def is_file(text: str) -> bool:
    """Whether a short name is that of a file or of files.

    >>> is_file("logs/*.json"), is_file("docker:api"), is_file("-")
    (True, False, False)
    """
    scheme, colon, _ = text.partition(":")
    return bool(text.strip()) and text != "-" and not (colon and _SCHEME.fullmatch(scheme))


def usages() -> list[str]:
    """The short names of every log source, as they are shown; of one that cannot be used its scheme alone."""
    usable, _ = LOG_SOURCES.usable()
    return [usable[name].usage if name in usable else f"{name}:…" for name in LOG_SOURCES.names()]


def _known() -> str:
    return f"{', '.join(usages())}, a file, a pattern of files, or -"
