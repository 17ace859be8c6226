"""Who may use Flower: the users of a file, and nobody from afar where there is none."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from qtasks.errors import InvalidInput

_FORM = "Write a line `user:password` for each who may use Flower; lines that begin with # are left out."


def users_of(path: Path) -> list[str]:
    """The lines `user:password` of a file, ASCII. Raises InvalidInput (`InvalidSettings`), with nothing of its text."""
    try:
        lines = path.read_text("ascii").splitlines()
    except OSError as error:
        said = f"{path} cannot be read: {error.strerror}."
        raise InvalidInput(said, reason="InvalidSettings", hint="Correct QTASKS_FLOWER_AUTH_FILE.") from None
    except UnicodeDecodeError:
        raise InvalidInput(f"{path} is not ASCII.", reason="InvalidSettings", hint=_FORM) from None
    users = []
    for number, line in enumerate(map(str.strip, lines), start=1):
        if not line or line.startswith("#"):
            continue
        user, _, password = line.partition(":")
        if not user or not password:
            raise InvalidInput(f"Line {number} of {path} is no user:password.", reason="InvalidSettings", hint=_FORM)
        users.append(line)
    if not users:
        raise InvalidInput(f"{path} names nobody.", reason="InvalidSettings", hint=_FORM)
    return users


def require_protected(address: str, *, users: bool, insecure: bool) -> None:
    """Raise InvalidInput (`FlowerUnprotected`) for an address that others reach, where anybody could stop tasks and
    workers."""
    if users or insecure or _loopback(address):
        return
    raise InvalidInput(
        f"Flower would let anybody who reaches {address} look at tasks and stop workers.",
        reason="FlowerUnprotected",
        hint="Name a file of users (--basic-auth-file, QTASKS_FLOWER_AUTH_FILE), listen on 127.0.0.1, or say --insecure"
        " where something before it asks who comes.",
    )


def _loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
