"""Keyed fingerprints of what was sent: two runs of an environment compare them, and nobody else can read them.

They are made with a key that stays in the environment's folder of runs: it is in no run, and is sent nowhere. Who has a run,
and guesses a token, cannot find out whether the guess is right.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

FILE = "fingerprints.key"
_KEY_BYTES = 32
# Enough that no two of a few thousand are equal by chance.
_DIGITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprints:
    """Makes fingerprints; empty ones without a key, which are equal to nothing."""

    key: bytes = b""

    @classmethod
    def of(cls, folder: Path) -> Fingerprints:
        """By the key in an environment's folder of runs, made where there is none yet; without one where it cannot be read or made."""
        path = folder / FILE
        with contextlib.suppress(OSError):
            made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(made, "wb", buffering=0) as file:
                file.write(secrets.token_bytes(_KEY_BYTES))
        with contextlib.suppress(OSError):
            with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
                key = file.read(_KEY_BYTES + 1)
            # One that another run is writing, or that was cut by a full disk, is none.
            return cls(key=key if len(key) == _KEY_BYTES else b"")
        return cls()

    def __call__(self, *parts: str) -> str:
        """The fingerprint of these texts, in this order."""
        if not self.key:
            return ""
        text = "".join(f"{len(part)}:{part}" for part in parts).encode("utf-8", "surrogatepass")
        return hmac.new(self.key, text, hashlib.sha256).hexdigest()[:_DIGITS]
