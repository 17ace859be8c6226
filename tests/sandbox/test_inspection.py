"""The checks of a source in a real sandbox: what is said, where, and what else is noted."""

from __future__ import annotations

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ClassicalRegister, Instruction, Parameter, ParameterVector, QuantumRegister

from qtasks.circuits import formats
from qtasks.circuits.sandbox import Checked, Rejected, Sandbox, Source
from qtasks.circuits.sandbox.answers import parse

pytestmark = pytest.mark.system

BELL = """
from qiskit import QuantumCircuit
qc = QuantumCircuit(2, 2)
qc.h(0)
qc.cx(0, 1)
qc.measure([0, 1], [0, 1])
"""
BUILD = "def build(n, angle=0.5):\n    from qiskit import QuantumCircuit\n    made = QuantumCircuit(n)\n"
BUILD += "    made.rx(angle, range(n))\n    made.measure_all()\n    return made\n"


def one(sandbox: Sandbox, source: str | bytes, **given: object) -> Checked | Rejected:
    data = source if isinstance(source, bytes) else source.encode("utf-8", "surrogatepass")
    return sandbox.check([Source("it", None, data, **given)])[0]  # type: ignore[arg-type]


def good(sandbox: Sandbox, source: str | bytes, **given: object) -> Checked:
    answer = one(sandbox, source, **given)
    assert isinstance(answer, Checked), answer
    return answer


def bad(sandbox: Sandbox, source: str | bytes, **given: object) -> Rejected:
    answer = one(sandbox, source, **given)
    assert isinstance(answer, Rejected), answer
    return answer


def test_an_import_is_refused_before_anything_runs(sandbox: Sandbox) -> None:
    answer = bad(sandbox, "print('ran')\nimport qiksit\n")
    assert (answer.reason, answer.line, answer.text) == ("ImportUnavailable", 2, "import qiksit")
    assert (answer.message, answer.hint) == ("There is no module 'qiksit' here.", "Nearest: qiskit.")
    assert answer.output == ""


def test_an_import_that_may_fail_is_the_sources_own_affair(sandbox: Sandbox) -> None:
    assert good(sandbox, "try:\n    import qiksit\nexcept ImportError:\n    pass\n" + BELL).notes == ()
    late = bad(sandbox, "def f():\n    from qiskit import QuantumCircut\nf()\n")
    assert (late.reason, late.line, late.hint) == ("ImportUnavailable", 2, "Nearest: QuantumCircuit.")


def test_what_is_loaded_and_what_is_not_can_be_imported(sandbox: Sandbox) -> None:
    loaded = "import numpy, scipy.linalg, math, random, itertools, cmath, fractions\n"
    assert good(sandbox, loaded + "from qiskit.circuit.library import QFTGate\n" + BELL)


def test_a_file_that_cannot_be_opened_is_explained(sandbox: Sandbox) -> None:
    answer = bad(sandbox, "x = 1\nopen('/nowhere/at/all')\n")
    assert (answer.reason, answer.line) == ("SourceError", 2)
    note = "Line 2 opens a file: the sandbox has no files of yours, so this will fail."
    assert (answer.hint, answer.notes) == (note, (note,))


def test_input_and_the_rest_are_noted_also_when_they_do_no_harm(sandbox: Sandbox) -> None:
    answer = bad(sandbox, "n = int(input())\n")
    assert answer.reason == "SourceError" and answer.hint.startswith("Line 1 reads input")
    run = BELL + "def later():\n    from qiskit import transpile\n    return transpile(qc)\n"
    assert good(sandbox, run).notes == (
        "Line 9 transpiles: qtasks compiles for its backend itself, so this may be left out.",
    )


def test_a_main_block_runs(sandbox: Sandbox) -> None:
    indented = BELL.replace("\n", "\n    ")
    assert good(sandbox, f"if __name__ == '__main__':{indented}\n").analysis.qubits == 2


def test_several_circuits_are_listed_with_size_and_line(sandbox: Sandbox) -> None:
    source = BELL.replace("qc", "a") + "b = QuantumCircuit(3)\n"
    assert bad(sandbox, source).message == (
        "The source makes several circuits: a (2 qubits, line 3), b (3 qubits, line 7)."
    )


def test_the_one_taken_in_place_of_qc_is_told(sandbox: Sandbox) -> None:
    answer = good(sandbox, BELL.replace("qc", "bell") + "qc = [bell]\n")
    assert answer.notes == ("`qc` is a list of 1, not a circuit: `bell` was taken.",)
    assert "as its own job" in bad(sandbox, BELL + "qc = [qc, qc.copy()]\n").hint


def test_a_function_is_called_with_the_parameters_it_names(sandbox: Sandbox) -> None:
    answer = good(sandbox, BUILD, parameters={"n": 3.0})
    assert (answer.analysis.qubits, answer.analysis.gates["rx"]) == (3, 3)
    missing = bad(sandbox, BUILD)
    assert (missing.reason, missing.message) == ("MissingArguments", "build() needs values for n.")
    assert bad(sandbox, BUILD, parameters={"n": 3.0, "m": 1.0}).reason == "UnknownParameters"
    raised = bad(sandbox, BUILD, parameters={"n": -1.0})
    assert (raised.reason, raised.line) == ("SourceError", 3)


def test_a_subclass_and_a_library_circuit_come_out_plain(sandbox: Sandbox) -> None:
    subclass = BELL.replace("qc = Q", "class Mine(QuantumCircuit):\n    pass\nqc = Mine(2, 2) or Q")
    library = "import warnings\nwarnings.simplefilter('ignore')\nfrom qiskit.circuit.library import QFT\n"
    library += "qc = QFT(3)\nqc.measure_all()\n"
    for source in (subclass, library):
        answer = good(sandbox, source)
        assert type(formats.load_canonical(answer.qpy)) is QuantumCircuit
        assert answer.analysis.measurements == answer.analysis.qubits


def test_vectors_are_bound_by_element(sandbox: Sandbox) -> None:
    circuit = QuantumCircuit(1, 1)
    for element in ParameterVector("theta", 2):
        circuit.rx(element, 0)
    circuit.measure(0, 0)
    qpy = formats.dump(circuit)
    assert good(sandbox, qpy, parameters={"theta[0]": 0.1, "theta[1]": 0.2}).analysis.parameters == []
    assert "theta[0], theta[1]" in bad(sandbox, qpy, parameters={"theta": 0.1}).hint
    assert "theta[1]" in bad(sandbox, qpy, parameters={"theta[0]": 0.1}).message
    assert bad(sandbox, qpy, parameters={"theta[0]": 0.1, "theta[1]": float("nan")}).reason == "InvalidParameter"


def _named(where: str, name: str) -> QuantumCircuit:
    qubits = QuantumRegister(1, name if where == "qubits" else "q")
    circuit = QuantumCircuit(qubits, ClassicalRegister(1, name if where == "clbits" else "c"))
    circuit.name = name if where == "circuit" else "mine"
    inner = QuantumCircuit(1, name=name if where == "gate" else "inner")
    inner.rx(Parameter(name if where == "parameter" else "t"), 0)
    circuit.append(inner.to_gate(), [0])
    circuit.measure(0, 0)
    return circuit


@pytest.mark.parametrize("where", ["circuit", "qubits", "clbits", "parameter", "gate"])
def test_names_that_a_database_cannot_keep_are_refused(sandbox: Sandbox, where: str) -> None:
    for name in ("a\0b", "n" * 1001):
        answer = bad(sandbox, formats.dump(_named(where, name)), bound=False)
        assert answer.reason == "InvalidName"
        assert "\0" not in answer.message
    assert good(sandbox, formats.dump(_named(where, "größe" * 200)), bound=False)


def test_half_a_surrogate_pair_is_refused_where_a_source_makes_it(sandbox: Sandbox) -> None:
    assert bad(sandbox, BELL + "qc.name = '\\ud800'\n").reason == "InvalidName"
    gate = "inner = QuantumCircuit(1, name='\\ud800')\ninner.x(0)\nqc.append(inner.to_gate(), [0])\n"
    assert bad(sandbox, BELL + gate).reason == "SourceError"


def test_what_a_source_says_can_be_kept(sandbox: Sandbox) -> None:
    answer = bad(sandbox, "print('a\\0\\ud800b')\nraise ValueError('c\\0\\ud800d')\n")
    assert answer.output.startswith("a\ufffd") and answer.message.startswith("ValueError: c\ufffd")
    for text in (answer.output, answer.message):
        assert "\0" not in text
        text.encode()
    assert bad(sandbox, "x = '\0'\n").text == "x = '\ufffd'"


def test_a_forged_answer_cannot_carry_more_than_a_real_one() -> None:
    head = b'{"id": 0, "ok": false, "error": {"reason": "SourceError", "message": "a\\u0000b"}, "notes": '
    answer = parse(head + b'["x\\u0000"]}')
    assert answer is not None and not answer.ok
    assert (answer.error.message, answer.notes) == ("a\ufffdb", ["x\ufffd"])
    assert parse(head + b'["' + b"x" * 301 + b'"]}') is None
    assert parse(head + b"[" + b", ".join([b'"x"'] * 10) + b"]}") is None
    assert parse(head + b"[7]}") is None


def test_a_gate_that_passes_for_another_is_refused(sandbox: Sandbox) -> None:
    source = BELL + "inner = QuantumCircuit(1, name='z')\ninner.x(0)\nqc.append(inner.to_gate(), [0])\n"
    answer = bad(sandbox, source)
    assert (answer.reason, "my_z" in answer.hint) == ("ReservedName", True)


def test_matrices_of_the_wrong_size_never_reach_a_simulator(sandbox: Sandbox) -> None:
    circuit = QuantumCircuit(15, 1)
    circuit.append(Instruction("kraus", 15, 0, [[[1.0]]]), range(15))
    circuit.measure(0, 0)
    assert bad(sandbox, formats.dump(circuit)).reason == "InvalidParameter"


def test_an_angle_that_is_no_number_is_refused(sandbox: Sandbox) -> None:
    assert bad(sandbox, BELL + "qc.rx(float('nan'), 0)\n").reason == "InvalidParameter"


def test_a_loop_counts_as_often_as_it_runs(sandbox: Sandbox) -> None:
    circuit = QuantumCircuit(1, 1)
    with circuit.for_loop(range(10**9)):
        circuit.x(0)
    circuit.measure(0, 0)
    answer = bad(sandbox, formats.dump(circuit))
    assert (answer.reason, "1,000,000,002" in answer.message) == ("TooLarge", True)
