"""The last defence of secrets: what looks like one is taken out of a line before the line is written. Pure.

No message is meant to contain a secret. A library's exception, which nobody here worded, may.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote, urlsplit

HIDDEN = "***"
_SHORTEST = 8
"""Letters that a known secret must have to be looked for: shorter ones are parts of words."""

# Everything is bounded: a line may be long, and of anybody's making.
_NAME = r"[\w.-]{0,64}(?:password|passwd|secret|token|api[_-]?key|access[_-]?key|signature|credential)[\w.-]{0,64}"
_CALLED = re.compile(_NAME, re.IGNORECASE)
# What each keeps of its match stands in group 1.
_PATTERNS = tuple(
    re.compile(pattern, flags)
    for pattern, flags in (
        # The password of an address: up to the last @ before a blank, for a password may have one too. Not a port's
        # number with what follows.
        (
            r"(\b[a-z][a-z0-9+.-]{0,30}://[^\s:/@?#\"']{0,256}:)(?!\d{1,5}(?:[/;,?#\s\"']|$))"
            r"[^\s\"'<>]{0,512}(?=@)",
            re.IGNORECASE,
        ),
        # Private keys, whole.
        (r"(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?=-----END|\Z)", re.DOTALL),
        # Headers and their values, and tokens by their schemes.
        (r"((?:proxy-)?authorization[\"']?\s*[:=]\s*[\"']?(?:(?:bearer|basic|apikey)\s+)?)[^\s\"',;]+", re.IGNORECASE),
        (r"(\bbearer\s+)[A-Za-z0-9._~+/=-]{16,}", re.IGNORECASE),
        (r"(\b[Bb](?:asic|ASIC)\s+)(?=[A-Za-z0-9+/]*[A-Z0-9])[A-Za-z0-9+/]{12,}={0,2}", 0),
        # What is called a secret, as `name=value` or in JSON.
        (rf"(\b{_NAME}(?:=|[\"']\s*[:=]\s*)[\"']?)[^\s\"',;&)}}\]]+", re.IGNORECASE),
        # Tokens by their form: ours, JSON web tokens, keys of AWS.
        (r"(\bqtk_)[A-Za-z0-9_-]{20,}", 0),
        (r"(\beyJ)[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?", 0),
        (r"(\b(?:AKIA|ASIA))[A-Z0-9]{16}\b", 0),
        (
            r"()(?<![A-Za-z0-9/+=_.-])(?=[A-Za-z0-9/+]{0,39}[A-Z])(?=[A-Za-z0-9/+]{0,39}[a-z])(?=[A-Za-z0-9/+]{0,39}[0-9])"
            r"[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=_.-])",
            0,
        ),
    )
)


class Redaction:
    """Takes secrets out of texts: those that are known, and whatever looks like one."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        found = sorted({secret for secret in known if len(secret) >= _SHORTEST}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, found))) if found else None

    def text(self, text: str) -> str:
        """`text` with `***` in place of secrets."""
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        for pattern in _PATTERNS:
            text = pattern.sub(rf"\1{HIDDEN}", text)
        return text

    def value(self, value: Any) -> Any:
        """`value` with every text in it redacted, keys included; other things that are not plain become text."""
        if isinstance(value, str):
            return self.text(value)
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, dict):
            return {self.text(str(key)): self.named(str(key), each) for key, each in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self.value(each) for each in value]
        return self.text(str(value))

    def named(self, key: str, value: Any) -> Any:
        """`value`, that stands under a name: what is called a secret is one."""
        return HIDDEN if isinstance(value, str) and _CALLED.fullmatch(key) else self.value(value)


def passwords(*addresses: str) -> list[str]:
    """The passwords in these addresses, as they stand there and as they are meant."""
    found = []
    for address in addresses:
        try:
            password = urlsplit(address).password
        except ValueError:
            continue
        if password:
            found += [password, unquote(password)]
    return found
