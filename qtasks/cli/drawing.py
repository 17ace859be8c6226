"""Circuits drawn, for `qtasks plot --circuit`: as text, or as a picture by matplotlib. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtasks.errors import InvalidInput

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

_MOST_GATES = 5000
"""More take minutes, and nobody could read them."""
_FOLD = 25
"""Columns of gates in a line of a picture."""


def text_of(circuits: Sequence[QuantumCircuit], width: int | None) -> str:
    """The circuits as lines of text, `width` columns wide at most; without, each wire in one line. Raises InvalidInput
    (`CircuitTooLarge`)."""
    _require_drawable(circuits)
    parts = []
    for number, circuit in enumerate(circuits):
        title = f"Circuit {number}:\n" if len(circuits) > 1 else ""
        drawn = circuit.draw("text", fold=-1 if width is None else width).single_string()
        parts.append(title + "".join(f"{line.rstrip()}\n" for line in drawn.splitlines()))
    return "\n".join(parts)


def picture_of(circuits: Sequence[QuantumCircuit], form: str) -> bytes:
    """The circuits below each other, as `png`, `svg` or `pdf`. Raises InvalidInput (`CircuitTooLarge`)."""
    from matplotlib.figure import Figure

    from qtasks.cli.pictures import saved

    _require_drawable(circuits)
    if len(circuits) == 1:
        figure = circuits[0].draw("mpl", fold=_FOLD)
        assert isinstance(figure, Figure), "there are no axes given to draw into"
        return saved(figure, form)
    depths = [min(_FOLD, circuit.depth()) for circuit in circuits]
    lines = [1 + circuit.depth() // _FOLD for circuit in circuits]
    heights = [count * (circuit.num_qubits + 1) for count, circuit in zip(lines, circuits, strict=True)]
    figure = Figure(figsize=(3 + 0.5 * max(depths), 1 + 0.6 * sum(heights)), layout="constrained")
    axes = figure.subplots(len(circuits), height_ratios=heights)
    for number, (circuit, place) in enumerate(zip(circuits, axes, strict=True)):
        circuit.draw("mpl", fold=_FOLD, ax=place)
        place.set_title(f"circuit {number}", loc="left")
    return saved(figure, form)


def _require_drawable(circuits: Sequence[QuantumCircuit]) -> None:
    gates = sum(circuit.size() for circuit in circuits)
    if gates > _MOST_GATES:
        raise InvalidInput(
            f"There are {gates} gates, and a drawing of more than {_MOST_GATES} helps nobody.", reason="CircuitTooLarge"
        )
