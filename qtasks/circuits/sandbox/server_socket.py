"""The socket that the sandbox listens on."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def listen(path: Path, *, mode: int = 0o600) -> socket.socket:
    """A listening socket at `path`, put there in one step in place of what a dead server left. Raises OSError."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        fresh = path.with_name(f"{path.name}.{os.getpid()}")
        fresh.unlink(missing_ok=True)
        listener.bind(str(fresh))
        fresh.chmod(mode)
        listener.listen(1024)
        fresh.rename(path)
    except OSError:
        listener.close()
        raise
    return listener
