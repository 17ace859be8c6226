"""The command that makes the shell complete what is typed: completion."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer

from qtasks.cli import terminal


class Shell(StrEnum):
    """Whose script it is."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def add_to(app: typer.Typer) -> None:
    """Put the command on `app`."""
    app.command()(completion)


def completion(shell: Annotated[Shell, typer.Argument(help="Whose script to print.")]) -> None:
    """Print the script by which a shell completes verbs, options, kinds and the names of what is in the queue.

    For the shell that runs, and for those to come:

    - bash: `source <(qtasks completion bash)`, and the same line in `~/.bashrc`

    - zsh: `source <(qtasks completion zsh)`, and the same line in `~/.zshrc` below `compinit`

    - fish: `qtasks completion fish > ~/.config/fish/completions/qtasks.fish`

    Names are those that were last seen: in a queue that nobody looked at for a while, the second TAB has the new ones.
    A TAB starts nothing, and is silent about what is away.

    Example: `source <(qtasks completion bash)`
    """
    from qtasks.cli.shells import SCRIPTS

    terminal.write(SCRIPTS[shell.value])


def answer(words: Sequence[str]) -> None:
    """Print the candidates for the last of `words`, a line each: the word, a tab, what it means."""
    from typer.main import get_command

    from qtasks.cli.app import app
    from qtasks.cli.completing import candidates
    from qtasks.cli.known_names import seen

    for word, says in candidates(get_command(app), words, seen):
        sys.stdout.write(f"{word}\t{says}\n" if says else f"{word}\n")
