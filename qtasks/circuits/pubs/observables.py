"""Which terms of observables one measurement serves: bases of qubit-wise commuting Paulis. Pure."""

from __future__ import annotations

from collections.abc import Iterable

_LETTERS = {(False, False): "I", (True, False): "X", (True, True): "Y", (False, True): "Z"}


def bases(labels: Iterable[str], qubits: int) -> list[str]:
    """Bases that all of `labels` can be read from, each as a label with the letter that each qubit is measured in.

    The heaviest terms are placed first, each with the first basis that it agrees with on every qubit that both touch:
    the greedy colouring of `PauliList.group_commuting(qubit_wise=True)`, in an order of our own. The identity is in
    every basis; where nothing else is asked for, qubit 0 is measured, as Qiskit does.
    """
    found: list[list[int]] = []
    for label in sorted(set(labels), key=lambda label: (label.count("I"), label)):
        x, z = _masks(label)
        touched = x | z
        if not touched:
            continue
        for basis in found:
            if not ((x ^ basis[0]) | (z ^ basis[1])) & touched & (basis[0] | basis[1]):
                basis[0] |= x
                basis[1] |= z
                break
        else:
            found.append([x, z])
    return [_label(x, z, qubits) for x, z in found] or ["I" * (qubits - 1) + "Z"]


def serves(basis: str, label: str) -> bool:
    """Whether a term can be read from a measurement in this basis."""
    return all(letter in ("I", measured) for letter, measured in zip(label, basis, strict=True))


def measured_qubits(basis: str) -> list[int]:
    """The qubits that are measured, in ascending order: the k-th of them into clbit k."""
    return [qubit for qubit, letter in enumerate(reversed(basis)) if letter != "I"]


def _masks(label: str) -> tuple[int, int]:
    x = int("".join("1" if letter in "XY" else "0" for letter in label), 2)
    z = int("".join("1" if letter in "YZ" else "0" for letter in label), 2)
    return x, z


def _label(x: int, z: int, qubits: int) -> str:
    return "".join(_LETTERS[bool(x >> qubit & 1), bool(z >> qubit & 1)] for qubit in reversed(range(qubits)))
