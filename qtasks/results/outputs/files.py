"""Writing a file below a folder, whole or not at all, without following any link below it."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from qtasks.errors import Forbidden, InvalidInput, QTasksError, Unavailable

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NOT_HERE = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOSYS)


@contextmanager
def folder(root: Path, names: Sequence[str], *, make_root: bool = True) -> Iterator[int]:
    """A descriptor of `root/name/…`, whose missing folders are made; `root` itself may be a link, nothing below it.

    A `name` is one segment of a path, checked by the caller. Raises OSError; see `meaning`.
    """
    if make_root and not root.is_symlink():  # a link to what is not mounted just now is not replaced by a folder
        root.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        found = os.open(root, _FOLDER)
        stack.callback(os.close, found)
        for name in names:
            with suppress(FileExistsError):
                os.mkdir(name, dir_fd=found)
                os.fsync(found)
            found = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=found)
            stack.callback(os.close, found)
        yield found


def write(parent: int, name: str, data: bytes) -> None:
    """Write the file `name` of the folder `parent`, over what is there; when this returns it survives a power cut.

    What is under way has no name, where the file system can do that (Linux), so that a killed writer leaves nothing;
    elsewhere it has one with a dot first.
    """
    temporary = f".tmp-{secrets.token_hex(8)}"
    try:
        descriptor, named = _unnamed(parent), False
    except OSError as error:
        if error.errno not in _NOT_HERE:
            raise
        descriptor, named = os.open(temporary, _NEW, 0o666, dir_fd=parent), True
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
            if not named:
                os.link(f"/proc/self/fd/{descriptor}", temporary, dst_dir_fd=parent, follow_symlinks=True)
        os.replace(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=parent)
        raise
    os.fsync(parent)


def _unnamed(parent: int) -> int:
    flag = getattr(os, "O_TMPFILE", 0)
    if not flag or not Path("/proc/self/fd").is_dir():
        raise OSError(errno.ENOSYS, "no unnamed files here")
    return os.open(".", os.O_WRONLY | flag | os.O_CLOEXEC, 0o666, dir_fd=parent)


def sizes(parent: int, *, but: str) -> int:
    """Bytes of the files in the folder `parent`, less the one called `but` and those that begin with a dot."""
    total = 0
    with os.scandir(parent) as entries:
        for entry in entries:
            if entry.name != but and not entry.name.startswith("."):
                with suppress(OSError):
                    total += entry.stat().st_size
    return total


def meaning(error: OSError, where: Path, *, hint: str) -> QTasksError:
    """What the system's answer means to the user; `hint` is what to do about a link or a file in place of a folder."""
    text = f"{where} could not be written: {error.strerror}."
    if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG):
        return InvalidInput(text, reason="InvalidOutput", hint=hint)
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return Forbidden(text, reason="OutputForbidden", hint="Give the worker's user write access to the folder.")
    return Unavailable(text, reason="OutputUnavailable")
