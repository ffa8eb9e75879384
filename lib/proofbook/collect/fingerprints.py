"""Keyed fingerprints of what was sent: two runs of an environment compare them, and nobody else can read them.

They are made with a key that stays in the environment's folder of runs: it is in no run, and is sent nowhere. Who has a run,
and guesses a token, cannot find out whether the guess is right.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import logging
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from proofbook import paths
from proofbook.files import UNFINISHED, replace

logger = logging.getLogger(__name__)
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
        """By the key in an environment's folder of runs, made where there is none or a part of one; without one where it cannot be read or made."""
        path = folder / FILE
        with contextlib.suppress(OSError):
            if path.lstat().st_size < _KEY_BYTES and path.is_file() and not path.is_symlink():
                logger.warning("%s was cut short and is made anew: what earlier runs sent cannot be compared with this one", paths.shown(path))  # fmt: skip
                path.unlink()
        with contextlib.suppress(OSError):
            _make(path)
        with contextlib.suppress(OSError):
            with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
                key = file.read(_KEY_BYTES + 1)
            # A longer one is not ours.
            return cls(key=key if len(key) == _KEY_BYTES else b"")
        return cls()

    def __call__(self, *parts: str) -> str:
        """The fingerprint of these texts, in this order."""
        if not self.key:
            return ""
        text = "".join(f"{len(part)}:{part}" for part in parts).encode("utf-8", "surrogatepass")
        return hmac.new(self.key, text, hashlib.sha256).hexdigest()[:_DIGITS]


def _make(path: Path) -> None:
    """Writes a key, whole or not at all, where there is none; one that another run makes meanwhile stays."""
    if os.path.lexists(path):
        return
    aside = path.with_name(f".{FILE}.{secrets.token_hex(8)}{UNFINISHED}")
    replace(aside, secrets.token_bytes(_KEY_BYTES), mode=0o600)
    try:
        # Unlike a new name, a link takes no other's place.
        os.link(aside, path)
    except FileExistsError:
        pass
    except OSError:
        # A file system without links.
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
