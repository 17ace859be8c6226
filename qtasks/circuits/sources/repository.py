"""A Git repository's address, taken apart strictly and put together again for git: nothing a user wrote is passed on
unread."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from qtasks.circuits.sources.hosts import authority, normal
from qtasks.errors import InvalidInput

DEFAULT_PORTS = {"https": 443, "ssh": 22}
_STRANGE = re.compile(r"[\x00-\x20\x7f-\x9f\\?#\"']")
_USER = re.compile(r"(?!-)[A-Za-z0-9_.-]{1,64}")
_SCP = re.compile(r"(?P<user>[^@:/]+)@(?P<host>[^@:/\[\]]+):(?P<path>(?![-/]).+)")
# What an ssh server's shell would read; git quotes the path, and no path of a repository needs these.
_SHELL = re.compile(r"[$`;&|<>!*(){}]")


@dataclass(frozen=True, slots=True)
class Repository:
    """Where a repository lies: over https or ssh. `home_relative` tells `user@host:path` from `ssh://user@host/path`."""

    scheme: str
    user: str
    host: str
    port: int
    path: str
    home_relative: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises InvalidInput (`InvalidSource`) for everything else: `file:`, `ext::`, options, passwords."""
        if _STRANGE.search(text) or len(text) > 2048:
            raise _invalid("The repository's address has a space, a quote, a query or a control character.")
        if scp := _SCP.fullmatch(text):
            return cls._checked("ssh", scp["user"], normal(scp["host"]), None, scp["path"], home_relative=True)
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            raise _invalid("The repository's address cannot be read.") from None
        if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
            raise _invalid("The repository's address is neither https:// nor ssh://.")
        if parts.password is not None or (parts.scheme == "https" and "@" in parts.netloc):
            raise _invalid("The repository's address holds a user or password.")
        if parts.path.strip("/") == "" or port == 0:
            raise _invalid("The repository's address names no repository.")
        return cls._checked(parts.scheme, parts.username or "", normal(parts.hostname), port, parts.path)

    @classmethod
    def _checked(
        cls, scheme: str, user: str, host: str, port: int | None, path: str, *, home_relative: bool = False
    ) -> Self:
        if user and not _USER.fullmatch(user):
            raise _invalid("The user in the repository's address is not one of ssh.")
        if scheme == "ssh" and _SHELL.search(path):
            raise _invalid("The repository's path has a character that a shell would read.")
        return cls(scheme, user, host, port or DEFAULT_PORTS[scheme], path, home_relative)

    @property
    def authority(self) -> str:
        """Host and, unless it is the scheme's own, port."""
        return authority(self.host, self.port, usual=DEFAULT_PORTS[self.scheme])

    @property
    def url(self) -> str:
        """The address as git is given it."""
        user = f"{self.user}@" if self.user else ""
        if self.home_relative:
            return f"{user}{self.host}:{self.path}"
        return f"{self.scheme}://{user}{self.authority}{self.path}"

    @property
    def shown(self) -> str:
        """The address for messages and provenance, without the user."""
        return f"{self.scheme}://{self.authority}/{self.path.lstrip('/')}"


def _invalid(message: str) -> InvalidInput:
    return InvalidInput(
        message,
        reason="InvalidSource",
        hint="Write https://host/path.git, or ssh://git@host/path.git with a secretRef.",
    )
