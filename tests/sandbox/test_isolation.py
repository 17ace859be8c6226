"""One circuit sees nothing of another: what a source changes, leaves behind or guesses stays in its own child."""

from __future__ import annotations

from pathlib import Path

import pytest
from qiskit.circuit import Parameter

from qtasks.circuits import formats
from qtasks.circuits.sandbox import Checked, Limits, Sandbox, Source
from tests.sandbox.asking import BELL, QASM2, ask, reasons, server
from tests.sandbox.users import Attacked

SPOIL = {
    "qiskit": "from qiskit import QuantumCircuit\nQuantumCircuit.h = lambda self, q: self.x(q)",
    "numpy": "import numpy\nnumpy.ndarray = numpy.array = None",
    "builtins": "import builtins\nbuiltins.len = lambda x: 7\nbuiltins.isinstance = lambda *a: True",
    "json": "import json\njson.dumps = lambda *a, **k: '{}'\njson.loads = None",
    "formats": "import qtasks.circuits.formats as f\nf.dump = lambda c: b'QISKIT'",
    "checks": "import qtasks.circuits.sandbox.reading as r\nr._check = r.analyse = lambda *a: None",
    "modules": "import sys\nsys.modules.clear()\nsys.path[:] = []",
    "the process": "import os, signal\nos.environ['LEFT'] = 'here'\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)",
}
LOOK = """
import builtins, json, numpy, os, signal, sys
import qtasks.circuits.formats as f
print(QuantumCircuit.h.__module__, numpy.array.__name__, builtins.len('ab'), json.dumps(1), f.dump.__module__)
print(os.environ.get('LEFT'), signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, len(sys.modules) > 500)
"""
UNTOUCHED = "qiskit.circuit.quantumcircuit array 2 1 qtasks.circuits.formats\nNone True True\n"


def test_what_a_source_changes_does_not_reach_the_next_one(attacked: Attacked) -> None:
    for what, source in SPOIL.items():
        attacked.ask(f"{source}\n{BELL}", Limits(wall_seconds=10))
        assert attacked.told(f"from qiskit import QuantumCircuit\n{LOOK}") == UNTOUCHED, what


def test_a_changed_qiskit_cannot_forge_what_is_kept(attacked: Attacked) -> None:
    """The second child has a Qiskit of its own, and sees what the bytes really hold."""
    lie = "from qiskit import QuantumCircuit\nimport qtasks.circuits.formats as f\nreal = f.dump\n"
    assert attacked.reason(f"{lie}f.dump = lambda c: real(QuantumCircuit(1, 1))\n{BELL}") == "NothingMeasured"
    answer = attacked.ask(f"{SPOIL['qiskit']}\n{BELL}")
    assert isinstance(answer, Checked) and answer.analysis.gates == {"x": 1, "measure": 1}


LEAVE = """
import builtins, gc, os, sys, threading
secret = ['tenant-a', 'secret-of-a']
builtins.left = sys.left = os.left = secret
sys.modules['left'] = secret
os.environ['LEFT'] = 'secret-of-a'
for path in ('/tmp/left', '/dev/shm/left', '/var/tmp/left', os.path.dirname(os.__file__) + '/left'):
    try: open(path, 'w').write('secret-of-a')
    except OSError as error: print(error.errno)
"""
FIND = """
import builtins, gc, os, sys
print([hasattr(m, 'left') for m in (builtins, sys, os)], 'left' in sys.modules, os.environ.get('LEFT'))
print(any(isinstance(o, list) and o[:1] == ['tenant' + '-a'] for o in gc.get_objects()))
"""


def test_nothing_can_be_left_for_the_next_one_to_find(attacked: Attacked) -> None:
    assert attacked.told(LEAVE) == "13\n" * 4
    assert attacked.told(FIND) == "[False, False, False] False None\nFalse\n"


@pytest.mark.system
def test_the_memory_of_another_s_circuit_is_not_given_out_again(attacked: Attacked) -> None:
    """Fresh memory is the kernel's zeros, and what a child inherits was there before any source."""
    marker = "tenant-a-marker"
    attacked.told(f"x = [bytes('{marker}' * 1000, 'ascii') + bytes([n % 256]) for n in range(1000)]")
    search = (
        "import ctypes, mmap\n"
        f"mark = ('{marker[:8]}' + '{marker[8:]}').encode()\n"
        "rooms = [mmap.mmap(-1, 1 << 20) for _ in range(32)]\nprint(any(r.read() != bytes(1 << 20) for r in rooms))\n"
        "malloc = ctypes.CDLL(None).malloc\nmalloc.restype = ctypes.c_void_p\n"
        "print(any(mark in ctypes.string_at(malloc(1 << 16), 1 << 16) for _ in range(200)))\n"
    )
    assert attacked.told(search) == "False\nFalse\n"


RANDOM = """
import numpy, os, random, secrets, uuid
print(numpy.random.random(), numpy.random.default_rng().random(), random.random(), secrets.token_hex(), uuid.uuid4(),
    os.urandom(8).hex(), os.getpid())
"""


def test_chance_is_independent_from_child_to_child(attacked: Attacked) -> None:
    found = [attacked.told(RANDOM).split() for _ in range(4)]
    for column in zip(*found, strict=True):
        assert len(set(column)) == 4


def test_parameters_of_one_name_in_two_sources_are_not_the_same(attacked: Attacked) -> None:
    source = (
        "from qiskit import QuantumCircuit\nfrom qiskit.circuit import Parameter\n"
        "qc = QuantumCircuit(1, 1)\nqc.rx(Parameter('t'), 0)\nqc.measure(0, 0)"
    )
    sources = [Source(str(n), "python", source.encode(), bound=False) for n in range(3)]
    found = [*attacked.sandbox.check(sources), *attacked.sandbox.check(sources[:1]), *attacked.sandbox.check(sources)]
    circuits = [formats.load_canonical(answer.qpy) for answer in found if isinstance(answer, Checked)]
    parameters: list[Parameter] = [circuit.parameters[0] for circuit in circuits]
    assert len(parameters) == len(set(parameters)) == 7


def test_a_child_has_no_environment_and_its_descriptors_lead_nowhere(
    attacked: Attacked, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert attacked.told("import os\nprint(dict(os.environ), os.environb)").startswith("{} environ({})")
    getenv = "import ctypes\nc = ctypes.CDLL(None)\nc.getenv.restype = ctypes.c_char_p\n"
    assert (
        attacked.told(f"{getenv}print(c.getenv(b'PATH'), c.getenv(b'HOME'), c.getenv(b'LC_ALL'))") == "None None None\n"
    )
    what = (
        "import os, stat\nnull = os.stat('/dev/null').st_rdev\nprint([os.fstat(n).st_rdev == null for n in range(3)])\n"
    )
    assert attacked.told(f"{what}print(stat.S_ISSOCK(os.fstat(3).st_mode))") == "[True, True, True]\nTrue\n"
    beyond = "import os\nfor n in range(4, 4096):\n    try: print(os.fstat(n))\n    except OSError: pass\n"
    assert attacked.told(beyond) == ""


@pytest.mark.system
def test_the_warm_process_has_nothing_of_the_environment_that_started_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QTASKS_TOP_SECRET", "hunter2")
    with Sandbox() as sandbox:
        assert reasons([ask(sandbox, BELL)]) == ["ok"]
        environ = Path(f"/proc/{server(sandbox)}/environ").read_text()
        assert "hunter2" not in environ and "PATH=" not in environ


def test_a_member_that_crashes_does_not_harm_its_batch(attacked: Attacked) -> None:
    """A QPY that names a class of the library that is no gate, and one cut short, between good circuits."""
    good = attacked.sandbox.check([Source("good", None, QASM2)])[0]
    assert isinstance(good, Checked)
    forged = good.qpy.replace(b"\x00\x05\x00\x00", b"\x00\x09\x00\x00", 1).replace(b"HGate", b"Blueprint")
    crash = b"import ctypes\nctypes.string_at(0)\n"
    members = [good.qpy, forged, QASM2, good.qpy[: len(good.qpy) // 2], crash, good.qpy, BELL.encode()]
    sources = [Source(str(i), None, data) for i, data in enumerate(members)]
    found = attacked.sandbox.check(sources, Limits(wall_seconds=5))
    assert [reason == "ok" for reason in reasons(found)] == [True, False, True, False, False, True, True]
    assert {a.fingerprint for a in found if isinstance(a, Checked)} == {good.fingerprint}


def test_a_crash_is_named(attacked: Attacked) -> None:
    answer = attacked.ask("import ctypes\nctypes.string_at(0)\n")
    assert answer.message == "The process that read the circuit died of SIGSEGV."  # type: ignore[union-attr]
