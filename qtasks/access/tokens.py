"""API tokens: 32 random bytes that are shown once. What is kept is their SHA-256, and the first letters, by which their
owner tells them apart. Pure.

A plain hash is enough: nobody guesses 256 random bits, however quickly a guess can be tried.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, field

PREFIX_LENGTH = 12
_BYTES = 32
_FORM = re.compile(r"qtk_[A-Za-z0-9_-]{43}")
_PREFIX = re.compile(r"qtk_[A-Za-z0-9_-]{8}")


@dataclass(frozen=True, slots=True)
class Token:
    """A new token; its text is in no repr."""

    text: str = field(repr=False)

    @property
    def digest(self) -> str:
        return digest(self.text)

    @property
    def prefix(self) -> str:
        return self.text[:PREFIX_LENGTH]


def new_token() -> Token:
    """A token nobody has: `qtk_` and 32 random bytes in base64url."""
    return Token(f"qtk_{secrets.token_urlsafe(_BYTES)}")


def digest(text: str) -> str:
    """The SHA-256 that the database has of a token, in 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def is_token(text: str) -> bool:
    """Whether a text has the form of a token; anything else may be another service's secret."""
    return _FORM.fullmatch(text) is not None


def is_prefix(text: str) -> bool:
    return _PREFIX.fullmatch(text) is not None
