"""The sandbox: where circuits from outside are read, away from everything that a worker holds.

`client` is the worker's side and imports no Qiskit; its names are found here too. `server` is a warm process that forks
a `child` per request; `confine` is what a child gives up; `wire` is how they speak.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qtasks.circuits.sandbox.answers import Checked, Limits, Rejected, Source
    from qtasks.circuits.sandbox.client import Sandbox

__all__ = ["Checked", "Limits", "Rejected", "Sandbox", "Source"]


def __getattr__(name: str) -> Any:
    # Not imported at the top: the warm process imports this package as well, and needs none of the client.
    if name == "Sandbox":
        from qtasks.circuits.sandbox import client

        return client.Sandbox
    if name in __all__:
        from qtasks.circuits.sandbox import answers

        return getattr(answers, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
