"""Why a connection failed: in words, by its errno values, and whether its host name resolved."""

from __future__ import annotations

import errno
import re

from proofbook.redaction.scrubbing import scrub


def describe(error: BaseException) -> str:
    """An error of the network in a few words, without secrets.

    >>> describe(ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 1)"))
    'connection refused: nothing listens there'
    """
    if errno.ECONNREFUSED in error_numbers(error):
        # Each client of the network says that in other words, and some say nothing of why.
        return "connection refused: nothing listens there"
    text = str(error) or type(error).__name__
    cause = error.__cause__ or error.__context__
    if not str(error) and cause is not None and str(cause):
        text = f"{type(error).__name__}: {cause}"
    # What a person can act upon stands behind what OpenSSL calls it and before where in its source it stood.
    of_tls = re.search(
        r"\[SSL: [A-Z0-9_]+\] (?:certificate verify failed: )?(.+?)(?: \(_ssl\.c:\d+\))?$", text
    )
    if of_tls is not None:
        text = (
            f"its certificate is not accepted: {of_tls[1]}"
            if "VERIFY_FAILED" in text
            else f"TLS: {of_tls[1]}"
        )
    return scrub(text)[:300]


def name_not_found(error: BaseException) -> bool:
    """Whether a host name did not resolve: then nobody was asked, which is an error of ours, not a failed sample."""
    text = ""
    current: BaseException | None = error
    while current is not None:
        text += f" {type(current).__name__} {current}"
        current = current.__cause__ or current.__context__
    return any(
        words in text
        for words in (
            "gaierror",
            "Name or service not known",
            "nodename nor servname",
            "Temporary failure in name resolution",
            "No address associated",
        )
    )


def error_numbers(error: BaseException | None) -> set[int]:
    """The numbers of the system in an error, in its causes, and in those that it stands for.

    >>> error_numbers(ExceptionGroup("two addresses", [ConnectionRefusedError(111, "no"), OSError(101, "none")])) == {111, 101}
    True
    """
    found: set[int] = set()
    while error is not None:
        if isinstance(error, BaseExceptionGroup):
            found |= set[int]().union(*map(error_numbers, error.exceptions))
        number = getattr(error, "errno", None)
        found |= {number} if isinstance(number, int) else set()
        error = error.__cause__ or error.__context__
    return found
