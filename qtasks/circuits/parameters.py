"""Parameters of a circuit's own: what two circuits from two sandbox children call the same stays two things."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qiskit import QuantumCircuit
    from qiskit.circuit import Parameter

# Qiskit's generator of parameter UUIDs (Rust) goes on in every fork from the same state, so that `Parameter("t")` of
# two children would compare equal. It takes new entropy from the system after 64 KiB, which is 4096 UUIDs: 2 ms.
_UUIDS_UNTIL_RESEED = 4200


def renew(circuit: QuantumCircuit) -> None:
    """Puts new parameters of the same names in the place of those that are unbound. For a process that was forked."""
    from qiskit.circuit import Parameter, ParameterVector
    from qiskit.circuit.parametervector import ParameterVectorElement

    if not circuit.num_parameters:
        return
    for _ in range(_UUIDS_UNTIL_RESEED):
        Parameter("_")
    vectors: dict[object, ParameterVector] = {}
    new: dict[Parameter, Parameter] = {}
    for old in circuit.parameters:
        if isinstance(old, ParameterVectorElement):
            if old.vector.name not in vectors:
                vectors[old.vector.name] = ParameterVector(old.vector.name, len(old.vector))
            new[old] = vectors[old.vector.name][old.index]
        else:
            new[old] = Parameter(old.name)
    circuit.assign_parameters(new, inplace=True)
