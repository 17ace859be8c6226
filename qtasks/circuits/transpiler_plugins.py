"""Which of the installed transpiler plugins Qiskit knows.

It loads every one there is to build a pass manager, and qiskit-ibm-runtime has some: that would import it, 2 s and
80 MB, in each process that compiles anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_GROUP = "qiskit.transpiler.translation"
_OWN = "qiskit."


@contextmanager
def only_qiskits_own() -> Iterator[None]:
    """Let stevedore, which Qiskit asks for its plugins, know none of other packages for the time of the block."""
    from importlib.metadata import entry_points

    from stevedore import ExtensionManager

    known = ExtensionManager.ENTRY_POINT_CACHE
    every = known.get(_GROUP) or list(entry_points(group=_GROUP))
    known[_GROUP] = [entry for entry in every if entry.value.startswith(_OWN)]
    try:
        yield
    finally:
        known[_GROUP] = every


def forget_others() -> None:
    """Let this process know Qiskit's own plugins alone, for good."""
    from importlib.metadata import entry_points

    from stevedore import ExtensionManager

    own = [entry for entry in entry_points(group=_GROUP) if entry.value.startswith(_OWN)]
    ExtensionManager.ENTRY_POINT_CACHE[_GROUP] = own
