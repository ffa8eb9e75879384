"""Kinds of token that probes show, how a server says that it refuses one, and what is noted where it says nothing."""

from __future__ import annotations

from enum import StrEnum

# How a server says that it refuses a token: statuses of the upgrade, and close codes (policy violation, those that IANA lists for it,
# and what resembles 401, 403).
REFUSED_STATUS = (401, 403)
REFUSED_CODES = (1008, 3000, 3003, 4401, 4403)
# How it says that there are too many at once: too many requests, unavailable, and “try again later”.
FULL_STATUS = (429, 503)
FULL_CODES = (1013,)
# Codes by which it says that it will not have a message: too big, against its policy, and those of applications.
TURNED_DOWN_CODES = (1008, 1009, *range(3000, 5000))
# Who is told that a connection is over has so long to say the same, or to end it.
CLOSED_WITHIN_S = 2.0

# The words of a server that saw no Upgrade header, whatever its status: we send one, so it was lost on the way.
UPGRADE_UNSEEN = (
    r"\bupgrade\b.{0,20}\b(?:hdr|header|missing|not found)\b|\b(?:no|missing|without)\b.{0,20}\bupgrade\b"
)

_WITH_HEADER = "tampered with "


class TokenKind(StrEnum):
    """With what, or where, a connection was tried: the values of `token_kind` but those of `tampered_with`."""

    GOOD = "good"
    AS_A_USER = "good, as a user"
    AS_A_BROWSER = "good, as a browser"
    UNCOMPRESSED = "good, without compression"
    AT_UNKNOWN_PATH = "good, at a path that must not exist"
    MISSING = "missing"
    TAMPERED = "tampered"
    EXPIRED = "expired"
    WRONG_AUDIENCE = "wrong-audience"
    UNSIGNED = "unsigned"
    OTHER_KEY = "signed with another key"
    WITHOUT_RIGHT = "of a user without the right"

    @property
    def is_good(self) -> bool:
        return self in (TokenKind.GOOD, TokenKind.AT_UNKNOWN_PATH) or self.is_unmarked

    @property
    def is_unmarked(self) -> bool:
        """Whether it is shown by a client that does not say that it is a probe."""
        return self in (TokenKind.AS_A_USER, TokenKind.AS_A_BROWSER, TokenKind.UNCOMPRESSED)

    @classmethod
    def is_good_kind(cls, kind: str) -> bool:
        """Whether a value of `token_kind` is one of a good token.

        >>> TokenKind.is_good_kind("good"), TokenKind.is_good_kind("tampered with X-Test-User")
        (True, False)
        """
        return kind in list(cls) and cls(kind).is_good


# Kinds of request for a page that do not say that they are probes: with no header of ours, and as a browser.
UNMARKED_PAGE_KINDS = ("as a user", "as a browser")
GOOD_KINDS = tuple(kind for kind in TokenKind if kind.is_good)
UNMARKED_KINDS = tuple(kind for kind in TokenKind if kind.is_unmarked)


def names_refusal(http_status: int | None, close_code: int | None) -> bool:
    """Whether a status of the upgrade or a close code says that the token was refused.

    >>> names_refusal(403, None), names_refusal(101, 4401), names_refusal(101, 1011)
    (True, True, False)
    """
    return http_status in REFUSED_STATUS or close_code in REFUSED_CODES


def tampered_with(header: str) -> str:
    """The kind of a tampered token that is shown beside a header that only tests send.

    >>> tampered_with("X-Test-User")
    'tampered with X-Test-User'
    """
    return _WITH_HEADER + header


def shows_test_header(kind: str) -> bool:
    """Whether a kind is one of `tampered_with`.

    >>> shows_test_header(tampered_with("X-Test-User")), shows_test_header(TokenKind.TAMPERED)
    (True, False)
    """
    return kind.startswith(_WITH_HEADER)
