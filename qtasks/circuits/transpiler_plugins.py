"""Which of the installed transpiler plugins Qiskit knows.

It loads every one there is to build a pass manager, and other packages have some: qiskit-ibm-runtime would be imported
in each process that compiles anything (2 s, 80 MB), qiskit-experiments with SciPy's statistics (2 s). And what a
circuit is compiled to is not to depend on what else is installed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

_GROUPS = (
    *(
        f"qiskit.transpiler.{stage}"
        for stage in ("init", "layout", "routing", "translation", "optimization", "scheduling")
    ),
    "qiskit.synthesis",
    "qiskit.unitary_synthesis",
)
_OWN = "qiskit."


@contextmanager
def only_qiskits_own() -> Iterator[None]:
    """Let stevedore, which Qiskit asks for its plugins, know none of other packages for the time of the block."""
    from stevedore import ExtensionManager

    known = ExtensionManager.ENTRY_POINT_CACHE
    every = {group: known.get(group) or list(_installed().select(group=group)) for group in _GROUPS}
    known.update({group: _own(found) for group, found in every.items()})
    try:
        yield
    finally:
        known.update(every)


def forget_others() -> None:
    """Let this process know Qiskit's own plugins alone, for good."""
    from stevedore import ExtensionManager

    ExtensionManager.ENTRY_POINT_CACHE.update({group: _own(_installed().select(group=group)) for group in _GROUPS})


def _own(plugins: Iterable[EntryPoint]) -> list[EntryPoint]:
    return [plugin for plugin in plugins if plugin.value.startswith(_OWN)]


@cache
def _installed() -> Any:
    """The entry points of all packages: looking through them takes 15 ms."""
    return entry_points()
