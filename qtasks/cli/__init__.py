"""The command line: thin, over the client."""

from __future__ import annotations

import gc
import sys
from contextlib import suppress

_COMPLETE = "__complete"
_COLLECT_AFTER = 20_000
"""New objects between two looks for garbage. Imports make many that stay: at Python's own 700 the looks are a tenth of
what a command takes."""


def main() -> None:
    """The `qtasks` command; exits with 0 done, 1 the job failed, 2 the input was wrong, 3 not permitted, 4 not found,
    5 a service could not be reached or the time ran out."""
    gc.set_threshold(_COLLECT_AFTER, 20, 20)
    if sys.argv[1:2] == [_COMPLETE]:
        _complete(sys.argv[2:])
        return
    from qtasks.cli.app import main as run

    run()


def _complete(words: list[str]) -> None:
    """Answer a shell, which has no place for complaints."""
    with suppress(Exception):
        from qtasks.cli.completion import answer

        answer(words)
