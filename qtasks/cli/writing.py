"""Files that commands write: all of them or nothing."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from qtasks.errors import InvalidInput


def put(file: Path, data: bytes) -> None:
    """Write a file in one piece: whoever looks sees all of the old bytes or all of the new ones. Raises InvalidInput
    (`FileNotWritable`)."""
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        # A device or a pipe is written to; only a file can be put in another's place.
        if file.exists() and not file.is_file():
            file.write_bytes(data)
            return
        try:
            with draft.open("xb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
            if file.exists():
                draft.chmod(file.stat().st_mode & 0o777)
            draft.replace(file)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise not_writable(file, error) from None


def folder(path: Path) -> None:
    """Make a folder where there is none. Raises InvalidInput (`FileNotWritable`)."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_writable(path, error) from None


def not_writable(path: Path, error: OSError) -> InvalidInput:
    return InvalidInput(f"{path} cannot be written: {error.strerror}.", reason="FileNotWritable")
