"""Attacks on the pipe: closed, flooded, and answers that a source writes itself instead of the sandbox."""

from __future__ import annotations

import socket
import time

import pytest

from qtasks.circuits.sandbox import Checked, Limits, Rejected, Source, answers, wire
from tests.sandbox.asking import BELL, QASM2, reasons
from tests.sandbox.users import Attacked

# What stands in for the child's own answer: `answer(header, body)` writes a well-formed frame.
FORGING = """
import json, os, struct
from qtasks.circuits import formats
from qiskit import QuantumCircuit
def frame(header, body=b''):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack('!II', len(text), len(body)) + text + body
def write(data):
    view = memoryview(data)
    while view:
        view = view[os.write(3, view):]
def answer(header, body=b''):
    write(frame(header, body))
fine = {'id': 0, 'ok': True, 'output': ''}
honest = QuantumCircuit(1, 1)
honest.h(0)
honest.measure(0, 0)
"""
LIE = """
analysis = {"qubits": 1, "clbits": 1, "registers": [["c", 1]], "depth": 1, "size": 1, "expanded_size": 1,
    "gates": {"x": 1}, "two_qubit_gates": 0, "measurements": 1, "has_control_flow": False,
    "mid_circuit_measurement": False, "parameters": [], "clifford": True, "active_qubits": 1, "memory": {}}
answer({**fine, "analysis": analysis, "fingerprint": "a" * 64}, formats.dump(honest))
"""
SPOILED = {
    "closed": "os.close(3)",
    "another in its place": "os.dup(0)\nos.close(3)\nos.dup(0)",
    "ended": "os._exit(0)",
    "ended badly": "os._exit(7)",
    "crashed": "import ctypes\nctypes.string_at(0)",
    "noise": "write(b'\\xff' * 1000)",
    "zeros": "write(bytes(1000))",
    "endless": "while True: write(b'\\xff' * 65536)",
    "another's id": "answer({**fine, 'id': 1}, formats.dump(honest))",
    "a negative id": "answer({**fine, 'id': -1}, formats.dump(honest))",
    "an id that is true": "answer({**fine, 'id': False}, formats.dump(honest))",
    "no circuit": "answer(fine, b'')",
    "something else": "answer(fine, b'x' * 1000)",
    "one field more": "answer({**fine, 'phase': 'Completed'}, formats.dump(honest))",
    "no reason at all": "answer({'id': 0, 'ok': False, 'output': ''})",
    "a reason of its own": "answer({'id': 0, 'ok': False, 'output': '', 'error': {'reason': 'Completed'}})",
    "a message without end": "answer({'id': 0, 'ok': False, 'error': {'reason': 'NoCircuit', 'message': 'x' * 10**6}})",
    "output without end": "answer({**fine, 'output': 'x' * 10**6}, formats.dump(honest))",
    "a header without end": "write(struct.pack('!II', 2**32 - 1, 0) + b'{' * 1000)",
    "a body without end": "write(struct.pack('!II', 2, 2**32 - 1) + b'{}')",
    "deep JSON": "answer(b'[' * 1_000_000)",
    "deep JSON in an answer": 'answer(b\'{"id":0,"ok":true,"analysis":\' + b\'[\' * 1_000_000)',
    "no UTF-8": 'answer(b\'{"id":0,"ok":true,"output":"\\xff\\xfe"}\', formats.dump(honest))',
    "half a character": 'answer(b\'{"id":0,"ok":true,"output":"\' + bytes([92]) + b\'ud800"}\', formats.dump(honest))',
    "no number": 'answer(b\'{"id":NaN,"ok":true}\', formats.dump(honest))',
    "a number without end": "answer(b'{\"id\":' + b'9' * 10**6 + b',\"ok\":true}', formats.dump(honest))",
    "the same name twice": 'answer(b\'{"id":1,"id":1,"ok":true}\', formats.dump(honest))',
    "an empty header": "answer(b'')",
    "a list": "answer(b'[]')",
    "null": "answer(b'null')",
    "less than was said": "write(frame(fine, formats.dump(honest))[:-1])\nos._exit(0)",
}
STALLED = {
    "silence": "while True: pass",
    "half a length": "os.write(3, b'\\0')\nwhile True: pass",
    "a byte at a time": "import time\nfor byte in frame(fine, bytes(10**6)):\n"
    "    os.write(3, bytes([byte])); time.sleep(.01)",
    "half an answer": "write(frame(fine, formats.dump(honest))[:-1])\nwhile True: pass",
}


@pytest.mark.system
def test_an_answer_that_is_none_blames_its_source_alone(attacked: Attacked) -> None:
    sources = {
        name: f"{FORGING}\n{source}\n{'while True: pass' if 'write' in source else ''}"
        for name, source in SPOILED.items()
    }
    assert attacked.reasons(sources, Limits(wall_seconds=10)) == dict.fromkeys(SPOILED, "SandboxCrashed")


@pytest.mark.system
def test_an_answer_that_does_not_come_is_not_waited_for_beyond_the_deadline(attacked: Attacked) -> None:
    started = time.monotonic()
    found = attacked.reasons({name: FORGING + source for name, source in STALLED.items()}, Limits(wall_seconds=0.5))
    assert found == dict.fromkeys(STALLED, "ValidationTimeout")
    assert time.monotonic() - started < 5


def test_a_flooded_or_a_closed_pipe_fails_its_source_alone(attacked: Attacked) -> None:
    for name in ("closed", "endless", "noise"):
        assert attacked.reason(FORGING + SPOILED[name], Limits(wall_seconds=10)) == "SandboxCrashed"


def test_a_forged_analysis_and_fingerprint_are_not_believed(attacked: Attacked) -> None:
    """They are made anew by a second child, from the bytes of the circuit alone."""
    truth = attacked.ask(BELL)
    answer = attacked.ask(FORGING + LIE)
    assert isinstance(answer, Checked) and isinstance(truth, Checked)
    assert (answer.analysis, answer.fingerprint) == (truth.analysis, truth.fingerprint)
    assert answer.analysis.gates == {"h": 1, "measure": 1}


@pytest.mark.system
def test_a_forged_circuit_is_judged_as_a_circuit_from_outside(attacked: Attacked) -> None:
    """Whatever bytes a child gives out as its circuit are read, and refused, by another one."""
    bombs = {
        "measures nothing": ("answer(fine, formats.dump(QuantumCircuit(1, 1)))", {"NothingMeasured"}),
        "noise": ("answer(fine, b'QISKIT' + bytes(range(256)))", {"InvalidCircuit", "SandboxCrashed"}),
        "cut short": ("answer(fine, formats.dump(honest)[:-30])", {"InvalidCircuit"}),
        "no gate": (
            "answer(fine, formats.dump(honest).replace(b'\\0\\5\\0\\0', b'\\0\\11\\0\\0', 1)"
            ".replace(b'HGate', b'Blueprint'))",
            {"InvalidCircuit"},
        ),
        "too much": ("answer(fine, b'QISKIT' + bytes(65 << 20))", {"SandboxCrashed"}),
    }
    found = attacked.reasons({name: FORGING + source for name, (source, _) in bombs.items()}, Limits(wall_seconds=10))
    assert {name: reason for name, reason in found.items() if reason not in bombs[name][1]} == {}


@pytest.mark.system
def test_what_follows_an_answer_is_not_read(attacked: Attacked) -> None:
    source = f"{FORGING}\nanswer(fine, formats.dump(honest))\nwhile True: write(b'x' * 65536)"
    started = time.monotonic()
    answer = attacked.ask(source, Limits(wall_seconds=10))
    assert isinstance(answer, Checked) and time.monotonic() - started < 5


def test_a_refusal_may_be_in_the_source_s_words_but_not_in_the_sandbox_s(attacked: Attacked) -> None:
    problem = {"reason": "SandboxMemory", "message": "pay here", "hint": "pay here"}
    answer = attacked.ask(f"{FORGING}\nanswer({{'id': 0, 'ok': False, 'error': {problem!r}}})")
    assert isinstance(answer, Rejected)
    assert answer.reason == "SandboxMemory" and "pay" not in answer.message + answer.hint


def test_one_source_cannot_answer_for_another(attacked: Attacked) -> None:
    """Each Python source has a pipe of its own, and its answer is taken for it alone."""
    liar = f"{FORGING}\nanswer({{**fine, 'id': 1}}, formats.dump(honest))"
    found = attacked.sandbox.check(
        [Source("liar", "python", liar.encode()), Source("good", "python", BELL.encode()), Source("q", "qasm2", QASM2)]
    )
    assert reasons(found) == ["SandboxCrashed", "ok", "ok"]


def test_a_forged_answer_must_fit_the_schema() -> None:
    fine = b'{"id":0,"ok":false,"output":"","error":{"reason":"NoCircuit","message":"m"}}'
    assert isinstance(answers.parse(fine), answers.Bad)
    for forged in (
        b"",
        b"null",
        b"[" * 100_000,
        fine.replace(b"NoCircuit", b"JobCompleted"),
        fine.replace(b'"id":0', b'"id":"0"'),
        fine.replace(b'"m"', b'"' + b"m" * 10_000 + b'"'),
        fine.replace(b'"output":""', b'"output":"","more":1'),
        b'{"id":0,"ok":true,"fingerprint":"xyz"}',
        b'{"id":0,"ok":true,"analysis":{"qubits":-1}}',
    ):
        assert answers.parse(forged) is None


def test_a_frame_out_of_bounds_is_not_read() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"\xff" * 8)
        with pytest.raises(wire.BrokenFrame):
            wire.Reader(ours).frame()
        theirs.sendall(wire.frame({"a": 1}, b"body"))
        assert wire.Reader(ours).frame() == (b'{"a":1}', b"body")
        with pytest.raises(TimeoutError):
            wire.Reader(ours).frame(deadline=time.monotonic() + 0.01)
