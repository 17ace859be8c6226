"""Qiskit's preset pass managers, built without waking every transpiler plugin that is installed."""

from __future__ import annotations

from typing import Any

from qtasks.circuits.transpiler_plugins import only_qiskits_own


def preset_pass_manager(
    level: int, *, layout: tuple[int, ...] | None = None, seed: int | None = None, **where: Any
) -> Any:
    """A preset pass manager for `backend=…` or `target=…`, made of Qiskit's own stages."""
    from qiskit.transpiler import generate_preset_pass_manager

    with only_qiskits_own():
        return generate_preset_pass_manager(
            level, initial_layout=list(layout) if layout else None, seed_transpiler=seed, **where
        )
