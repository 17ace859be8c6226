"""Counts and Qiskit objects agree with Qiskit and Aer themselves."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Clbit
from qiskit.primitives import BitArray
from qiskit_aer import AerSimulator
from qiskit_aer.primitives import SamplerV2

from qtasks.errors import InvalidInput
from qtasks.results import EstimatorPubResult, SamplerPubResult, classical_memory

from .examples import BELL, with_pubs

sizes = st.lists(st.integers(0, 4), min_size=1, max_size=4).filter(any)
filled = st.lists(st.integers(1, 4), min_size=1, max_size=4)  # Aer's own sampler fails on an empty register


def run(circuit: QuantumCircuit, shots: int = 200) -> tuple[SamplerPubResult, dict[str, int]]:
    """The circuit's counts as qtasks keeps them, and as Qiskit prints them, of one and the same run."""
    result = AerSimulator().run(circuit, shots=shots, seed_simulator=11).result()
    data = result.to_dict()["results"][0]["data"]
    return SamplerPubResult(*memory_of(circuit, shots, data["counts"])), result.get_counts()


def memory_of(circuit: QuantumCircuit, shots: int, counts: dict[str, int]) -> Any:
    registers, num_clbits, clbits = classical_memory(circuit)
    return registers, num_clbits, shots, counts, clbits


def random_circuit(sizes: list[int], seed: int) -> QuantumCircuit:
    dice = random.Random(seed)
    registers = [ClassicalRegister(size, f"r{number}") for number, size in enumerate(sizes)]
    circuit = QuantumCircuit(QuantumRegister(3), *registers)
    for qubit in range(3):
        circuit.rx(dice.uniform(0, 3), qubit)
    circuit.cx(0, 1)
    for clbit in circuit.clbits:
        circuit.measure(dice.randrange(3), clbit)
        circuit.rx(dice.uniform(0, 3), dice.randrange(3))
    return circuit


@settings(max_examples=40, deadline=None)
@given(sizes, st.integers(0, 10**6))
def test_counts_are_those_that_qiskit_prints(sizes: list[int], seed: int) -> None:
    pub, printed = run(random_circuit(sizes, seed))
    assert pub.clbits is None
    assert pub.get_counts() == printed
    assert with_pubs(pub).get_counts() == printed


@settings(max_examples=20, deadline=None)
@given(filled, st.integers(0, 10**6))
def test_bit_arrays_are_those_of_aers_sampler(sizes: list[int], seed: int) -> None:
    circuit = random_circuit(sizes, seed)
    pub, _ = run(circuit)
    theirs = SamplerV2(seed=11).run([circuit], shots=200).result()[0].data
    ours = with_pubs(pub).to_primitive_result()[0].data
    assert list(ours) == list(theirs)
    for name in ours:
        assert ours[name].array.shape == theirs[name].array.shape
        assert ours[name].get_counts() == theirs[name].get_counts()
    together = BitArray.concatenate_bits([ours[name] for name in ours]).get_counts()
    assert together == {outcome.replace(" ", ""): count for outcome, count in pub.get_counts().items()}


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_registers_that_overlap_or_leave_clbits_over_show_their_true_bits(data: st.DataObject) -> None:
    circuit = QuantumCircuit(2)
    circuit.x(1)
    bits = [Clbit() for _ in range(data.draw(st.integers(1, 8)))]
    circuit.add_bits(bits)
    for number in range(data.draw(st.integers(0, 3))):
        members = data.draw(st.lists(st.sampled_from(bits), unique=True, max_size=5))
        circuit.add_register(ClassicalRegister(bits=members, name=f"r{number}"))
    values = {bit: data.draw(st.integers(0, 1)) for bit in bits}
    for bit, value in values.items():
        circuit.measure(value, bit)
    pub, printed = run(circuit, shots=5)

    def text(bits: list[Clbit]) -> str:
        return "".join(str(values[bit]) for bit in reversed(bits))

    loose = [bit for bit in bits if not any(bit in register for register in circuit.cregs)]
    groups = [text(list(register)) for register in circuit.cregs] + ([text(loose)] if loose else [])
    assert pub.get_counts() == {" ".join(reversed(groups)): 5}
    if not circuit.cregs or pub.clbits is None:
        assert pub.get_counts() == printed
    arrays = with_pubs(pub).to_primitive_result()[0].data
    for register in circuit.cregs:
        if len(register):  # Qiskit cannot count a BitArray of no bits
            assert arrays[register.name].get_bitstrings() == [text(list(register))] * 5


def test_loose_clbits_lose_no_counts_where_qiskit_overwrites_them() -> None:
    circuit = QuantumCircuit(2)
    circuit.add_register(ClassicalRegister(1, "kept"))
    circuit.add_bits([Clbit()])
    circuit.h([0, 1])
    circuit.measure([0, 1], [0, 1])
    pub, printed = run(circuit, shots=1000)
    assert sum(printed.values()) < 1000
    assert sum(pub.get_counts().values()) == 1000
    assert set(pub.get_counts()) == {"0 0", "0 1", "1 0", "1 1"}


def test_the_most_significant_bit_is_the_last_clbit() -> None:
    pub = SamplerPubResult([("a", 1), ("b", 2)], 3, 3, {"0x1": 2, "0x4": 1})
    assert pub.get_counts() == {"00 1": 2, "10 0": 1}


def test_correlations_between_registers_are_kept() -> None:
    pub = SamplerPubResult([("a", 1), ("b", 1)], 2, 100, {"0x0": 40, "0x3": 60})
    data = with_pubs(pub).to_primitive_result()[0].data
    assert Counter(zip(data.a.get_bitstrings(), data.b.get_bitstrings(), strict=True)) == {
        ("0", "0"): 40,
        ("1", "1"): 60,
    }


def test_a_hundred_clbits_are_no_trouble() -> None:
    ones = hex(2**100 - 1)
    pub = SamplerPubResult([("meas", 100)], 100, 10, {"0x0": 4, ones: 6})
    assert pub.get_counts() == {"0" * 100: 4, "1" * 100: 6}
    assert pub.to_primitive().data.meas.get_counts() == pub.get_counts()


def test_a_circuit_that_measures_nothing_has_no_counts_and_zeros_in_its_registers() -> None:
    circuit = QuantumCircuit(1, 2)
    data = AerSimulator().run(circuit, shots=7).result().to_dict()["results"][0]["data"]
    pub = SamplerPubResult(*memory_of(circuit, 7, data.get("counts", {})))
    assert pub.get_counts() == {}
    theirs = SamplerV2().run([circuit], shots=7).result()[0].data.c
    assert pub.to_primitive().data.c == theirs


def test_probabilities_add_up_to_one() -> None:
    assert BELL.get_probabilities() == {"00": 510 / 1024, "11": 514 / 1024}
    assert sum(BELL.get_probabilities().values()) == pytest.approx(1)


def test_a_primitive_result_says_its_shots_and_job() -> None:
    result = BELL.to_primitive_result()
    assert result.metadata == {"version": 2, "job_id": "job-1"}
    assert result[0].metadata == {"shots": 1024}
    assert result[0].data.meas.num_shots == 1024
    assert result[0].join_data().get_counts() == BELL.get_counts()


def test_a_register_whose_name_qiskit_reserves_is_refused_by_the_primitive_result_alone() -> None:
    result = with_pubs(SamplerPubResult([("shape", 1)], 1, 1, {"0x1": 1}))
    assert result.get_counts() == {"1": 1}
    with pytest.raises(InvalidInput) as caught:
        result.to_primitive_result()
    assert caught.value.reason == "RegisterNameTaken"


def test_an_estimator_has_values_and_no_counts() -> None:
    result = with_pubs(EstimatorPubResult([[0.5, -1.0]], [[0.1, 0.0]], {"precision": 0.1}), program="estimator")
    data = result.to_primitive_result()[0].data
    assert data.shape == (1, 2)
    np.testing.assert_array_equal(data.evs, [[0.5, -1.0]])
    np.testing.assert_array_equal(data.stds, [[0.1, 0.0]])
    for asked in (result.get_counts, result.get_probabilities):
        with pytest.raises(InvalidInput) as caught:
            asked()
        assert caught.value.reason == "NoCounts"


@pytest.mark.parametrize("pub", [1, -1])
def test_a_pub_that_is_not_there_is_refused(pub: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        BELL.get_counts(pub)
    assert caught.value.reason == "NoSuchPub"


def test_importing_results_imports_neither_qiskit_nor_numpy() -> None:
    code = (
        "import sys, qtasks.results, qtasks.results.formats, qtasks.results.outputs, qtasks.results.histogram\n"
        "print([name for name in ('qiskit', 'numpy', 'boto3') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert answer.stdout.strip() == "[]"
