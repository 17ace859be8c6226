"""What every object store does, and what a key may look like."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from qtasks.errors import InvalidInput, NotFound, Unavailable

_SEGMENT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")
_PARTIAL = re.compile(r"[A-Za-z0-9._-]{0,200}")
_MAX_KEY = 800


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as a walk finds it."""

    key: str
    written_at: datetime
    """When it was last written, in UTC, by the store's clock."""


class ObjectStore(Protocol):
    """Objects of bytes under keys such as `completed/default/<job>/result.json`.

    A key is one or more segments of `A-Z a-z 0-9 . _ -` joined by `/`; a segment has at most 200 characters and does
    not begin with a dot, a key has at most 800. No key may be the folder of another (`a` and `a/b`). A wrong key
    raises InvalidInput (`InvalidObjectKey`), no access Forbidden (`ObjectStoreForbidden`), a store that does not
    answer or is full Unavailable (`ObjectStoreUnavailable`). Safe for any number of threads and processes, and across
    forks.
    """

    @property
    def url(self) -> str:
        """Where the objects are; holds no credential."""

    def put(self, key: str, data: bytes) -> None:
        """Store `data`, all of it or nothing, over what was there; when this returns, it survives a power cut."""

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """`length` bytes from byte `offset`; fewer, or none, where the object ends before; to its end when None.

        Raises NotFound (`ObjectNotFound`).
        """

    def delete(self, key: str) -> None:
        """Remove the object; one that is not there is fine."""

    def exists(self, key: str) -> bool:
        """Whether there is an object."""

    def list(self, prefix: str = "") -> Iterator[str]:
        """Keys that begin with `prefix` (a string, not a folder), in the order of their bytes.

        An object written or deleted while this runs may or may not be among them.
        """

    def walk(self, prefix: str = "", *, after: str = "") -> Iterator[Stored]:
        """As `list`, with what is known of each; only keys behind `after`, which need not be there."""

    def check(self) -> None:
        """Write, read and delete a small object under `probe/`; raises what is wrong."""


def valid_key(key: str) -> str:
    """`key`, or InvalidInput (`InvalidObjectKey`)."""
    if len(key) > _MAX_KEY or not all(_SEGMENT.fullmatch(segment) for segment in key.split("/")):
        raise InvalidInput(
            f"{key[:200]!r} is not an object key.",
            reason="InvalidObjectKey",
            hint="Use segments of letters, digits, `_`, `-` and `.` (not first), joined by `/`.",
        )
    return key


def is_key(name: str) -> bool:
    """Whether `name`, found in a store, is a key that qtasks could have written."""
    return len(name) <= _MAX_KEY and all(_SEGMENT.fullmatch(segment) for segment in name.split("/"))


def valid_prefix(prefix: str) -> str:
    """`prefix`, or InvalidInput (`InvalidObjectKey`): whole segments, then perhaps the beginning of one."""
    *whole, last = prefix.split("/")
    if whole:
        valid_key("/".join(whole))
    if not _PARTIAL.fullmatch(last) or last.startswith("."):
        raise InvalidInput(f"{prefix[:200]!r} is not the beginning of an object key.", reason="InvalidObjectKey")
    return prefix


def valid_range(offset: int, length: int | None) -> None:
    """Refuse a range that counts backwards: InvalidInput (`InvalidRange`)."""
    if offset < 0 or (length is not None and length < 0):
        raise InvalidInput(f"Offset {offset} and length {length} must not be negative.", reason="InvalidRange")


def not_found(store: ObjectStore, key: str) -> NotFound:
    return NotFound(f"There is no object {key} in {store.url}.", reason="ObjectNotFound")


def probe(store: ObjectStore) -> None:
    """`check()` of every store."""
    key, data = f"probe/{secrets.token_hex(8)}", secrets.token_bytes(64)
    store.put(key, data)
    try:
        answer = store.get(key)
    finally:
        store.delete(key)
    if answer != data:
        raise Unavailable(
            f"The object store {store.url} gave back other bytes than were put in.", reason="ObjectStoreUnavailable"
        )
