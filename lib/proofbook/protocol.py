"""What close codes mean (RFC 6455)."""

from __future__ import annotations

from enum import StrEnum

_WITH_HEADER = "tampered with "


class TokenKind(StrEnum):
    """With what, or where, a connection was tried: the values of `token_kind` but those of `tampered_with`."""

    GOOD = "good"
    AS_A_USER = "good, as a user"
    AT_UNKNOWN_PATH = "good, at a path that must not exist"
    MISSING = "missing"
    TAMPERED = "tampered"
    EXPIRED = "expired"
    WRONG_AUDIENCE = "wrong-audience"

    @property
    def is_good(self) -> bool:
        return self in (TokenKind.GOOD, TokenKind.AS_A_USER, TokenKind.AT_UNKNOWN_PATH)


GOOD_KINDS = tuple(kind for kind in TokenKind if kind.is_good)


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
