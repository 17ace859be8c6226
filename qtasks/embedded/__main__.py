"""The detached stack that `Client()` starts: `python -m qtasks.embedded`."""

from __future__ import annotations

import os
import signal

from qtasks.embedded.stack import Stack
from qtasks.errors import QTasksError
from qtasks.settings import settings
from qtasks.telemetry import logs


def main() -> None:
    """Run the stack of `QTASKS_HOME` until it is idle or terminated."""
    os.chdir(settings().home_path)
    logs.set_up("stack")
    stack = Stack(settings(), idle_seconds=settings().embedded_idle_seconds)
    signal.signal(signal.SIGTERM, lambda *_: stack.stop())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        stack.run()
    except QTasksError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
