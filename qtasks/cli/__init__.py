"""The command line: thin, over the client."""

from __future__ import annotations


def main() -> None:
    """The `qtasks` command; exits with 0 done, 1 the job failed, 2 the input was wrong, 3 not permitted, 4 not found,
    5 a service could not be reached or the time ran out."""
    from qtasks.cli.app import main as run

    run()
