"""Which terms share a measurement, and how shapes are stretched: as NumPy and Qiskit have it."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from qtasks.circuits.pubs import shapes
from qtasks.circuits.pubs.observables import bases, measured_qubits, serves

LABELS = st.lists(st.text("IXYZ", min_size=4, max_size=4), min_size=1, max_size=20)
SHAPES = st.lists(st.integers(1, 3), max_size=3).map(tuple)


@given(LABELS)
def test_every_term_has_a_basis_and_every_basis_a_term(labels: list[str]) -> None:
    found = bases(labels, 4)
    assert all(any(serves(basis, label) for basis in found) for label in labels)
    touching = {label for label in labels if label != "IIII"}
    assert len(found) <= max(1, len(touching))


def test_terms_that_commute_on_every_qubit_are_measured_together() -> None:
    assert bases(["ZZI", "IZZ", "ZIZ", "III"], 3) == ["ZZZ"]
    assert bases(["XX", "ZZ", "YY"], 2) == ["XX", "YY", "ZZ"]
    assert bases(["XI", "IZ"], 2) == ["XZ"]
    assert bases(["II"], 2) == ["IZ"]


def test_few_bases_serve_many_terms() -> None:
    """All 4³ terms on three qubits fit into 3³ bases, and no fewer."""
    assert len(bases(["".join(term) for term in product("IXYZ", repeat=3)], 3)) == 27


def test_clbits_are_the_measured_qubits_in_ascending_order() -> None:
    assert measured_qubits("XIYZ") == [0, 1, 3]


@given(SHAPES, SHAPES)
def test_shapes_broadcast_as_numpy_s_do(first: tuple[int, ...], second: tuple[int, ...]) -> None:
    try:
        wanted: tuple[int, ...] | None = np.broadcast_shapes(first, second)
    except ValueError:
        wanted = None
    assert shapes.broadcast(first, second) == wanted
    if wanted is not None:
        numbers = np.arange(shapes.size(first)).reshape(first)
        assert shapes.places(first, wanted) == np.broadcast_to(numbers, wanted).ravel().tolist()
        flat = list(range(shapes.size(wanted)))
        assert shapes.nested(flat, wanted) == np.arange(len(flat)).reshape(wanted).tolist()
