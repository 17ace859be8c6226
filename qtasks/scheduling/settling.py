"""Choosing with few compilations: the best candidate is compiled for, until the best one has been. Pure."""

from __future__ import annotations

from collections.abc import Callable

from qtasks.scheduling.fidelity import Basis, Fidelity
from qtasks.scheduling.selection import Key, Row, Selection, key_of


def promising(selection: Selection) -> Row | None:
    """The row whose fidelity had better be known before the choice is taken: that of the chosen one, where it is only
    estimated."""
    chosen = selection.chosen
    return chosen if chosen is not None and chosen.fidelity.basis is Basis.ESTIMATED else None


Choice = Callable[[bool], Selection]
"""Chooses by what is known by now; hopeful or not."""
Exact = Callable[[Row], Fidelity | None]
"""Compiles for a candidate; None where that cannot be done, or is enough."""


def settle(choose: Choice, known: dict[Key, Fidelity], exact: Exact) -> Selection:
    """Compile for the best candidate, choose again, and so on until the best one has been compiled for.

    Meanwhile estimates are hopeful, so that one which is behind would most likely be behind compiled too, and few are
    compiled for. When it is enough, they are sober again: a guess is not to win by being one.
    """
    selection = choose(True)
    while (row := promising(selection)) is not None:
        found = exact(row)
        if found is None:
            return choose(False)
        known[key_of(row.candidate)] = found
        selection = choose(True)
    return selection
