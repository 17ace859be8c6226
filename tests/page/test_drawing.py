"""Pictures of circuits."""

from __future__ import annotations

import math

import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter

from qtasks.api.page import checked
from qtasks.api.page.drawing.reading import MOST_MARKS, MOST_WIRES, picture, picture_of
from qtasks.circuits.formats import dump

pytestmark = pytest.mark.system


def test_every_operation_is_told_in_words() -> None:
    circuit = QuantumCircuit(QuantumRegister(3, "q"), ClassicalRegister(2, "c"))
    circuit.h(0)
    circuit.ccx(0, 1, 2)
    circuit.cx(0, 1, ctrl_state=0)
    circuit.rz(math.pi / 4, 2)
    circuit.rx(Parameter("theta"), 2)
    circuit.swap(0, 2)
    circuit.barrier(0, 1)
    circuit.reset(1)
    circuit.measure(1, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(0)
    found = picture(dump(circuit))
    assert found is not None
    assert found.sentences == [
        "H on q[0]",
        "X on q[2], controlled by q[0], q[1]",
        "X on q[1], controlled by q[0] at 0",
        "RZ(π/4) on q[2]",
        "RX(theta) on q[2]",
        "SWAP on q[0], q[2]",
        "barrier on q[0], q[1]",
        "|0⟩ on q[1]",
        "measure q[1] into c[0]",
        "if(bit = 1) on q[0], with c",
    ]
    assert len(found.targets) == 2 and len(found.crosses) == 2
    assert [filled for _, _, filled in found.dots] == [True, True, False]


def test_what_spans_the_same_wires_stands_in_different_columns() -> None:
    circuit = QuantumCircuit(3)
    circuit.cx(0, 2)
    circuit.x(1)
    circuit.cx(0, 1)
    found = picture_of(circuit)
    assert found is not None
    (first, _, _, _), (second, _, _, _) = found.links
    (box,) = found.boxes
    assert first < box.x + box.width / 2 < second


def test_clbits_without_a_register_and_registers_that_share_them_have_wires() -> None:
    from qiskit.circuit import Clbit

    circuit = QuantumCircuit(QuantumRegister(1, "q"), ClassicalRegister(2, "c"))
    loose = Clbit()
    circuit.add_bits([loose])
    circuit.measure(0, loose)
    found = picture_of(circuit)
    assert found is not None
    assert [wire.name for _, wire in found.wires] == ["q", "c", "clbit 2"]
    assert found.sentences == ["measure q into clbit 2"]


def test_a_long_circuit_is_drawn_in_part_and_a_wide_one_not_at_all() -> None:
    long = QuantumCircuit(1)
    for _ in range(MOST_MARKS + 10):
        long.x(0)
    found = picture_of(long)
    assert found is not None
    assert (len(found.boxes), found.omitted) == (MOST_MARKS, 10)
    assert picture_of(QuantumCircuit(MOST_WIRES + 1)) is None
    assert picture_of(QuantumCircuit()) is None


def test_of_a_job_of_several_circuits_the_first_of_each_pub_is_drawn() -> None:
    from qtasks.circuits.analysis import analyse
    from qtasks.circuits.pubs import prepared
    from qtasks.circuits.pubs.prepared import Prepared, PreparedPub, Run

    circuits = [QuantumCircuit(1), QuantumCircuit(2)]
    pubs = (PreparedPub((2,), 10, ((Run(1, 10),), (Run(0, 10),))), PreparedPub((), 10, ((Run(0, 10),),)))
    several = prepared.dump(
        Prepared("sampler", tuple(map(dump, circuits)), (0, 1), tuple(map(analyse, circuits)), pubs)
    )
    drawn = checked.pictures(several, "job")
    assert [(one.title, len(one.picture.wires)) for one in drawn] == [
        ("PUB 0, the first of 2 points", 2),
        ("PUB 1", 1),
    ]


def test_a_circuit_that_cannot_be_read_costs_only_its_picture() -> None:
    assert checked.pictures(b"QISKIT, but not really", "job") == []
    assert checked.pictures(None, "job") == []
