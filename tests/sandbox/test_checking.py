"""What the sandbox answers: every format, every error, batches, parameters, output."""

from __future__ import annotations

from pathlib import Path

import pytest
from qiskit import QuantumCircuit, qasm3
from qiskit.circuit import Parameter

from qtasks.circuits import formats
from qtasks.circuits.analysis import analyse
from qtasks.circuits.fingerprint import fingerprint
from qtasks.circuits.sandbox import Checked, Limits, Rejected, Sandbox, Source
from qtasks.settings import Settings

CIRCUITS = sorted((Path(__file__).parents[1] / "data" / "circuits").glob("*.qasm"))
BELL = """
from qiskit import QuantumCircuit
qc = QuantumCircuit(2, 2)
qc.h(0)
qc.cx(0, 1)
qc.measure([0, 1], [0, 1])
"""
QASM2 = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\nh q[0];\ncx q[0],q[1];\nmeasure q -> c;\n'
QASM3 = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\nh q[0];\ncx q[0], q[1];\nc = measure q;\n'


def bell() -> QuantumCircuit:
    qc = QuantumCircuit(2, 2)
    qc.h(0)
    qc.cx(0, 1)
    qc.measure([0, 1], [0, 1])
    return qc


def one(sandbox: Sandbox, data: str | bytes, **given: object) -> Checked | Rejected:
    encoded = data if isinstance(data, bytes) else data.encode()
    limits = given.pop("limits", None)
    return sandbox.check([Source("it", None, encoded, **given)], limits)[0]  # type: ignore[arg-type]


def good(answer: Checked | Rejected) -> Checked:
    assert isinstance(answer, Checked), answer
    return answer


def bad(answer: Checked | Rejected) -> Rejected:
    assert isinstance(answer, Rejected), answer
    return answer


@pytest.mark.parametrize("data", [BELL, QASM2, QASM3, formats.dump(bell())], ids=["python", "qasm2", "qasm3", "qpy"])
def test_every_format_gives_the_same_circuit(sandbox: Sandbox, data: str | bytes) -> None:
    answer = good(one(sandbox, data))
    circuit = formats.load_canonical(answer.qpy)
    assert [i.name for i in circuit.data] == ["h", "cx", "measure", "measure"]
    assert answer.fingerprint == fingerprint(bell())
    assert answer.analysis == analyse(bell())


def test_the_circuits_in_one_batch(sandbox: Sandbox) -> None:
    found = sandbox.check([Source(path.stem, None, path.read_bytes()) for path in CIRCUITS])
    assert [answer.id for answer in found] == [path.stem for path in CIRCUITS]
    for answer, path in zip(found, CIRCUITS, strict=True):
        if path.stem == "vqe_uccsd_n4":
            refused = bad(answer)
            assert (refused.reason, refused.line, refused.column) == ("InvalidCircuit", 225, 8)
            assert refused.text == "measure q[0] -> c[0];"
        else:
            assert good(answer).fingerprint == fingerprint(formats.read(path.read_bytes(), "qasm2"))


@pytest.mark.parametrize(
    ("source", "reason", "line", "text"),
    [
        ("qc = (\n", "InvalidSyntax", 1, "qc = ("),
        ("a = 1\nb = a / 0\n", "SourceError", 2, "b = a / 0"),
        ("def f():\n    return 1 / 0\n\nf()\n", "SourceError", 2, "    return 1 / 0"),
        ("import nothing_of_that_name\n", "ImportUnavailable", 1, "import nothing_of_that_name"),
        ("raise SystemExit(3)\n", "SourceError", 1, "raise SystemExit(3)"),
        ("def f(n): return f(n + 1)\nf(0)\n", "SourceError", 1, "def f(n): return f(n + 1)"),
        ("x = 1\n", "NoCircuit", None, None),
        ("def circuit():\n    return 7\n", "NoCircuit", None, None),
        (BELL.replace("qc", "a") + "b = a.copy()\n", "AmbiguousCircuit", None, None),
        ("x = '\0'\n", "InvalidSyntax", 1, "x = '\ufffd'"),
        (BELL.split("qc.measure")[0], "NothingMeasured", None, None),
        ("from qiskit.circuit import *\nqc = QuantumCircuit(1, 1)\nqc.rx(Parameter('th'), 0)\nqc.measure(0, 0)",
         "UnboundParameters", None, None),
        ('OPENQASM 2.0;\nqreg q[1];\nbang q[0];', "InvalidCircuit", 3, "bang q[0];"),
        ("OPENQASM 3.0;\nqubit 3;", "InvalidCircuit", 2, "qubit 3;"),
        ("class E(Exception):\n    def __str__(self): raise ValueError\nraise E", "SourceError", 3, "raise E"),
    ],
)  # fmt: skip
def test_errors_say_what_and_where(
    sandbox: Sandbox, source: str, reason: str, line: int | None, text: str | None
) -> None:
    answer = bad(one(sandbox, source))
    assert (answer.reason, answer.line, answer.text) == (reason, line, text)
    assert answer.message
    assert answer.error().reason == reason


def test_an_ambiguous_source_is_told_its_circuits(sandbox: Sandbox) -> None:
    answer = bad(one(sandbox, BELL.replace("qc", "a") + "b = a.copy()\n"))
    assert "a (2 qubits, line 3), b (2 qubits, line 7)" in answer.message
    assert "qc" in answer.hint


@pytest.mark.parametrize(
    "source",
    [
        BELL.replace("qc", "circuit"),
        BELL.replace("qc", "anything"),
        BELL + "other = qc.copy()\n",
        BELL.replace("qc", "a") + "b = a\n",
        "def build():\n" + BELL.replace("\n", "\n    ") + "\n    return qc\n",
        "def circuit():\n" + BELL.replace("\n", "\n    ") + "\n    return qc\n",
        BELL + "if __name__ != '__main__': del qc\n",
    ],
)
def test_the_circuit_is_found(sandbox: Sandbox, source: str) -> None:
    assert good(one(sandbox, source)).fingerprint == fingerprint(bell())


def test_nothing_measured_has_a_hint_and_may_be_allowed(sandbox: Sandbox) -> None:
    source = BELL.split("qc.measure")[0]
    assert "qc.measure_all()" in bad(one(sandbox, source)).hint
    assert good(one(sandbox, source, measured=False)).analysis.measurements == 0


def test_parameters_are_bound_in_the_sandbox(sandbox: Sandbox) -> None:
    qc = QuantumCircuit(1, 1)
    qc.rx(Parameter("th"), 0)
    qc.measure(0, 0)
    bound = qc.assign_parameters({"th": 0.5})
    for data in (formats.dump(qc), qasm3.dumps(qc).encode()):
        assert good(one(sandbox, data, parameters={"th": 0.5})).fingerprint == fingerprint(bound)
        assert good(one(sandbox, data, bound=False)).analysis.parameters == ["th"]
        assert bad(one(sandbox, data)).reason == "UnboundParameters"
        wrong = bad(one(sandbox, data, parameters={"th": 0.5, "ph": 1}))
        assert (wrong.reason, wrong.message) == ("UnknownParameters", "The circuit has no parameter ph.")


def test_what_a_source_prints_is_kept_and_bounded(sandbox: Sandbox) -> None:
    assert good(one(sandbox, BELL + "import sys\nprint('hi')\nprint('err', file=sys.stderr)\n")).output == "hi\nerr\n"
    assert bad(one(sandbox, "print('before')\n1 / 0\n")).output == "before\n"
    long = good(one(sandbox, BELL + "for _ in range(1000): print('x' * 1000)\n")).output
    assert 65_000 < len(long) < 66_000 and long.endswith("[cut here]")


def test_too_large_is_refused(sandbox: Sandbox) -> None:
    assert bad(one(sandbox, QASM2, limits=Limits(input_bytes=10))).reason == "TooLarge"
    assert bad(one(sandbox, QASM2, limits=Limits(output_bytes=100))).reason == "TooLarge"
    assert bad(one(sandbox, QASM2, limits=Limits(operations=3))).reason == "TooLarge"
    gates = ["gate g0 a { t a; h a; }"] + [f"gate g{i} a {{ g{i - 1} a; g{i - 1} a; }}" for i in range(1, 40)]
    bomb = f'OPENQASM 2.0; include "qelib1.inc"; {" ".join(gates)} qreg q[1]; creg c[1]; g39 q[0]; measure q -> c;'
    assert bad(one(sandbox, bomb)).reason == "TooLarge"


def test_an_unknown_format_is_refused_without_a_child() -> None:
    answer = bad(Sandbox().check([Source("it", "cirq", b"")])[0])
    assert answer.reason == "UnsupportedFormat"
    assert "qasm2" in answer.hint


def test_many_sources_of_every_kind_keep_their_order(sandbox: Sandbox) -> None:
    wrong = "OPENQASM 2.0;\nqreg q[1];\nbang q[0];"
    data = [QASM2, BELL, wrong, QASM3, "x = 1", BELL.replace("qc.h(0)", "qc.x(0)"), QASM2]
    found = sandbox.check([Source(str(i), None, one.encode()) for i, one in enumerate(data)])
    assert [answer.id for answer in found] == [str(i) for i in range(7)]
    reasons = [answer.reason if isinstance(answer, Rejected) else "ok" for answer in found]
    assert reasons == ["ok", "ok", "InvalidCircuit", "ok", "NoCircuit", "ok", "ok"]
    assert good(found[5]).analysis.gates == {"x": 1, "cx": 1, "measure": 2}


def test_the_default_limits_are_the_settings(tmp_path: Path) -> None:
    with Sandbox(Settings(home=tmp_path, sandbox_memory="64Mi")) as small:
        assert bad(one(small, "x = bytearray(128 << 20)\n" + BELL)).reason == "SandboxMemory"
        assert good(one(small, "x = bytearray(8 << 20)\n" + BELL)).id == "it"


def test_random_parameters_of_two_children_differ(sandbox: Sandbox) -> None:
    source = BELL + "from qiskit.circuit import Parameter\nimport numpy, random\nqc.rx(Parameter('t'), 0)\n"
    source += "qc.measure(0, 0)\nprint(numpy.random.random(), random.random())\n"
    first, second = (good(one(sandbox, source, bound=False)) for _ in range(2))
    assert not set(first.output.split()) & set(second.output.split())
    assert not {*formats.load_canonical(first.qpy).parameters} & {*formats.load_canonical(second.qpy).parameters}
