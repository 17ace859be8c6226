"""Secrets as files, in the shape in which Kubernetes mounts them: `<folder>/<namespace>/<name>/<key>`."""

from __future__ import annotations

import re
from pathlib import Path

from qtasks.errors import Forbidden, NotFound
from qtasks.secrets.protocol import Secret, as_text

MAX_BYTES = 2**20  # Kubernetes' limit for a secret
_KEY = re.compile(r"(?!\.\.)[-._a-zA-Z0-9]{1,253}")


def read_from_folder(folder: Path, namespace: str, name: str) -> Secret:
    """The secret of this name; raises as `read_secret`, which has checked the names."""
    shown = f"{namespace}/{name}"
    try:
        found = {
            path.name: path.read_bytes()
            for path in sorted((folder / namespace / name).iterdir())
            if _KEY.fullmatch(path.name) and path.is_file() and path.stat().st_size <= MAX_BYTES
        }
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(
            f"There is no secret {shown}.",
            reason="SecretNotFound",
            hint=f"Put its keys as files into {namespace}/{name}/ of the folder that QTASKS_SECRETS_DIR names.",
        ) from None
    except OSError as error:
        raise Forbidden(
            f"The secret {shown} cannot be read: {error.strerror}.",
            reason="SecretNotReadable",
            hint="Give the worker's user read access to its files.",
        ) from None
    return as_text(namespace, name, found)
