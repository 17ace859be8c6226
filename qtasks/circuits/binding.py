"""Giving a circuit's parameters their values by name, and saying what does not fit."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Set
from typing import TYPE_CHECKING

from qtasks.circuits.errors import CircuitError, say

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

_SHOWN = 20


def bind(circuit: QuantumCircuit, values: Mapping[str, float], taken: Set[str] = frozenset()) -> QuantumCircuit:
    """The circuit with `values` for its parameters, elements of a vector as `theta[0]`.

    `taken`: names whose values a function of the source has had already; the circuit need not have them.
    Raises CircuitError: `UnknownParameters`, `InvalidParameter` (not finite, or what it leads to is no number).
    """
    check_finite(values)
    if not circuit.num_parameters and not values.keys() - taken:
        return circuit
    names = {parameter.name for parameter in circuit.parameters}
    unknown = values.keys() - names - taken
    for name in sorted(unknown):
        elements = sorted((p.index, p.name) for p in circuit.parameters if _vector(p) == name)
        if elements:
            raise CircuitError(
                f"{name} is a vector of parameters: each element has its own value.",
                reason="UnknownParameters",
                hint=f"Give {_listed([element for _, element in elements])}.",
            )
    if unknown:
        raise CircuitError(
            f"The circuit has no parameter {', '.join(sorted(unknown))}.",
            reason="UnknownParameters",
            hint=_nearest(sorted(unknown), sorted(names)),
        )
    try:
        return circuit.assign_parameters({name: values[name] for name in names & values.keys()})
    except (TypeError, ValueError, ArithmeticError) as error:
        raise _not_a_number(say(error)) from None
    except Exception as error:  # Qiskit's own, as for a complex angle
        raise _not_a_number(say(error)) from None


def check_finite(values: Mapping[str, float]) -> None:
    """Raises CircuitError (`InvalidParameter`) for a value that is infinite or not a number."""
    for name, value in values.items():
        if not math.isfinite(value):
            raise CircuitError(
                f"The value of the parameter {name} is {value}, not a finite number.",
                reason="InvalidParameter",
                hint="Correct it in execution.parameters.",
            )


def _vector(parameter: object) -> str | None:
    vector = getattr(parameter, "vector", None)
    return None if vector is None else str(vector.name)


def _nearest(unknown: list[str], names: list[str]) -> str:
    if not names:
        return "It has none: leave execution.parameters out."
    near = difflib.get_close_matches(unknown[0], names, n=1)
    return f"It has: {_listed(names)}." + (f" Nearest to {unknown[0]}: {near[0]}." if near else "")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _not_a_number(why: str) -> CircuitError:
    return CircuitError(
        f"With these values of its parameters the circuit has an angle that is no number: {why}",
        reason="InvalidParameter",
        hint="Correct them in execution.parameters.",
    )
