"""Secrets as files, in the shape in which Kubernetes mounts them: `<folder>/<namespace>/<name>/<key>`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from qtasks.errors import Forbidden, InvalidInput, NotFound

MAX_BYTES = 2**20  # Kubernetes' limit for a secret
_NAME = re.compile(r"(?!.*\.\.)[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_KEY = re.compile(r"(?!\.\.)[-._a-zA-Z0-9]{1,253}")


@dataclass(frozen=True, slots=True)
class Secret:
    """The values of one secret, without the newlines at their ends; its repr shows none of them."""

    namespace: str
    name: str
    values: Mapping[str, str] = field(repr=False)


def read_secret(folder: Path, *, namespace: str, name: str) -> Secret:
    """The secret `name` of a namespace; the caller passes the job's own namespace, never one that a user wrote.

    Raises NotFound (`SecretNotFound`), Forbidden (`SecretNotReadable`) or InvalidInput (`InvalidSecret`).
    """
    shown = f"{namespace}/{name}"
    if not _NAME.fullmatch(namespace) or not _NAME.fullmatch(name):
        raise InvalidInput(f"{shown[:80]!r} is not the name of a secret.", reason="InvalidSecret")
    try:
        found = {
            path.name: path.read_bytes()
            for path in sorted((folder / namespace / name).iterdir())
            if _KEY.fullmatch(path.name) and path.is_file() and path.stat().st_size <= MAX_BYTES
        }
        return Secret(namespace, name, {key: value.decode().rstrip("\r\n") for key, value in found.items()})
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(
            f"There is no secret {shown}.",
            reason="SecretNotFound",
            hint=f"Put its keys as files into {namespace}/{name}/ of the folder that QTASKS_SECRETS_DIR names.",
        ) from None
    except UnicodeDecodeError:
        raise InvalidInput(f"The secret {shown} has a value that is not text.", reason="InvalidSecret") from None
    except OSError as error:
        raise Forbidden(
            f"The secret {shown} cannot be read: {error.strerror}.",
            reason="SecretNotReadable",
            hint="Give the worker's user read access to its files.",
        ) from None
