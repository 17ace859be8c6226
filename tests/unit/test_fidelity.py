"""Expected fidelity: the product over the gates and readouts of the compiled circuit, by the device's calibration."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
from qiskit import QuantumCircuit

from qtasks.backends.compatibility import Capabilities
from qtasks.backends.device_model import target_of as model_target_of
from qtasks.backends.modelled import capabilities_of, model_entries, model_target
from qtasks.backends.snapshots import Snapshots
from qtasks.backends.target_data import mean_error, target_data, target_of, typical_errors
from qtasks.circuits.analysis import analyse
from qtasks.scheduling.fidelity import UNKNOWN, Basis, Compilation, Compiler, errors_of, estimated, expected
from tests.support.braket_devices import devices as braket_devices
from tests.support.circuits import bell

DATA = {
    "qubits": 3,
    "gates": {
        "sx": [[[0], 0.001, 4e-8], [[1], 0.002, 4e-8], [[2], 0.5, 4e-8]],
        "rz": [[[0], 0.0, 0.0], [[1], 0.0, 0.0], [[2], 0.0, 0.0]],
        "cx": [[[0, 1], 0.01, 3e-7], [[1, 0], 0.01, 3e-7], [[1, 2], 0.4, 9e-7], [[2, 1], 0.4, 9e-7]],
        "measure": [[[0], 0.02, 1e-6], [[1], 0.03, 1e-6], [[2], 0.25, 1e-6]],
    },
    "anywhere": ["delay", "reset"],
    "control_flow": ["if_else"],
}
ABLE = Capabilities("Garnet", qubits=6, basis_gates=frozenset(("cz", "prx")), resets=False)


def isa() -> QuantumCircuit:
    circuit = QuantumCircuit(3, 2)
    circuit.sx(0)
    circuit.cx(0, 1)
    circuit.barrier()
    circuit.measure([0, 1], [0, 1])
    return circuit


def test_every_gate_and_every_readout_counts_once() -> None:
    found = expected(isa(), errors_of(DATA))
    assert found.value == pytest.approx((1 - 0.001) * (1 - 0.01) * (1 - 0.02) * (1 - 0.03))
    assert (found.basis, found.two_qubit_gates, found.depth) == (Basis.COMPILED, 1, 3)


def test_the_duration_is_the_longest_way_through_the_circuit() -> None:
    circuit = isa()
    circuit.sx(2)
    assert expected(circuit, errors_of(DATA)).duration == pytest.approx(4e-8 + 3e-7 + 1e-6)


def test_blocks_of_control_flow_count() -> None:
    circuit = isa()
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.cx(1, 2)
    found = expected(circuit, errors_of(DATA))
    plain = expected(isa(), errors_of(DATA))
    assert plain.value is not None
    assert found.value == pytest.approx(plain.value * 0.6)
    assert found.two_qubit_gates == 2
    assert found.duration == pytest.approx(4e-8 + 3e-7 + 1e-6 + 9e-7)


def test_the_circuit_is_compiled_onto_the_good_qubits() -> None:
    found = Compiler().fidelity(bell(), "d", "c1", DATA, Compilation(level=2))
    assert found.value == pytest.approx((1 - 0.01) * (1 - 0.02) * (1 - 0.03), abs=0.005)


def test_the_layout_that_the_job_wants_is_the_one_that_counts() -> None:
    compiler = Compiler()
    bad = compiler.fidelity(bell(), "d", "c1", DATA, Compilation(layout=(1, 2)))
    assert bad.value is not None
    assert bad.value < 0.5


def test_a_new_calibration_is_compiled_for_anew() -> None:
    compiler, worse = Compiler(), copy.deepcopy(DATA)
    for place in worse["gates"]["measure"]:  # type: ignore[index]
        place[1] = 0.5
    first = compiler.fidelity(bell(), "d", "c1", DATA, Compilation())
    second = compiler.fidelity(bell(), "d", "c2", worse, Compilation())
    assert first.value is not None
    assert second.value is not None
    assert second.value < first.value / 2


def test_what_cannot_be_compiled_has_fidelity_zero_and_a_reason() -> None:
    circuit = QuantumCircuit(4)
    circuit.measure_all()
    found = Compiler().fidelity(circuit, "small", "c1", DATA, Compilation())
    assert found.value == 0
    assert found.problem is not None
    assert found.problem.startswith("The circuit cannot be compiled for small: ")
    assert found.problem.endswith(".")


def test_an_estimate_compiles_nothing_and_reckons_routing_in() -> None:
    analysis = analyse(isa())
    errors = {"one": 0.001, "two": 0.01, "readout": 0.02}
    plain = estimated(analysis, errors)
    assert plain.value == pytest.approx((1 - 0.001) * (1 - 0.01) * (1 - 0.02) ** 2)
    assert estimated(analysis, errors, 2.0).value == pytest.approx(plain.value**2)
    assert plain.basis is Basis.ESTIMATED
    assert estimated(analysis, None) == UNKNOWN


def test_typical_errors_are_medians_of_what_is_in_order() -> None:
    broken = copy.deepcopy(DATA)
    broken["gates"]["cx"].append([[0, 2], 1.0, 9e-7])  # type: ignore[index]
    assert typical_errors(broken) == {"one": 0.002, "two": pytest.approx(0.205), "readout": 0.03}
    assert mean_error(broken) == pytest.approx(0.205)


@pytest.mark.parametrize("name", ["fake_lagos", "fake_melbourne", "fake_singapore", "fake_sherbrooke", "fake_boston"])
def test_a_target_from_plain_data_has_the_gates_and_errors_of_the_model_s(name: str) -> None:
    snapshots = Snapshots()
    snapshot, data = snapshots.load(name), model_target(snapshots, name)
    assert data is not None
    mine, theirs = target_of(data), model_target_of(snapshot.configuration, snapshot.properties)
    assert mine.num_qubits == theirs.num_qubits
    assert set(mine.operation_names) - {"delay", "reset"} == set(theirs.operation_names) - {"delay", "reset"}
    for gate in set(mine.operation_names) & set(theirs.operation_names) - {"delay", "reset"}:
        if theirs[gate] == {None: None}:
            continue
        assert set(mine[gate]) == set(theirs[gate])
        for qubits, properties in theirs[gate].items():
            if properties is not None:
                assert mine[gate][qubits].error == properties.error
                assert mine[gate][qubits].duration == pytest.approx(properties.duration)


@pytest.mark.system
def test_every_device_that_is_shipped_has_figures() -> None:
    entries = {entry.name: entry for entry in model_entries()}
    assert len(entries) > 60
    for entry in entries.values():
        assert entry.calibration is not None
        assert entry.errors is not None
        if entry.qubits is not None and entry.qubits > 1:
            assert entry.mean_error is not None
            assert 0 < entry.mean_error < 0.2 or entry.mean_error == 1


def test_a_broken_qubit_is_not_used() -> None:
    snapshot = Snapshots().load("fake_lagos")
    properties = copy.deepcopy(dict(snapshot.properties))
    properties["qubits"][0].append({"name": "operational", "value": 0})
    data = target_data(properties, capabilities_of(snapshot))
    assert data is not None
    assert all(0 not in qubits for places in data["gates"].values() for qubits, _, _ in places)


def test_a_qpu_of_braket_has_a_target_from_what_braket_says() -> None:
    garnet = next(device for device in braket_devices() if device.name == "Garnet")
    data = target_data({"standardized": garnet.capabilities["standardized"]}, ABLE)
    assert data is not None
    assert typical_errors(data) == {
        "one": pytest.approx(0.001),
        "two": pytest.approx(0.01),
        "readout": pytest.approx(0.03),
    }
    found = Compiler().fidelity(bell(), "Garnet", "c1", data, Compilation())
    assert found.value == pytest.approx(0.99 * 0.97**2, abs=0.005)
    assert data["anywhere"] == ["delay"]


def test_a_qpu_of_which_means_alone_are_told_has_all_its_qubits_connected() -> None:
    means = {"fidelity": {"1Q": {"mean": 0.9998}, "2Q": {"mean": 0.99}, "spam": {"mean": 0.995}}}
    data = target_data({"provider": means}, replace(ABLE, qubits=4))
    assert data is not None
    assert len(data["gates"]["cz"]) == 6
    assert mean_error(data) == pytest.approx(0.01)


def test_a_calibration_that_tells_nothing_gives_no_target() -> None:
    assert target_data({"provider": {"properties": {}}}, ABLE) is None
    assert target_data({}, ABLE) is None
