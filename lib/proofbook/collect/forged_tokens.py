"""Bad tokens made of a good one: altered, cut, lengthened, unsigned, and signed with another key."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable

from proofbook.collect import jwt

_HASHES: dict[str, Callable[[], hashlib._Hash]] = {
    "HS256": hashlib.sha256,
    "HS384": hashlib.sha384,
    "HS512": hashlib.sha512,
}
# An empty one is what a server has whose variable is not set; the others stand in examples.
_KNOWN_KEYS = (b"", b"secret", b"your-256-bit-secret", b"changeme")


# Of a shorter one a part may be too little to be sure that nobody issued it.
_LEAST_LENGTH = 16


def tamper(token: str) -> str:
    """A token that nobody issued: of a JWT the signature is altered, of any other the middle.

    >>> tamper("aaaa.bbbb.cccccccccc")
    'aaaa.bbbb.cccccAcccc'
    """
    middle = len(token) - max(1, len(token.rpartition(".")[2]) // 2)
    return token[:middle] + ("B" if token[middle] == "A" else "A") + token[middle + 1 :]


def tampered(token: str) -> list[str]:
    """A token that was altered in each of the ways that a careless comparison does not notice.

    One of the same length and another end, its beginning alone, with something behind it, and of a JWT one without its signature.

    >>> tampered("sesame-open-sesame")
    ['sesame-opAn-sesame', 'Aesame-open-sesame', 'sesame-op', 'sesame-open-sesame8Kd2']
    """
    altered = tamper(token)
    if _header_of(token) is not None:
        return [altered, token.rpartition(".")[0] + ".", f"{token}8Kd2"]
    if len(token) < _LEAST_LENGTH:
        return [altered]
    first = "B" if token[0] == "A" else "A"
    return [altered, first + token[1:], token[: len(token) // 2], f"{token}8Kd2"]


def unsigned(token: str) -> list[str]:
    """The same claims in tokens that say that they are not signed, in the ways that careless servers believe; empty of no JWT.

    >>> [base64.urlsafe_b64decode(one.split(".")[0] + "==") for one in unsigned("eyJhbGciOiJIUzI1NiJ9.e30.c2ln")][:1]
    [b'{"alg":"none"}']
    """
    header = _header_of(token)
    if header is None:
        return []
    claims = token.split(".")[1]
    return [
        f"{_part({**header, 'alg': name})}.{claims}.{signature}"
        for name, signature in (("none", ""), ("None", ""), ("NONE", ""), ("none", token.split(".")[2]))
    ]


def signed_by_another(token: str) -> list[str]:
    """The same claims signed with other keys: one that nobody knows, and those that servers have that were never given one; empty of no JWT."""
    header = _header_of(token)
    if header is None:
        return []
    name = str(header.get("alg"))
    # One that is signed with a pair of keys: a careless server believes what the token says of its algorithm.
    algorithm = name if name in _HASHES else "HS256"
    signed = f"{_part({**header, 'alg': algorithm})}.{token.split('.')[1]}"
    return [
        f"{signed}.{_encoded(hmac.new(key, signed.encode(), _HASHES[algorithm]).digest())}"
        for key in (secrets.token_bytes(32), *_KNOWN_KEYS)
    ]


def _header_of(token: str) -> dict[str, object] | None:
    """The header of a JWT; None of anything else."""
    found = jwt.read(token)
    return found[0] if found is not None and "alg" in found[0] else None


def _part(value: dict[str, object]) -> str:
    return _encoded(json.dumps(value, separators=(",", ":")).encode())


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
