"""Formats: telling them apart, reading them, and where an error is."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import pytest
from qiskit import QuantumCircuit, qpy

from qtasks.circuits import formats
from qtasks.circuits.errors import CircuitError, line_of

CIRCUITS = Path(__file__).parents[2] / "data" / "circuits"
QASM2 = b'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\nh q[0];\ncx q[0],q[1];\nmeasure q -> c;\n'
QASM3 = b'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\nh q[0];\ncx q[0], q[1];\nc = measure q;\n'


def bell() -> QuantumCircuit:
    qc = QuantumCircuit(2, 2)
    qc.h(0)
    qc.cx(0, 1)
    qc.measure([0, 1], [0, 1])
    return qc


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (QASM2, "qasm2"),
        (QASM3, "qasm3"),
        (b"// a note\n\n/* more\n */ OPENQASM 3;\n", "qasm3"),
        (b"\xef\xbb\xbf  OPENQASM 2.0;", "qasm2"),
        (b'include "qelib1.inc"; qreg q[1];', "qasm2"),
        (b"QISKIT\x12", "qpy"),
        (base64.b64encode(b"QISKIT\x12\x02"), "qpy"),
        (b"from qiskit import QuantumCircuit\n", "python"),
        (b"# OPENQASM 2.0;\nqc = 1", "python"),
        (b"", "python"),
    ],
)
def test_the_format_is_seen_in_the_bytes(data: bytes, expected: str) -> None:
    assert formats.detect(data) == expected


def test_another_openqasm_is_refused_by_name() -> None:
    with pytest.raises(CircuitError, match="OpenQASM 4") as caught:
        formats.detect(b"// x\nOPENQASM 4.0;")
    assert caught.value.reason == "UnsupportedFormat"
    assert caught.value.details["line"] == 2


@pytest.mark.parametrize("data", [QASM2, QASM3, formats.dump(bell()), base64.encodebytes(formats.dump(bell()))])
def test_every_format_reads_the_same_circuit(data: bytes) -> None:
    qc = formats.read(data, formats.detect(data))
    assert [i.name for i in qc.data] == ["h", "cx", "measure", "measure"]


@pytest.mark.parametrize("path", sorted(CIRCUITS.glob("*.qasm")), ids=lambda path: path.stem)
def test_the_circuits_are_read_but_the_one_that_is_invalid(path: Path) -> None:
    if path.stem == "vqe_uccsd_n4":
        with pytest.raises(CircuitError) as caught:
            formats.read(path.read_bytes(), "qasm2")
        assert caught.value.as_data() == {
            "reason": "InvalidCircuit",
            "message": "'q' is not defined in this scope",
            "hint": "Declare it with qreg, creg or gate before this line.",
            "line": 225,
            "column": 8,
            "text": "measure q[0] -> c[0];",
        }
    else:
        assert formats.load_canonical(formats.dump(formats.read(path.read_bytes(), "qasm2"))).num_qubits > 0


@pytest.mark.parametrize(
    ("source", "line", "column"),
    [
        ('OPENQASM 3.0;\ninclude "stdgates.inc"; qubit[2] q;\n h z[0];', 3, 3),
        ("OPENQASM 3.0;\nqubit[2] q;\nqubit 3;", 3, 6),
        ('OPENQASM 3.0;\ninclude "/etc/passwd";', 2, 0),
    ],
)
def test_openqasm_3_errors_have_a_place(source: str, line: int, column: int) -> None:
    with pytest.raises(CircuitError) as caught:
        formats.read(source.encode(), "qasm3")
    details = caught.value.details
    assert (details["line"], details["column"]) == (line, column)
    assert details["text"] == source.split("\n")[line - 1]


def test_openqasm_2_includes_no_file() -> None:
    with pytest.raises(CircuitError, match="unable to find '/etc/passwd'"):
        formats.read(b'OPENQASM 2.0;\ninclude "/etc/passwd";', "qasm2")


@pytest.mark.parametrize("data", [b"QISKIT", b"QISKIT\x12" + bytes(40), b"QISKIT\xff" + bytes(40), b"UUlTS0lU!!"])
def test_broken_qpy_is_refused(data: bytes) -> None:
    with pytest.raises(CircuitError):
        formats.read(data, "qpy")


def test_qpy_holds_exactly_one_circuit() -> None:
    out = io.BytesIO()
    qpy.dump([bell(), bell()], out)
    with pytest.raises(CircuitError, match="2 programs"):
        formats.read(out.getvalue(), "qpy")


def test_canonical_qpy_keeps_the_name_and_drops_the_metadata() -> None:
    qc = bell()
    qc.name, qc.metadata = "mine", {"secret": 1}
    again = formats.load_canonical(formats.dump(qc))
    assert (again.name, again.metadata) == ("mine", {})
    assert qc.metadata == {"secret": 1}
    assert formats.dump(again) == formats.dump(qc)


def test_text_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(CircuitError, match="byte 1"):
        formats.read(b"O\xff\xfe", "qasm2")
    with pytest.raises(CircuitError, match="not known"):
        formats.read(b"", "cirq")


def test_lines_count_from_one() -> None:
    assert [line_of("a\r\nb", n) for n in (None, 0, 1, 2, 3)] == [None, None, "a", "b", None]
