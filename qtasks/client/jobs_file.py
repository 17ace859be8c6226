"""Jobs files: JSON Lines in the fourth seed's schema, one line for each submitted job, so that it is found again.

Whoever has such a file has the ids; nothing of it is needed for a job to go on.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from qtasks.errors import InvalidInput

Entry = dict[str, Any]
"""One line: the seed's fields first, then those that qtasks adds, then whatever else was written there."""

FIELDS = (
    "job_id",
    "experiment_type",
    "backend",
    "logical_state",
    "shots",
    "circuit_hash",
    "transpiled_depth",
    "transpiled_gates",
    "submission_time",
    "api_key_index",
    "git_commit",
    "status",
)
"""The seed's fields, in its order."""


class Status(StrEnum):
    """What `status` may be."""

    SUBMITTED = "submitted"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ERROR = "error"
    """The job, or its result, cannot be had."""

    @property
    def final(self) -> bool:
        return self is not Status.SUBMITTED


def name_of_new(prefix: str, suffix: str, folder: Path) -> Path:
    """A file of this moment in `folder` that is not there yet: `<prefix>_YYYYMMDD_HHMMSS<suffix>`, in UTC."""
    stem = f"{prefix}_{datetime.now(UTC):%Y%m%d_%H%M%S}"
    number, path = 1, folder / f"{stem}{suffix}"
    while path.exists():
        number += 1
        path = folder / f"{stem}_{number}{suffix}"
    return path


def parse(text: str, where: str) -> list[Entry]:
    """The lines of a jobs file, empty ones left out. Raises InvalidInput (`InvalidJobsFile`) with the line's number."""
    entries = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                entries.append(_entry(json.loads(line)))
            except ValueError as error:
                raise InvalidInput(
                    f"{where}, line {number}: {_problem(error)}.",
                    reason="InvalidJobsFile",
                    hint="Each line is one job as a JSON object, with job_id and status at least.",
                ) from None
    return entries


def _problem(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"it is no JSON (column {error.colno})"
    return str(error)


def _entry(data: Any) -> Entry:
    if not isinstance(data, dict):
        raise ValueError("it is no JSON object")
    job_id = data.get("job_id")
    if not isinstance(job_id, str) or not job_id.strip() or not job_id.isprintable() or len(job_id) > 255:
        raise ValueError("job_id is not there, or no text of at most 255 characters")
    status = data.get("status", Status.SUBMITTED)
    if status not in list(Status):
        raise ValueError(f'status "{status}" is none of {", ".join(Status)}')
    index = data.get("api_key_index")
    if index is not None and (isinstance(index, bool) or not isinstance(index, int)):
        raise ValueError("api_key_index is no whole number")
    shots = data.get("shots")
    if shots is not None and (isinstance(shots, bool) or not isinstance(shots, int) or shots < 1):
        raise ValueError("shots is no whole number of 1 or more")
    return {**data, "status": Status(status).value}


def read(path: Path) -> list[Entry]:
    """The lines of a file. Raises InvalidInput (`FileNotReadable`, `InvalidJobsFile`)."""
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError:
        raise InvalidInput(f"{path} is not a UTF-8 text.", reason="InvalidJobsFile") from None
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.", reason="FileNotReadable") from None


def render(entries: Sequence[Mapping[str, Any]]) -> str:
    return "".join(f"{json.dumps(entry, ensure_ascii=False)}\n" for entry in entries)


def require_writable(path: Path) -> None:
    """Raise InvalidInput (`FileNotWritable`) unless the file can be written: known before jobs are submitted."""
    with _told(path), tempfile.TemporaryFile(dir=path.parent):
        pass


def rewrite(path: Path, change: Callable[[list[Entry]], Sequence[Mapping[str, Any]]]) -> None:
    """Replace what a file says by what `change` makes of it, in one piece; one that is not there says nothing.

    Who rewrites it at the same time waits, so that no line is lost. A crash leaves the old file or the new one.
    """
    with _told(path), _alone(path.parent):
        before = read(path) if path.exists() else []
        after = render(change(before))
        if not path.exists() or after != render(before):
            replace(path, after)


def replace(path: Path, text: str) -> None:
    """Write a file in one piece: whoever looks sees all of the old text or all of the new one."""
    with _told(path):
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            with temporary.open("x", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            if path.exists():
                temporary.chmod(path.stat().st_mode & 0o777)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    # The folder is what is locked: a lock on a file that is about to be replaced holds nobody up.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written: {error.strerror}.", reason="FileNotWritable") from None
