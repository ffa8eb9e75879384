"""What the auth service signs and the backend checks."""

from __future__ import annotations

import os
import time

import jwt

AUDIENCE = "proofbook-rehearsal"
ISSUER = "rehearsal-auth"
KEY_VARIABLE = "REHEARSAL_JWT_KEY"


def issue(user_id: str, *, lifetime_s: float = 3600.0, audience: str = AUDIENCE) -> str:
    """A signed token for `user_id`; a negative lifetime makes one that has expired."""
    now = time.time()
    return jwt.encode(
        {"sub": user_id, "aud": audience, "iss": ISSUER, "iat": int(now), "exp": int(now + lifetime_s)},
        os.environ[KEY_VARIABLE],
        algorithm="HS256",
    )


def check(token: str, *, expiry: bool = True, audience: bool = True) -> str:
    """The user id that a token was issued for. What is switched off is not looked at: two of the seeded faults.

    Raises:
        jwt.InvalidTokenError: not ours, altered, expired, or meant for another audience.
    """
    claims = jwt.decode(
        token,
        os.environ[KEY_VARIABLE],
        algorithms=["HS256"],
        audience=AUDIENCE,
        issuer=ISSUER,
        options={"verify_exp": expiry, "verify_aud": audience},
    )
    return str(claims["sub"])
