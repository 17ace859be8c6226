"""Attacks on memory, time and space: each ends at its own limit."""

from __future__ import annotations

import time

import pytest

from qtasks.circuits.sandbox import Checked, Limits
from tests.sandbox.asking import BELL
from tests.sandbox.attempts import TRYING
from tests.sandbox.users import Attacked

MEMORY = {
    "one block": "x = bytearray(1 << 30)",
    "many blocks": "x = []\nwhile True: x.append(bytearray(1 << 20))",
    "small objects": "x = []\nwhile True: x.append([x])",
    "numpy": "import numpy\nx = numpy.ones(1 << 28)",
    "numpy untouched": "import numpy\nx = numpy.zeros(1 << 40)",
    "text": "x = 'x' * (1 << 31)",
    "doubling": "x = 'x'\nwhile True: x += x",
    "a dictionary": "x = {}\nwhile True: x[len(x)] = len(x)",
    "integer": "x = 1 << (1 << 33)",
    "swallowed": "x = []\nwhile True:\n    try: x.append(bytearray(1 << 20))\n    except MemoryError: raise",
    "unpacked": "import zlib\ndata = zlib.compress(bytes(1 << 24))\nx = [zlib.decompress(data) for _ in range(99)]",
    "statevector": "from qiskit.quantum_info import Statevector\nx = Statevector.from_int(0, 2**30)",
    "operator": "from qiskit.quantum_info import Operator\nfrom qiskit import QuantumCircuit\n"
    "x = Operator(QuantumCircuit(16))",
}
# By calls of their own: these get no memory, rather than an exception of Python's.
MAPPED = {
    "mapped": "mmap.mmap(-1, 1 << 30)",
    "mapped-shared": "mmap.mmap(-1, 1 << 30, mmap.MAP_SHARED)",
    "break": "checked(-1 if libc.sbrk(ctypes.c_long(1 << 30)) == -1 else 0, 'sbrk')",
    "malloc": "checked(0 if malloc(ctypes.c_size_t(1 << 30)) else -1, 'malloc')",
    "stack": "call('mmap', None, ctypes.c_size_t(1 << 30), 3, 0x122, -1, 0)",
}
MALLOC = "malloc = libc.malloc\nmalloc.restype = ctypes.c_void_p\n"

TIME = {
    "python": "while True: pass",
    "swallowed": "while True:\n    try: 1 / 0\n    except BaseException: pass",
    "sleeping": "import time\ntime.sleep(60)",
    "a lock": "import threading\nlock = threading.Lock()\nlock.acquire()\nlock.acquire()",
    "regular expression": "import re\nre.match('(a+)+b', 'a' * 60)",
    "sum in C": "sum(range(10**12))",
    "power in C": "3 ** (10**8)",
    "numpy": "import numpy\nx = numpy.ones((1500, 1500))\nwhile True: x = x @ x",
    "sort": "import numpy\nwhile True: numpy.sort(numpy.random.random(1 << 20))",
    "c sleep": "import ctypes\nctypes.CDLL(None).sleep(60)",
    "c loop": "import ctypes\nqsort = ctypes.CDLL(None).memset\nx = ctypes.create_string_buffer(1 << 20)\n"
    "while True: qsort(x, 0, 1 << 20)",
    "iterator": "import itertools\nsum(1 for _ in itertools.count())",
    "reading nothing": "import select\nselect.select([], [], [], 60)",
    "reading the pipe": "import os\nos.read(3, 1)",
    "ignored SIGTERM": "import signal\nfor n in range(1, 64):\n    try: signal.signal(n, signal.SIG_IGN)\n"
    "    except (OSError, ValueError): pass\nwhile True: pass",
    "ignored SIGXCPU": "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass",
    "blocked signals": "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nwhile True: pass",
    "gates": "from qiskit import QuantumCircuit\nqc = QuantumCircuit(1, 1)\nfor _ in range(10**9): qc.h(0)",
    "slow definition": "from qiskit.circuit import Gate, QuantumCircuit\nclass Slow(Gate):\n    def _define(self):\n"
    "        while True: pass\n"
    "qc = QuantumCircuit(1, 1)\nqc.append(Slow('slow', 1, []), [0])\nqc.measure(0, 0)",
    "slow exception": "class E(Exception):\n    def __str__(self):\n        while True: pass\nraise E",
    "slow end": "import atexit\nclass E:\n    def __del__(self):\n        while True: pass\nx = E()\ndel x",
    "printing": "while True: print('x' * 65536)",
    "collecting": "import gc\ngc.callbacks.append(lambda *a: [None for _ in iter(int, 1)])\ngc.collect()",
}


@pytest.mark.system
def test_a_memory_bomb_ends_at_its_own_limit(attacked: Attacked) -> None:
    found = attacked.reasons(MEMORY, Limits(wall_seconds=10, memory_bytes=128 << 20))
    assert found == dict.fromkeys(MEMORY, "SandboxMemory")


@pytest.mark.system
def test_a_circuit_of_a_thousand_million_qubits_ends_its_own_process(attacked: Attacked) -> None:
    """Qiskit's Rust aborts where Python would raise MemoryError."""
    source = "from qiskit import QuantumCircuit\nqc = QuantumCircuit(10**9)"
    limits = Limits(wall_seconds=10, memory_bytes=64 << 20)
    assert attacked.reason(source, limits) in ("SandboxMemory", "SandboxCrashed")


def test_the_quickest_memory_bomb_too(attacked: Attacked) -> None:
    assert attacked.reason(MEMORY["one block"], Limits(memory_bytes=128 << 20)) == "SandboxMemory"


def test_no_more_memory_is_mapped_by_hand(attacked: Attacked) -> None:
    for name, expression in MAPPED.items():
        source = f"{TRYING}\n{MALLOC}attempt({name!r}, lambda: {expression})\n"
        printed = attacked.told(source, Limits(wall_seconds=10, memory_bytes=128 << 20))
        assert printed == f"refused {name} ENOMEM\n", name


@pytest.mark.system
def test_an_endless_one_ends_at_its_own_deadline(attacked: Attacked) -> None:
    """Four run at a time, so none of them waited for another's end of time."""
    started = time.monotonic()
    assert attacked.reasons(TIME, Limits(wall_seconds=0.2)) == dict.fromkeys(TIME, "ValidationTimeout")
    assert time.monotonic() - started < 0.2 * len(TIME)


def test_the_shortest_endless_loop_too(attacked: Attacked) -> None:
    assert attacked.reason("while True: pass", Limits(wall_seconds=0.2)) == "ValidationTimeout"


@pytest.mark.system
def test_cpu_time_is_bounded_as_well(attacked: Attacked) -> None:
    started = time.monotonic()
    assert attacked.reason("while True: pass", Limits(wall_seconds=20, cpu_seconds=0.5)) == "ValidationTimeout"
    assert time.monotonic() - started < 5


@pytest.mark.system
def test_ignoring_the_signal_of_the_cpu_limit_gains_a_second(attacked: Attacked) -> None:
    started = time.monotonic()
    limits = Limits(wall_seconds=20, cpu_seconds=0.5)
    assert attacked.reason(TIME["ignored SIGXCPU"], limits) in ("ValidationTimeout", "SandboxMemory")
    assert time.monotonic() - started < 8


OUTPUT = {
    "a GiB": "for _ in range(1024): print('x' * (1 << 20))",
    "lines": "import sys\nfor _ in range(100_000): sys.stderr.writelines(['x' * 100])",
    "to the descriptor": "import os\nfor _ in range(1024): os.write(1, b'x' * (1 << 20)); os.write(2, b'x')",
    "to the old streams": "import sys\nfor s in (sys.__stdout__, sys.__stderr__):\n    s and s.write('x' * (1 << 20))",
}


@pytest.mark.parametrize("kind", OUTPUT)
@pytest.mark.system
def test_a_huge_output_is_cut_or_goes_nowhere(attacked: Attacked, kind: str) -> None:
    assert len(attacked.told(OUTPUT[kind], Limits(wall_seconds=10))) < 66_000


RECURSION = {
    "python": "def f(n): return f(n + 1)\nf(0)",
    "without a bound": "import sys\nsys.setrecursionlimit(10**9)\ndef f(n): return f(n + 1)\nf(0)",
    "in C": "import sys\nsys.setrecursionlimit(10**9)\nclass A:\n    def __repr__(self): return repr([self])\n"
    "repr(A())",
    "data": "x = []\nfor _ in range(10**6): x = [x]\nrepr(x)",
    "its own end": "class A:\n    def __del__(self): A()\nA()",
    "comparison": "a, b = [], []\na.append(b); b.append(a)\na == b",
    "parentheses": "(" * 10_000 + ")" * 10_000,
    "signs": "x = " + "-" * 100_000 + "1",
    "dots": "x" + ".x" * 100_000,
    "nots": "x = " + "not " * 100_000 + "1",
    "calls": "x = int" + "()" * 100_000,
    "ors": "x = " + " + ".join(["1"] * 100_000),
    "functions": "\n".join(" " * n + "def f():" for n in range(90)) + "\n" + " " * 90 + "pass",
    "lambdas": "x = " + "lambda: " * 5_000 + "1",
    "indents": "\n".join("\t" * n + "if 1:" for n in range(200)) + "\n" + "\t" * 200 + "pass",
    "source in source": "exec('exec(' * 1)\n",
    "digits": "x = " + "9" * 100_000,
    "f-strings": "x = " + "f'{" * 100 + "1" + "}'" * 100,
}


@pytest.mark.system
def test_recursion_of_every_kind_is_the_source_s_own_failure(attacked: Attacked) -> None:
    found = attacked.reasons(RECURSION, Limits(wall_seconds=1, memory_bytes=64 << 20))
    expected = {"InvalidSyntax", "SourceError", "SandboxMemory", "SandboxCrashed", "ValidationTimeout", "NoCircuit"}
    assert {name: reason for name, reason in found.items() if reason not in expected} == {}
    assert (found["python"], found["parentheses"]) == ("SourceError", "InvalidSyntax")


def test_what_is_within_the_limits_is_not_refused(attacked: Attacked) -> None:
    answer = attacked.ask(f"x = bytearray(32 << 20)\n{BELL}", Limits(wall_seconds=10, memory_bytes=128 << 20))
    assert isinstance(answer, Checked)
