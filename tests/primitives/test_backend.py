"""`QTasksBackend` before anything is run: its target, its options, and what it refuses."""

from __future__ import annotations

import copy

import pytest
from qiskit import QuantumCircuit, transpile

from qtasks.errors import InvalidInput, NotFound
from qtasks.primitives import Options, QTasksBackend, SamplerV2
from qtasks.primitives.targets import catalogued

pytestmark = pytest.mark.system  # importing Aer takes a second

PERTH = {"type": "ibm_simulator", "name": "ibm_perth"}


def test_a_modelled_device_has_the_target_of_its_snapshot() -> None:
    backend = QTasksBackend(PERTH)
    assert backend.name == "ibm_perth"
    assert backend.num_qubits == 7
    assert {"cx", "rz", "sx", "x", "measure", "delay"} <= set(backend.operation_names)
    assert backend.dt is not None
    assert 1e-5 < backend.qubit_properties(3).t1 < 1e-3
    assert backend.target["cx"][(0, 1)].error > 0


def test_circuits_are_compiled_for_the_device() -> None:
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    compiled = transpile(circuit, QTasksBackend(PERTH), initial_layout=[3, 5])
    assert compiled.num_qubits == 7
    assert set(compiled.count_ops()) <= {"rz", "sx", "x", "cx", "measure", "barrier"}


def test_the_local_simulator_has_the_target_of_aer() -> None:
    from qiskit_aer import AerSimulator

    assert set(QTasksBackend().operation_names) == set(AerSimulator().operation_names)


def test_a_copy_is_the_same_backend() -> None:
    backend = QTasksBackend(PERTH)
    assert copy.deepcopy({"backend": backend})["backend"] is backend


def test_options_are_those_of_the_primitives_and_of_qiskit() -> None:
    backend = QTasksBackend(shots=10, priority="high")
    backend.set_options(seed_simulator=3)
    assert (backend.options.shots, backend.options.priority, backend.options.seed_simulator) == (10, "high", 3)
    with pytest.raises(AttributeError):
        QTasksBackend(shotz=10)


@pytest.mark.parametrize("where", ["ibm_cloud", {"type": "ibm_simulator", "device": "x"}])
def test_a_place_that_there_is_not_is_refused_at_once(where: object) -> None:
    with pytest.raises(InvalidInput):
        QTasksBackend(where)  # type: ignore[arg-type]


def test_a_device_must_be_named() -> None:
    with pytest.raises(InvalidInput) as refused:
        _ = QTasksBackend("ibm_quantum").target
    assert refused.value.reason == "DeviceMissing"


def test_unclassified_outcomes_and_an_empty_list_are_refused() -> None:
    for circuits, options, reason in (
        ([], {}, "NoCircuits"),
        (QuantumCircuit(1), {"meas_level": 1}, "MeasurementLevelUnsupported"),
    ):
        with pytest.raises(InvalidInput) as refused:
            QTasksBackend().run(circuits, **options)
        assert refused.value.reason == reason


def test_circuits_for_a_backend_are_taken_as_compiled() -> None:
    assert QTasksBackend.compiled(Options()).optimization_level == 0
    assert QTasksBackend.compiled(Options(optimization_level=2)).optimization_level == 2


def test_an_option_that_there_is_not_is_named() -> None:
    with pytest.raises(InvalidInput) as refused:
        SamplerV2(default_shotz=1)
    assert refused.value.reason == "UnknownOption"
    assert "default_shots" in refused.value.hint


def test_a_providers_device_has_the_target_of_the_catalogue() -> None:
    target = {
        "qubits": 2,
        "gates": {"cz": [[[0, 1], 0.01, 3e-7]], "sx": [[[0], 1e-4, 3e-8], [[1], 1e-4, 3e-8]]},
        "anywhere": ["delay"],
        "control_flow": ["if_else"],
    }
    here = {"type": "ibm_quantum", "account": "lab", "status": {"target": target}}
    there = {"type": "ibm_quantum", "account": "other", "status": {"target": None}}
    where = {"type": "ibm_quantum", "name": "ibm_fez", "account": "lab"}
    found = catalogued([there, here], where)
    assert set(found.operation_names) == {"cz", "sx", "delay", "if_else"}
    assert found["cz"][(0, 1)].duration == 3e-7
    with pytest.raises(NotFound) as unknown:
        catalogued([there, here], {**where, "account": "other"})
    assert unknown.value.reason == "TargetUnknown"
