"""What no backend may be given: names that cannot be kept, angles that are no numbers, gates that pass for others."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from qtasks.circuits.analysis import NAME_CHARACTERS
from qtasks.circuits.errors import CircuitError
from qtasks.circuits.gates import AER_INSTRUCTIONS, CHANNELS, base_name, definition_key, is_library
from qtasks.circuits.twins import is_standard_twin

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

_TOLERANCE = 1e-6


def check_names(circuit: QuantumCircuit) -> None:
    """Raises CircuitError (`InvalidName`) when the circuit, a register, parameter or variable has a name that
    databases, files and terminals cannot take: with a NUL character, half of a surrogate pair, or of endless length.
    """
    _check_name("The circuit", circuit.name)
    for register in (*circuit.qregs, *circuit.cregs):
        _check_name("A register", register.name)
    if circuit.num_parameters:
        for parameter in circuit.parameters:
            _check_name("A parameter", parameter.name)
    if circuit.num_identifiers:
        for identifier in (*circuit.iter_vars(), *circuit.iter_stretches()):
            _check_name("A variable", identifier.name)


def check_instructions(circuit: QuantumCircuit) -> None:
    """Walks the circuit, its blocks and its definitions. Raises CircuitError:

    - `InvalidParameter`: an angle or the global phase is infinite or not a number, or a matrix is no gate or channel.
      Aer answers such a circuit with counts that mean nothing, or not at all.
    - `ReservedName`: a gate of the user's own has the name of one that simulators know. They look at the name alone,
      so that a `z` defined as an X gate would run as a Z, and a matrix of the wrong size be read past its end.
    - `InvalidName`: as `check_names`.
    """
    _Check().circuit(circuit)


class _Check:
    """One walk; definitions that are shared are looked at once."""

    def __init__(self) -> None:
        self._known: dict[object, Any] = {}

    def circuit(self, circuit: QuantumCircuit) -> None:
        _check_finite("global phase", (circuit.global_phase,))
        for instruction in circuit.data:
            if params := instruction.params:
                _check_finite(instruction.name, params)
            if not instruction.is_standard_gate():
                self._operation(instruction.operation)

    def _operation(self, operation: Any) -> None:
        name = operation.name
        _check_name("A gate", name)
        for block in getattr(operation, "blocks", ()):
            self.circuit(block)
        if is_library(operation):
            if name in ("unitary", "diagonal"):
                _check_unitary(operation)
            return
        if (base := getattr(operation, "base_op", None)) is not None:  # an AnnotatedOperation
            self._operation(base)
            return
        definition = getattr(operation, "definition", None)
        if definition is None and name in CHANNELS:
            _check_channel(operation)
        elif base_name(name) in AER_INSTRUCTIONS and not is_standard_twin(operation):
            raise CircuitError(
                f"The circuit has a gate of its own with the name {name!r}, and would run as the standard one.",
                reason="ReservedName",
                hint=f"Give it another name, such as 'my_{name}'.",
            )
        key = definition_key(operation)
        if definition is not None and (key is None or key not in self._known):
            self._known[key] = operation  # kept: the key may be an id
            self.circuit(definition)


def _check_name(what: str, name: Any) -> None:
    if not isinstance(name, str):
        return
    problem = ""
    if len(name) > NAME_CHARACTERS:
        problem = f"is {len(name):,} characters long; {NAME_CHARACTERS:,} are allowed"
    elif "\0" in name:
        problem = "contains a NUL character"
    elif not name.isascii() and any("\ud800" <= character <= "\udfff" for character in name):
        problem = "contains half of a surrogate pair, which is no character"
    if problem:
        shown = name[:40].encode("ascii", "backslashreplace").decode().replace("\0", "\\x00")
        raise CircuitError(
            f"{what} has a name that cannot be kept: '{shown}' {problem}.",
            reason="InvalidName",
            hint="Use a short name of ordinary characters.",
        )


def _check_finite(name: str, params: Any) -> None:
    for value in params:
        kind = type(value)
        if kind is float:
            good = math.isfinite(value)
        elif kind is complex:
            good = math.isfinite(value.real) and math.isfinite(value.imag)
        elif hasattr(value, "dtype"):
            import numpy

            good = value.dtype.kind not in "fc" or bool(numpy.isfinite(value).all())
        else:
            good = True
        if not good:
            shown = value if kind in (float, complex) else "a matrix with such an element"
            raise CircuitError(
                f"A parameter of {name!r} is not a finite number: {shown}.",
                reason="InvalidParameter",
                hint="Look for a division by zero, or a value that was never set.",
            )


def _check_unitary(operation: Any) -> None:
    """Qiskit takes any matrix when it is told not to look. Aer then gives counts that mean nothing, or never ends."""
    import numpy

    if operation.name == "diagonal":
        good = bool(numpy.allclose(numpy.abs(numpy.asarray(operation.params, complex)), 1, atol=_TOLERANCE))
    else:
        matrix = numpy.asarray(operation.params[0])
        with numpy.errstate(all="ignore"):
            product = matrix.conj().T @ matrix
        good = bool(numpy.allclose(product, numpy.eye(len(matrix)), atol=_TOLERANCE))
    if not good:
        raise CircuitError(
            f"The matrix of a {operation.name!r} gate on {operation.num_qubits} qubits is not unitary.",
            reason="InvalidParameter",
            hint="Make the gate without check_input=False, and it tells where it is made.",
        )


def _check_channel(operation: Any) -> None:
    """A channel's matrices must have the size of its qubits: Aer does not look, and reads on past the end."""
    import numpy

    matrices = [numpy.asarray(matrix) for matrix in operation.params]
    kraus = operation.name == "kraus"
    size = 2**operation.num_qubits if kraus else 4**operation.num_qubits
    good = bool(matrices) and all(matrix.shape == (size, size) for matrix in matrices) and not operation.num_clbits
    if good and kraus:
        with numpy.errstate(all="ignore"):
            total = sum(matrix.conj().T @ matrix for matrix in matrices)
        good = bool(numpy.allclose(total, numpy.eye(size), atol=_TOLERANCE))
    elif good:
        good = len(matrices) == 1
    if not good:
        raise CircuitError(
            f"The matrices of a {operation.name!r} instruction are not those of a channel on "
            f"{operation.num_qubits} qubits.",
            reason="InvalidParameter",
            hint="Make it with qiskit.quantum_info.Kraus(...).to_instruction().",
        )
