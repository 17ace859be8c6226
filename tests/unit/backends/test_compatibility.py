"""Which backend can run which circuit, and that the real Aer agrees."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ClassicalRegister, Gate, QuantumRegister
from qiskit.circuit.classical import expr, types
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import Kraus
from qiskit_aer import AerSimulator

from qtasks.backends.compatibility import Capabilities, local_simulator, of_backend, problems
from qtasks.backends.pass_managers import preset_pass_manager
from qtasks.circuits.analysis import analyse
from tests.support.circuits import bell

Build = Callable[[QuantumCircuit, ClassicalRegister], Any]


def circuit(build: Build | None = None, *, measured: bool = True) -> QuantumCircuit:
    """q0 is measured into c0, then `build`, then q1 into c1."""
    register = ClassicalRegister(2, "c")
    made = QuantumCircuit(QuantumRegister(3, "q"), register)
    made.h(0)
    if measured:
        made.measure(0, 0)
    if build is not None:
        build(made, register)
    if measured:
        made.measure(1, 1)
    return made


def reasons(made: QuantumCircuit, able: Capabilities, shots: int = 100, method: str = "automatic") -> list[str]:
    found = problems(analyse(made), shots, able, method=method)
    for problem in found:
        assert problem.message.endswith(".") and problem.hint.endswith(".")
    return [problem.reason for problem in found]


def _if(condition: Callable[[ClassicalRegister], Any]) -> Build:
    def build(made: QuantumCircuit, register: ClassicalRegister) -> None:
        with made.if_test(condition(register)):
            made.x(1)

    return build


def _while(made: QuantumCircuit, register: ClassicalRegister) -> None:
    with made.while_loop((register[0], 1)):
        made.h(0)
        made.measure(0, 0)


def _for(made: QuantumCircuit, register: ClassicalRegister) -> None:
    with made.for_loop(range(3)):
        made.x(1)
        with made.if_test((register[0], 1)):
            made.break_loop()


def _switch(made: QuantumCircuit, register: ClassicalRegister) -> None:
    with made.switch(register) as case:
        with case(0):
            made.x(1)
        with case(case.DEFAULT):
            made.y(2)


def _store(made: QuantumCircuit, register: ClassicalRegister) -> None:
    made.store(register[1], expr.logic_not(register[0]))


def _kraus(made: QuantumCircuit, register: ClassicalRegister) -> None:
    made.append(Kraus([[[1, 0], [0, 0]], [[0, 0], [0, 1]]]).to_instruction(), [1])


def _initialize(made: QuantumCircuit, register: ClassicalRegister) -> None:
    made.initialize([0, 1], 1)


RUNS_ON_AER: dict[str, Build] = {
    "nothing": lambda made, register: None,
    "if on a bit": _if(lambda register: (register[0], 1)),
    "if on a register": _if(lambda register: (register, 1)),
    "if on an expression": _if(lambda register: expr.less(expr.bit_xor(register, 1), 2)),
    "while": _while,
    "for with break": _for,
    "switch": _switch,
    "store": _store,
    "kraus": _kraus,
    "initialize": _initialize,
    "reset": lambda made, register: made.reset(1),
}


@pytest.mark.parametrize("name", RUNS_ON_AER)
def test_what_is_passed_runs_on_aer(name: str) -> None:
    made = circuit(RUNS_ON_AER[name])
    assert reasons(made, local_simulator()) == []
    simulator = AerSimulator()
    run = preset_pass_manager(0, backend=simulator).run(made)
    result = simulator.run(run, shots=20, enable_truncation=False).result()
    assert result.success and sum(result.get_counts().values()) == 20


def _variable_if(made: QuantumCircuit, register: ClassicalRegister) -> None:
    number = made.add_var("number", expr.lift(5, types.Uint(8)))
    with made.if_test(expr.less(number, 6)):
        made.x(1)


def _input(made: QuantumCircuit, register: ClassicalRegister) -> None:
    with made.if_test(made.add_input("ready", types.Bool())):
        made.x(1)


def _repeated(made: QuantumCircuit, register: ClassicalRegister) -> None:
    with made.for_loop([1, 1]):
        made.x(1)


def _no_qubits(made: QuantumCircuit, register: ClassicalRegister) -> None:
    with made.if_test((register, 0)):
        made.store(register[1], expr.lift(True))


def _switch_on_expression(made: QuantumCircuit, register: ClassicalRegister) -> None:
    with made.switch(expr.bit_not(register)) as case, case(0):
        made.x(1)


def _box(made: QuantumCircuit, register: ClassicalRegister) -> None:
    with made.box():
        made.x(1)


REFUSED_FOR_AER: dict[str, tuple[Build, str]] = {
    "a variable": (_variable_if, "RuntimeVariablesUnsupported"),
    "an input": (_input, "RuntimeVariablesUnsupported"),
    "a cast to bool": (_if(lambda register: expr.logic_not(register)), "UnsupportedControlFlow"),
    "a sum": (_if(lambda register: expr.less(expr.add(register, 1), 2)), "UnsupportedControlFlow"),
    "an index": (_if(lambda register: expr.index(register, 0)), "UnsupportedControlFlow"),
    "a repeated index": (_repeated, "UnsupportedControlFlow"),
    "a block without qubits": (_no_qubits, "UnsupportedControlFlow"),
    "a switch on an expression": (_switch_on_expression, "UnsupportedControlFlow"),
    "a box": (_box, "UnsupportedControlFlow"),
    "an oracle": (lambda made, register: made.append(Gate("oracle", 1, []), [1]), "UnsupportedInstruction"),
}


@pytest.mark.parametrize("name", REFUSED_FOR_AER)
def test_what_aer_cannot_run_is_refused(name: str) -> None:
    build, reason = REFUSED_FOR_AER[name]
    assert reasons(circuit(build), local_simulator()) == [reason]


# What Aer makes of the refused ones, each in a process of its own. When one of these fails, Aer has learnt it, and the
# refusal may go.
_RUN = """
import json, os, sys
from qiskit_aer import AerSimulator
from qtasks.backends.pass_managers import preset_pass_manager
from tests.unit.backends.test_compatibility import REFUSED_FOR_AER, circuit

def runs(name):
    made = circuit(REFUSED_FOR_AER[name][0])
    for _ in range(200):
        made.rx(0.1, 2)
    made.measure(2, 0)
    simulator = AerSimulator()
    run = preset_pass_manager(0, backend=simulator).run(made)
    return simulator.run(run, shots=100, max_parallel_threads=2).result().success

fates = {}
for name in sys.argv[1:]:
    child = os.fork()
    if not child:
        try:
            os._exit(0 if runs(name) else 1)
        except Exception:
            os._exit(1)
    fates[name] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print(json.dumps(fates))
"""
_WRONG_COUNTS = ("a cast to bool", "a block without qubits", "an oracle")


@pytest.mark.system
def test_aer_fails_on_what_is_refused() -> None:
    names = [name for name in REFUSED_FOR_AER if name not in _WRONG_COUNTS]
    run = subprocess.run([sys.executable, "-c", _RUN, *names], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == dict.fromkeys(names, 1) | {"a variable": -signal.SIGABRT}, run.stderr


def counts(made: QuantumCircuit) -> dict[str, int]:
    simulator = AerSimulator()
    run = preset_pass_manager(0, backend=simulator).run(made)
    found: dict[str, int] = simulator.run(run, shots=10).result().get_counts()
    return found


def test_aer_inverts_a_cast_to_bool() -> None:
    register = ClassicalRegister(1, "c")
    made = QuantumCircuit(QuantumRegister(1), register)
    with made.if_test(expr.logic_not(register)):
        made.x(0)
    made.measure(0, 0)
    assert counts(made) == {"0": 10}, "not 0 is true, and 1 would be right"


def test_aer_reads_a_wide_register_wrongly() -> None:
    register = ClassicalRegister(33, "c")
    made = QuantumCircuit(QuantumRegister(2), register)
    made.x(0)
    made.measure(0, 32)
    with made.if_test(expr.equal(register, 1)):
        made.x(1)
    made.measure(1, 31)
    assert counts(made) == {"11" + "0" * 31: 10}, "the register is 2**32, not 1, and bit 31 should be 0"


def test_aer_loses_the_condition_of_a_block_without_qubits() -> None:
    register = ClassicalRegister(2, "c")
    made = QuantumCircuit(QuantumRegister(1), register)
    with made.if_test((register, 1)), made.if_test((register, 1)):
        made.store(register[0], expr.lift(True))
    made.x(0)
    made.measure(0, 1)
    assert counts(made) == {"11": 10}, "nothing ever sets bit 0"


def test_methods_differ() -> None:
    assert reasons(circuit(_if(lambda c: (c, 1))), local_simulator("extended_stabilizer")) == [
        "DynamicCircuitsUnsupported"
    ]
    assert reasons(circuit(_kraus), local_simulator("stabilizer")) == ["UnsupportedInstruction"]
    assert reasons(circuit(_store), local_simulator("density_matrix")) == ["UnsupportedControlFlow"]
    wide = QuantumCircuit(64, 1)
    wide.h(0)
    wide.measure(0, 0)
    assert reasons(wide, local_simulator("extended_stabilizer")) == ["TooManyQubits"]
    assert reasons(wide, local_simulator("matrix_product_state")) == []
    assert reasons(wide, local_simulator("stabilizer")) == []


def test_memory_is_compared_by_method() -> None:
    wide = QuantumCircuit(30)
    wide.h(range(30))
    wide.t(range(30))
    wide.measure_all()
    gib = 2**30
    assert reasons(wide, local_simulator(memory=15 * gib)) == ["InsufficientMemory"]
    assert reasons(wide, local_simulator(memory=16 * gib)) == []
    mps = local_simulator("matrix_product_state", memory=gib)
    assert reasons(wide, mps, method="matrix_product_state") == []
    assert reasons(wide, local_simulator("stabilizer", memory=gib), method="stabilizer") == ["MethodCannotRun"]


def test_sentences_carry_the_numbers() -> None:
    able = Capabilities("little", qubits=2, max_shots=50)
    found = problems(analyse(circuit()), 100, able)
    assert [problem.message for problem in found] == [
        "The circuit has 3 qubits; little has 2.",
        "The job asks for 100 shots; little takes 50.",
    ]


def test_a_simple_device_says_what_it_lacks() -> None:
    device = Capabilities("device", qubits=5, resets=False)
    assert reasons(bell(), device) == []
    assert reasons(circuit(_while), device) == ["DynamicCircuitsUnsupported"]
    assert reasons(circuit(lambda made, register: made.reset(1)), device) == ["UnsupportedInstruction"]
    assert reasons(circuit(_initialize), device) == ["UnsupportedInstruction"]
    assert reasons(circuit(_kraus), device) == ["UnsupportedInstruction"]
    assert reasons(circuit(measured=False), device) == ["NothingMeasured"]
    assert reasons(circuit(_box), device) == ["UnsupportedControlFlow"]
    saved = circuit(lambda made, register: made.append(Gate("save_state", 1, []), [1]))
    assert "counts" in problems(analyse(saved), 1, device)[0].hint


def test_a_qiskit_backend_tells_its_own() -> None:
    plain = of_backend(GenericBackendV2(5, seed=1), max_shots=4000)
    assert (plain.qubits, plain.dynamic_circuits, plain.max_shots) == (5, False, 4000)
    assert plain.basis_gates is not None and "cx" in plain.basis_gates and "measure" not in plain.basis_gates
    assert reasons(bell(), plain) == []
    assert reasons(circuit(_while), plain, shots=4001) == ["DynamicCircuitsUnsupported", "TooManyShots"]
    dynamic = of_backend(GenericBackendV2(5, seed=1, control_flow=True))
    assert dynamic.dynamic_circuits and reasons(circuit(_while), dynamic) == []
    wide = QuantumCircuit(6)
    wide.measure_all()
    assert reasons(wide, dynamic) == ["TooManyQubits"]


def test_aers_own_target_agrees() -> None:
    for method in ("statevector", "matrix_product_state", "extended_stabilizer", "stabilizer", "density_matrix"):
        told, written = of_backend(AerSimulator(method=method)), local_simulator(method)
        assert told.control_flow == written.control_flow
        assert told.dynamic_circuits == written.dynamic_circuits
        if written.qubits is not None:
            assert told.qubits == written.qubits
        assert written.instructions <= told.instructions


def test_it_needs_no_qiskit() -> None:
    code = "import sys, qtasks.backends.compatibility; sys.exit('qiskit' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
