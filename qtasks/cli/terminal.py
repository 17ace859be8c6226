"""Where output goes: standard output, standard error, and the client behind the commands."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from qtasks.cli.options import DEFAULT_NAMESPACE

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from qtasks.client import Client

PLAIN_WIDTH = 80
"""Columns of what is drawn, such as a histogram, where no terminal says how many there are."""


def console(*, stderr: bool = False) -> Console:
    """A console that shows text as it is: colours on a terminal only (and none under NO_COLOR), no markup, no wrapping
    but the caller's own."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=True)


def width(out: Console) -> int | None:
    """Columns of the terminal; None where there is none, and lines may be as long as they like."""
    return out.width if out.is_terminal else None


def show(text: RenderableType) -> None:
    """Print lines to standard output, coloured on a terminal."""
    console().print(text)


def write(text: str) -> None:
    """Write text to standard output exactly as it is."""
    sys.stdout.write(text)
    sys.stdout.flush()


def put(text: str) -> None:
    """Write what a format made of a document."""
    # A template says itself where its lines end; a prompt, however, wants a line of its own.
    prompt = console().is_terminal and text and not text.endswith("\n")
    write(f"{text}\n" if prompt else text)


def note(text: str) -> None:
    """Tell the person something that is no output, on standard error."""
    sys.stderr.write(f"{text}\n")


@contextmanager
def busy(what: str) -> Iterator[None]:
    """On a terminal, a spinner with what is waited for, on standard error."""
    err = console(stderr=True)
    if not err.is_terminal:
        yield
        return
    with err.status(what):
        yield


@contextmanager
def client(namespace: str | None = None) -> Iterator[Client]:
    """A client for one command. On a terminal a spinner shows that an embedded stack is starting."""
    with busy("Connecting…"):
        opened = _open(namespace)
    with opened:
        yield opened


def _open(namespace: str | None) -> Client:
    from qtasks.client import Client
    from qtasks.resources import Metadata

    # Nothing is looked up, and above all nothing stored, under what cannot be a namespace.
    return Client(namespace=Metadata(namespace=namespace or DEFAULT_NAMESPACE).namespace)
