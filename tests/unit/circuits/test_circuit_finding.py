"""Finding the circuit among a source's names, and binding its parameters."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector

from qtasks.circuits.binding import bind
from qtasks.circuits.errors import CircuitError
from qtasks.circuits.python.finding import find


def circuit(qubits: int = 1) -> QuantumCircuit:
    return QuantumCircuit(qubits, qubits)


def rejected(act: Callable[[], object]) -> CircuitError:
    with pytest.raises(CircuitError) as caught:
        act()
    return caught.value


def test_the_names_come_in_their_order() -> None:
    a, b, c = circuit(), circuit(), circuit()
    assert find({"qc": a, "circuit": b, "other": c}, {})[0] is a
    assert find({"circuit": b, "other": c}, {})[0] is b
    assert find({"other": c, "again": c}, {})[0] is c
    assert find({"other": c, "build": lambda: a}, {})[0] is c
    assert find({"circuit": lambda: a, "build": lambda: b}, {})[0] is a
    assert find({"build": lambda: b}, {}) == (b, frozenset(), "")


def test_a_subclass_is_a_circuit_too() -> None:
    class Mine(QuantumCircuit):
        pass

    made = Mine(1)
    assert find({"anything": made}, {})[0] is made


def test_several_are_listed_with_their_size_and_line() -> None:
    names = {"a": circuit(2), "b": circuit(3), "c": circuit(1)}
    error = rejected(lambda: find(names, {}, {"a": 2, "b": 5}.get))
    assert error.reason == "AmbiguousCircuit"
    assert (
        error.message == "The source makes several circuits: a (2 qubits, line 2), b (3 qubits, line 5), c (1 qubit)."
    )
    many = rejected(lambda: find({f"c{n:03}": circuit() for n in range(500)}, {}))
    assert "c000 (1 qubit)" in many.message and many.message.endswith("488 more.")


def test_what_may_not_be_expected_is_told() -> None:
    only = circuit()
    assert find({"qc": [1, 2], "bell": only}, {})[2] == "`qc` is a list of 2, not a circuit: `bell` was taken."
    assert "`bell` was taken" in find({"bell": only, "build": circuit}, {})[2]
    assert find({"bell": only}, {})[2] == ""


@pytest.mark.parametrize(
    ("names", "message", "hint"),
    [
        ({}, "The source makes no QuantumCircuit.", "Assign the circuit to the name `qc`."),
        ({"circuit": math}, "The source makes no QuantumCircuit.", "`qc`"),
        ({"qc": 7}, "`qc` is of type int, not a QuantumCircuit.", "Assign the circuit to the name `qc`."),
        ({"qc": [circuit(), circuit()]}, "`qc` is a list of 2, not a QuantumCircuit.", "as its own job"),
        ({"build": lambda: (circuit(), 7)}, "build() returned a tuple of 2, not a QuantumCircuit.", "as its own job"),
        ({"build": lambda: None}, "build() returned of type NoneType, not a QuantumCircuit.", "`return qc`"),
    ],
)
def test_what_is_no_circuit_is_named(names: dict[str, Any], message: str, hint: str) -> None:
    error = rejected(lambda: find(names, {}))
    assert error.reason == "NoCircuit"
    assert error.message == message
    assert hint in error.hint


def test_an_async_function_is_not_run() -> None:
    async def build() -> QuantumCircuit:
        return circuit()

    error = rejected(lambda: find({"build": build}, {}))
    assert error.reason == "NoCircuit" and "asynchronous" in error.message


def test_a_functions_arguments_come_by_name() -> None:
    def build(n: Any, angle: float, *, layers: int = 2, **more: Any) -> QuantumCircuit:
        assert (type(n), type(angle), type(layers), more) == (int, float, int, {})
        made = circuit(n)
        made.rx(angle, 0)
        return made

    made, taken, _ = find({"build": build}, {"n": 3.0, "angle": 1.0, "theta": 2.0})
    assert (made.num_qubits, taken) == (3, {"n", "angle"})
    error = rejected(lambda: find({"build": build}, {"n": 3.0}))
    assert error.reason == "MissingArguments"
    assert error.message == "build() needs values for angle."
    assert "execution.parameters" in error.hint


def test_an_argument_that_has_no_name_is_told() -> None:
    def build(n: int, /) -> QuantumCircuit:
        return circuit(n)

    assert rejected(lambda: find({"build": build}, {"n": 3.0})).reason == "MissingArguments"


def test_parameters_are_bound_by_name_and_vectors_by_element() -> None:
    theta, phi = ParameterVector("theta", 2), Parameter("phi")
    made = QuantumCircuit(1)
    made.rx(theta[0] + 2 * theta[1], 0)
    made.rz(phi, 0)
    bound = bind(made, {"theta[0]": 1.0, "theta[1]": 0.25, "phi": 0.5})
    assert [float(instruction.params[0]) for instruction in bound.data] == [1.5, 0.5]
    assert bind(made, {"phi": 0.5}).num_parameters == 2
    assert bind(made, {"phi": 0.5, "n": 3.0}, {"n"}).num_parameters == 2
    assert bind(circuit(), {"n": 3.0}, {"n"}).num_qubits == 1


def test_a_vector_wants_a_value_for_each_element() -> None:
    made = QuantumCircuit(1)
    for element in ParameterVector("theta", 11):
        made.rx(element, 0)
    error = rejected(lambda: bind(made, {"theta": 1.0}))
    assert error.reason == "UnknownParameters"
    assert error.hint.startswith("Give theta[0], theta[1], theta[2]") and error.hint.endswith("theta[10].")


def test_an_unknown_name_is_told_the_nearest() -> None:
    made = QuantumCircuit(1)
    made.rx(Parameter("theta"), 0)
    made.rx(Parameter("phi"), 0)
    error = rejected(lambda: bind(made, {"thet": 1.0, "phi": 1.0}))
    assert (error.reason, error.message) == ("UnknownParameters", "The circuit has no parameter thet.")
    assert error.hint == "It has: phi, theta. Nearest to thet: theta."
    assert "leave execution.parameters out" in rejected(lambda: bind(circuit(), {"a": 1.0})).hint


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_must_be_finite(value: float) -> None:
    made = QuantumCircuit(1)
    made.rx(Parameter("theta"), 0)
    error = rejected(lambda: bind(made, {"theta": value}))
    assert (error.reason, "theta" in error.message) == ("InvalidParameter", True)


@pytest.mark.parametrize("angle", [lambda t: 1 / t, lambda t: (t - 1).log(), lambda t: (t - 2).arcsin()])
def test_an_expression_that_has_no_value_is_told(angle: Callable[[Parameter], Any]) -> None:
    made = QuantumCircuit(1)
    made.rx(angle(Parameter("t")), 0)
    assert rejected(lambda: bind(made, {"t": 0.0})).reason == "InvalidParameter"
