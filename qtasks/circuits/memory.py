"""Bytes that Aer's methods need for a circuit: formulas over plain numbers."""

from __future__ import annotations

import math

MAX_BYTES = 2**63 - 1
"""Estimates end here: it is what a database column and most readers of JSON can hold, and means "far too much"."""


def memory_estimates(
    qubits: int, active: int, bonds: list[int], extent: float | None, clifford: bool
) -> dict[str, int]:
    """Bytes per Aer method; `stabilizer` and `extended_stabilizer` only where they can run the circuit.

    - statevector: 16·2ⁿ, density_matrix: 16·4ⁿ (complex128), n the active qubits.
    - stabilizer: a Clifford table as Aer counts it, 2n·(16·(4+n)+16).
    - matrix_product_state: 32·χₗ·χᵣ + 8·χᵣ for each qubit, with the bond left of qubit k at most
      min(2ᵏ, 2ⁿ⁻ᵏ, the product of the Schmidt ranks of the gates across it). An upper bound for qubits in their own
      order; gates on distant qubits make Aer swap, which can widen inner bonds for a while.
    - extended_stabilizer: Aer's own 5·10⁻⁵ MiB · n · ⌈extent / 0.05²⌉.

    `bonds[k]` holds differences: their running sum at k is log2 of the rank product across the cut left of qubit k.
    `extent` is log2 of the product of stabilizer extents, or None.
    """
    estimates = {
        "statevector": _power(4 + active),
        "density_matrix": _power(4 + 2 * active),
        "matrix_product_state": _matrix_product_state(qubits, bonds),
    }
    if clifford:
        estimates["stabilizer"] = min(2 * active * (16 * (4 + active) + 16), MAX_BYTES)
    if extent is not None:
        terms = math.ceil(2.0 ** min(extent, 60.0) * 400 - 1e-9)
        estimates["extended_stabilizer"] = min(math.ceil(5e-5 * active * terms) << 20, MAX_BYTES)
    return estimates


def _power(exponent: int) -> int:
    return 1 << exponent if exponent < 63 else MAX_BYTES


def _matrix_product_state(qubits: int, bonds: list[int]) -> int:
    total, left, ranks = 0, 0, 0
    for k in range(1, qubits + 1):
        ranks += bonds[k]
        right = min(k, qubits - k, ranks)
        if left + right > 56:
            return MAX_BYTES
        total += (32 << (left + right)) + (8 << right)
        left = right
    return min(total, MAX_BYTES)
