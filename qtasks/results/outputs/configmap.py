"""A result in a ConfigMap: outside a cluster, a folder of the same shape, `<folder>/<namespace>/<name>/results`."""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from qtasks.errors import Forbidden, InvalidInput, QTasksError, Unavailable
from qtasks.results.outputs.protocol import Delivery

KEY = "results"
MAX_BYTES = 2**20  # Kubernetes' limit for a ConfigMap

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAMESPACE = re.compile(_LABEL)
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class ConfigMapOutput:
    """An Output that writes the key `results` of the ConfigMap named by the output's `location`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def deliver(self, job: Delivery, rendered: bytes) -> str:
        """Write it, and give the path of the file.

        Names are DNS-1123, and no symbolic link below the folder is followed, so nothing is written outside it.
        Raises InvalidInput (`InvalidOutput`, `ConfigMapTooLarge`), Forbidden (`OutputForbidden`) or Unavailable
        (`OutputUnavailable`).
        """
        if not _NAMESPACE.fullmatch(job.namespace):
            raise _invalid(f"{job.namespace[:80]!r} is not the name of a namespace")
        if not _NAME.fullmatch(job.location) or len(job.location) > 253:
            raise _invalid(f"{job.location[:80]!r} is not the name of a ConfigMap")
        if len(rendered) > MAX_BYTES:
            raise InvalidInput(
                f"The result has {len(rendered)} bytes; a ConfigMap holds {MAX_BYTES}.",
                reason="ConfigMapTooLarge",
                hint=f"Use format csv or fewer shots; the queue keeps its own copy: qtasks results {job.job_id}",
            )
        where = self._folder / job.namespace / job.location / KEY
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with (
                _opened(os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)) as root,
                _opened(_enter(root, job.namespace)) as namespace,
                _opened(_enter(namespace, job.location)) as config_map,
            ):
                _write(config_map, rendered)
        except OSError as error:
            raise _meaning(error, where) from None
        return f"ConfigMap {job.namespace}/{job.location}, key {KEY} ({where})"


@contextmanager
def _opened(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _enter(parent: int, name: str) -> int:
    with suppress(FileExistsError):
        os.mkdir(name, dir_fd=parent)
    return os.open(name, _FOLDER, dir_fd=parent)


def _write(folder: int, data: bytes) -> None:
    temporary = f".tmp-{secrets.token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o666, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, KEY, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise


def _meaning(error: OSError, where: Path) -> QTasksError:
    text = f"{where} could not be written: {error.strerror}."
    if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EISDIR):
        return InvalidInput(text, reason="InvalidOutput", hint="A ConfigMap here is a plain folder, not a link.")
    if isinstance(error, PermissionError):
        return Forbidden(text, reason="OutputForbidden", hint="Give the worker's user write access to the folder.")
    return Unavailable(text, reason="OutputUnavailable")


def _invalid(what: str) -> InvalidInput:
    return InvalidInput(
        f"{what}.",
        reason="InvalidOutput",
        hint="Set output.location to lower-case letters, digits, `-` and `.`, such as my-results.",
    )
