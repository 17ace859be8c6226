"""What `qtasks worker` and `qtasks beat` become: Celery's own worker and beat, without Celery's command line.

That one imports Flower and a shell to type into at every start.
"""

from __future__ import annotations

import argparse
import socket
import sys
from collections.abc import Sequence
from typing import NoReturn


def main(words: Sequence[str]) -> NoReturn:
    """Serve until told to stop; `words`: `worker` or `beat`, and its options.

    On SIGHUP Celery starts itself again by `sys.argv`.
    """
    sys.argv = [__file__, *words]
    given = _parser().parse_args(words)
    from workers.app import app

    if given.command == "beat":
        app.Beat(scheduler_cls="workers.beat:Scheduler", loglevel=given.loglevel, quiet=given.quiet).run()
        sys.exit(0)
    worker = app.Worker(
        queues=given.queues.split(","),
        concurrency=given.concurrency,
        hostname=f"{given.name}@{socket.gethostname()}",
        loglevel=given.loglevel,
        quiet=given.quiet,
        without_gossip=True,
        without_mingle=True,
    )
    worker.start()
    sys.exit(worker.exitcode)


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--loglevel", default="info", help="debug, info, warning or error")
    common.add_argument("--quiet", action="store_true", help="no banner")
    parser = argparse.ArgumentParser(prog="python -m workers", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("beat", parents=[common], help="the clock of the periodic tasks")
    worker = commands.add_parser("worker", parents=[common], help="a main process and its pool")
    worker.add_argument("--queues", required=True, help="comma-separated queues that it consumes")
    worker.add_argument("--concurrency", type=int, required=True, help="pool processes")
    worker.add_argument("--name", required=True, help="stands before the host's name; no other process ever had it")
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])
