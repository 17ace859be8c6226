"""Which gates Aer 0.18's methods know, and how to tell one gate's definition from another's."""

from __future__ import annotations

import math
from typing import Any


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# From qiskit_aer/backends/backend_utils.py (BASIS_GATES) and the OpSets in Aer's C++ sources, 0.18.
STABILIZER_GATES = _names("""
    id x y z h s sdg sx sxdg cx cy cz swap pauli ecr delay measure reset barrier store jump mark
    break_loop continue_loop
""")
AER_GATES = STABILIZER_GATES | _names("""
    u1 u2 u3 u p r rx ry rz t tdg csx cp cu cu1 cu2 cu3 rxx ryy rzz rzx ccx ccz crx cry crz cswap mcx mcy mcz mcsx mcp
    mcphase mcu mcu1 mcu2 mcu3 mcrx mcry mcrz mcr mcswap unitary diagonal multiplexer mcx_gray kraus superop
""")
RANK_2_GATES = _names("ecr rxx ryy rzz rzx ccz mcz mcp mcphase")
"""Besides controlled gates: gates whose operator-Schmidt rank across any cut is 2, so a bond at most doubles."""

EXTENDED_STABILIZER_GATES = STABILIZER_GATES - {"cy", "store"} | _names("t tdg u1 p ccx ccz rz")
_T_EXTENT = math.log2(1 / math.cos(math.pi / 8) ** 2)
_CCX_EXTENT = math.log2(16 / 9)
EXTENDED_STABILIZER_EXTENTS = {"t": _T_EXTENT, "tdg": _T_EXTENT, "ccx": _CCX_EXTENT, "ccz": _CCX_EXTENT}
"""log2 of the stabilizer extent, the factor on the number of terms (Aer: extended_stabilizer/gates.hpp)."""

AER_INSTRUCTIONS = AER_GATES | _names("""
    initialize roerror qerror_loc quantum_channel save_amplitudes save_amplitudes_sq save_clifford save_density_matrix
    save_expval save_expval_var save_matrix_product_state save_probabilities save_probabilities_dict save_stabilizer
    save_state save_statevector save_statevector_dict save_superop save_unitary set_density_matrix
    set_matrix_product_state set_stabilizer set_statevector set_superop set_unitary aer_store
""")
"""Every name that Aer's assembler acts on. It looks at nothing but the name: not at the class, nor at a definition."""

CHANNELS = _names("kraus superop")
"""Operations without a definition that Aer knows nevertheless: what `Kraus` and `SuperOp` of quantum_info become."""

# Library gates that name, qubits and parameters say everything about: no need to build their definition.
COMPLETE_LIBRARY_GATES = _names("""
    measure reset barrier delay initialize state_preparation state_preparation_dg unitary diagonal pauli permutation qft
    mcx mcx_gray mcx_recursive mcx_vchain mcphase isometry global_phase break_loop continue_loop store
""")

# Where a gate's name means one thing. `qiskit.circuit.gate` and `instruction` are not here: those are users' own gates.
LIBRARY = tuple(
    f"qiskit.circuit.{module}"
    for module in ("library.", "measure", "reset", "barrier", "delay", "store", "controlflow.")
)

_EPSILON = 2.220446049250313e-16


def base_name(name: str) -> str:
    """A controlled gate's name without the suffix for controls on 0 (`cx_o0` is `cx`): Aer puts X gates around it."""
    cut = name.find("_o")
    return name[:cut] if cut > 0 and name[cut + 2 :].isdigit() else name


def is_clifford_angle(angle: float) -> bool:
    """Whether Aer takes `rz(angle)` for Clifford: a multiple of π/2 within floating-point rounding."""
    turns = angle * 2.0 / math.pi
    if not math.isfinite(turns):
        return False
    near = float(round(turns))
    difference = abs(turns - near)
    return difference <= _EPSILON or difference <= _EPSILON * max(abs(turns), abs(near))


def u1_extent(angle: float) -> float:
    """log2 of the stabilizer extent of `u1(angle)` (Aer: `u1_extent`)."""
    angle = abs(angle) % (math.pi / 2)
    angle = min(angle, math.pi / 2 - angle)
    return 2 * math.log2(math.cos(angle / 2) + math.tan(math.pi / 8) * math.sin(angle / 2))


def home_module(operation: Any) -> str:
    """The module of an operation's class; of the class behind it for Qiskit's singletons, whose own says nothing."""
    return getattr(operation, "base_class", type(operation)).__module__ or ""


def is_library(operation: Any) -> bool:
    """Whether an operation is one of Qiskit's own, or such a one with more controls: its name can be believed."""
    module = home_module(operation)
    if module == "qiskit.circuit.controlledgate":
        return is_library(operation.base_gate)
    return module.startswith(LIBRARY)


def definition_key(operation: Any) -> object | None:
    """What two operations share exactly when their definitions are the same object or text; None when nothing tells.

    Without it a QASM2 file of thirty gates, each made of two of the one before, costs 2³⁰ steps to walk. The caller
    must keep `operation` alive for as long as it uses the key: it may hold an `id`.
    """
    known_gates = getattr(operation, "_gates", None)  # qiskit.qasm2 makes a new definition for each use of a gate
    if known_gates is not None:
        return operation.name, tuple(operation.params), id(known_gates)
    definition = getattr(operation, "_definition", None)
    if definition is not None:
        return id(definition)
    return None
