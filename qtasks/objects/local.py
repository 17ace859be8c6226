"""Objects as files in a folder of this machine (or of a file system that machines share)."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from qtasks.errors import Forbidden, InvalidInput, Unavailable
from qtasks.objects.protocol import Stored, is_key, not_found, probe, valid_key, valid_prefix, valid_range


class LocalStore:
    """An ObjectStore in `root`, which is made (for its owner only) when it is first written to.

    A file is written beside its place under a name that no key can have (`.tmp-…`), flushed, renamed, and the folder
    flushed, so a killed writer leaves nothing to see and a power cut takes nothing that was promised.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._root = Path(root)

    @property
    def url(self) -> str:
        return self._root.as_uri()

    def put(self, key: str, data: bytes) -> None:
        target = self._path(key)
        # A deletion may prune the folder between its making and its use: make it again.
        for _ in range(100):
            try:
                with self._errors(key):
                    self._make_folder(target.parent)
                    _write(target, data)
                return
            except FileNotFoundError:
                continue
            except (NotADirectoryError, IsADirectoryError):
                raise InvalidInput(
                    f"{key} cannot be an object: it is the folder of another, or another is its folder.",
                    reason="InvalidObjectKey",
                ) from None
        raise Unavailable(f"The folder of {key!r} in {self.url} keeps vanishing.", reason="ObjectStoreUnavailable")

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        target = self._path(key)
        valid_range(offset, length)
        try:
            with self._errors(key), target.open("rb") as file:
                file.seek(offset)
                return file.read(-1 if length is None else length)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise not_found(self, key) from None

    def delete(self, key: str) -> None:
        target = self._path(key)
        try:
            with self._errors(key):
                target.unlink()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return
        with suppress(OSError):  # not empty, or pruned by another
            for folder in target.parents:
                if folder == self._root:
                    break
                folder.rmdir()

    def exists(self, key: str) -> bool:
        target = self._path(key)
        with self._errors(key):
            return target.is_file()

    def list(self, prefix: str = "") -> Iterator[str]:
        return self._walk(valid_prefix(prefix).rpartition("/")[0], prefix, "")

    def walk(self, prefix: str = "", *, after: str = "") -> Iterator[Stored]:
        return self._stored(self._walk(valid_prefix(prefix).rpartition("/")[0], prefix, after))

    def check(self) -> None:
        probe(self)

    def _path(self, key: str) -> Path:
        return self._root / valid_key(key)

    def _stored(self, keys: Iterator[str]) -> Iterator[Stored]:
        for key in keys:
            try:
                with self._errors(key):
                    seconds = self._path(key).stat().st_mtime
            except (FileNotFoundError, NotADirectoryError):
                continue
            yield Stored(key, datetime.fromtimestamp(seconds, UTC))

    def _walk(self, folder: str, prefix: str, after: str) -> Iterator[str]:
        try:
            with self._errors(folder), os.scandir(self._root / folder) as entries:
                # A folder sorts as its keys do, with the slash: `a-b`, `a.b`, `a/b`.
                names = sorted(entry.name + "/" * entry.is_dir() for entry in entries)
        except (FileNotFoundError, NotADirectoryError):
            return
        for name in names:
            key = f"{folder}/{name}" if folder else name
            if name.endswith("/"):
                behind = key > after or after.startswith(key)
                if behind and is_key(key[:-1]) and (key.startswith(prefix) or prefix.startswith(key)):
                    yield from self._walk(key[:-1], prefix, after)
            elif key > after and key.startswith(prefix) and is_key(key):
                yield key

    def _make_folder(self, folder: Path) -> None:
        """Make `folder` and what is missing above it, each flushed into the folder that holds it."""
        if folder.is_dir():
            return
        if folder == self._root:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _flush_folder(folder.parent)
            return
        self._make_folder(folder.parent)
        with suppress(FileExistsError):
            folder.mkdir()
        _flush_folder(folder.parent)

    @contextmanager
    def _errors(self, key: str) -> Iterator[None]:
        """Say what the system's answer means; what depends on the operation is left to it."""
        try:
            yield
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise
        except PermissionError as error:
            raise Forbidden(
                f"The object store {self.url} refused {key!r}: {error.strerror}.",
                reason="ObjectStoreForbidden",
                hint="Give the user that runs this process read and write access to the folder.",
            ) from None
        except OSError as error:
            raise Unavailable(
                f"The object store {self.url} failed at {key!r}: {error.strerror}.",
                reason="ObjectStoreUnavailable",
                hint="Make room on the disk." if error.errno in (errno.ENOSPC, errno.EDQUOT) else "",
            ) from None


def _write(target: Path, data: bytes) -> None:
    temporary = target.with_name(f".tmp-{os.getpid()}-{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            rest = memoryview(data)
            while rest:
                rest = rest[file.write(rest) :]
            os.fsync(descriptor)
        temporary.replace(target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    _flush_folder(target.parent)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
