"""Settings that are given as files: `QTASKS_<SETTING>_FILE` names a file that holds the value, such as a password."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from qtasks.errors import InvalidInput

_LARGEST_BYTES = 64 * 2**10


def read_files(environment: Mapping[str, str], names: Iterable[str]) -> dict[str, tuple[Path, str]]:
    """The file of each setting of `names` (in lower case) that `environment` names one for, and what it holds.

    A line break at the end is not part of the value; an empty variable names no file. Raises InvalidInput
    (`InvalidSettings`) naming the variables: a value is given too, or the file cannot be read, is empty, or no text.
    """
    found: dict[str, tuple[Path, str]] = {}
    problems: list[str] = []
    for name in names:
        variable = f"QTASKS_{name.upper()}"
        if not (path := environment.get(f"{variable}_FILE")):
            continue
        if environment.get(variable):
            problems.append(f"{variable} and {variable}_FILE are both given")
            continue
        try:
            found[name] = Path(path), _text(Path(path))
        except (OSError, ValueError) as error:
            problems.append(f"{variable}_FILE: {path} {_why(error)}")
    if problems:
        raise InvalidInput("; ".join(problems) + ".", reason="InvalidSettings", hint="See docs/settings.md.")
    return found


def _text(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(_LARGEST_BYTES + 1)
    if len(data) > _LARGEST_BYTES:
        raise ValueError(f"is larger than {_LARGEST_BYTES} bytes")
    text = data.decode().rstrip("\r\n")
    if not text:
        # An empty variable is unset, but nobody writes an empty file to say so: the secret was not filled in, and the
        # default in its place would be a database that nobody looks into.
        raise ValueError("is empty")
    return text


def _why(error: OSError | ValueError) -> str:
    """In words of our own: Python's message of a decoding error repeats bytes of the file."""
    if isinstance(error, UnicodeDecodeError):
        return "is not UTF-8 text"
    return f"cannot be read: {error.strerror}" if isinstance(error, OSError) else str(error)
