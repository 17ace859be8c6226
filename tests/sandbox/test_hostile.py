"""Sources that misbehave: only they fail, in time, and what runs them has nothing to give away."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from qtasks.circuits.sandbox import Checked, Limits, Rejected, Sandbox, Source, answers, wire
from tests.sandbox.asking import BELL, QASM2, ask, reasons, server, told

CRASH = "import ctypes\nctypes.string_at(0)\n"


@pytest.mark.system
def test_an_endless_loop_ends_at_the_deadline_and_its_neighbours_do_not_wait(sandbox: Sandbox) -> None:
    assert reasons([ask(sandbox, BELL)]) == ["ok"]
    sources = [
        Source("good", "qasm2", QASM2),
        Source("loop", "python", b"while True: pass"),
        Source("g", "python", BELL.encode()),
    ]
    done: list[float] = []
    found: list[Checked | Rejected] = []
    started = time.monotonic()

    def loop() -> None:
        found.extend(sandbox.check(sources, Limits(wall_seconds=0.6)))
        done.append(time.monotonic() - started)

    thread = threading.Thread(target=loop)
    thread.start()
    while thread.is_alive():
        before = time.monotonic()
        assert reasons([ask(sandbox, BELL)]) == ["ok"]
        assert time.monotonic() - before < 0.5
    thread.join()
    assert reasons(found) == ["ok", "ValidationTimeout", "ok"]
    assert 0.6 <= done[0] < 2


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("x = bytearray(1 << 30)", "SandboxMemory"),
        ("x = []\nwhile True: x.append(bytearray(1 << 20))", "SandboxMemory"),
        ("import numpy\nx = numpy.ones(1 << 28)", "SandboxMemory"),
        ("import os\nos._exit(0)", "SandboxCrashed"),
        ("import os\nos._exit(7)", "SandboxCrashed"),
        (CRASH, "SandboxCrashed"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "SandboxMemory"),
        ("import os\nos.close(3)", "SandboxCrashed"),
        ("import os\nos.write(3, bytes(1000))\nwhile True: pass", "SandboxCrashed"),
        ("import os\nos.write(3, b'\\xff' * 1000)\nwhile True: pass", "SandboxCrashed"),
        ("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: pass", "ValidationTimeout"),
        ("import time\ntime.sleep(60)", "ValidationTimeout"),
        ("while True:\n    try: 1 / 0\n    except BaseException: pass", "ValidationTimeout"),
    ],
)
def test_one_that_misbehaves_is_refused_and_the_next_good_one_is_not(
    sandbox: Sandbox, source: str, reason: str
) -> None:
    limits = Limits(wall_seconds=0.5 if reason == "ValidationTimeout" else 10, memory_bytes=128 << 20)
    assert reasons([ask(sandbox, source, limits)]) == [reason]
    assert reasons([ask(sandbox, BELL, limits)]) == ["ok"]


def test_a_crash_is_named(sandbox: Sandbox) -> None:
    answer = ask(sandbox, CRASH)
    assert isinstance(answer, Rejected)
    assert "SIGSEGV" in answer.message


@pytest.mark.system
def test_cpu_time_is_bounded_as_well(sandbox: Sandbox) -> None:
    started = time.monotonic()
    assert reasons([ask(sandbox, "while True: pass", Limits(wall_seconds=20, cpu_seconds=0.5))]) == [
        "ValidationTimeout"
    ]
    assert time.monotonic() - started < 5


def test_a_child_has_no_environment_and_no_descriptors_but_its_own(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QTASKS_TOP_SECRET", "hunter2")
    assert told(sandbox, "import os\nprint(dict(os.environ), os.environb)").startswith("{} environ({})")
    getenv = "import ctypes\nc = ctypes.CDLL(None)\nc.getenv.restype = ctypes.c_char_p\n"
    assert told(sandbox, getenv + "print(c.getenv(b'QTASKS_TOP_SECRET'), c.getenv(b'PATH'))") == "None None\n"
    listing = "import os\nprint(sorted(int(f) for f in os.listdir('/proc/self/fd')))"
    if os.geteuid() == 0:  # a process that is not dumpable has its /proc owned by root
        assert told(sandbox, listing) == "[0, 1, 2, 3, 4]\n"  # 4 is the listing itself
    null = "import os\nprint([os.readlink(f'/proc/self/fd/{i}') for i in range(3)])"
    if os.geteuid() == 0:
        assert told(sandbox, null) == "['/dev/null', '/dev/null', '/dev/null']\n"
    environ = Path(f"/proc/{server(sandbox)}/environ").read_text()
    assert "hunter2" not in environ and "PATH=" not in environ


def test_the_limits_are_in_force(sandbox: Sandbox) -> None:
    source = (
        "import os, resource as r, ctypes\n"
        "c = ctypes.CDLL(None)\n"
        "print([r.getrlimit(k)[0] for k in (r.RLIMIT_FSIZE, r.RLIMIT_NPROC, r.RLIMIT_CORE)],"
        " c.prctl(3, 0, 0, 0, 0), c.prctl(39, 0, 0, 0, 0), os.getsid(0) == os.getpid(),"
        " open('/proc/self/oom_score_adj').read().strip())"
    )
    assert told(sandbox, source) == "[0, 0, 0] 0 1 True 1000\n"


def test_nothing_can_be_written(sandbox: Sandbox, tmp_path: Path) -> None:
    written = tmp_path / "x"
    source = (
        "import signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"f = open({str(written)!r}, 'w')\nf.write('x')\nf.flush()\n"
    )
    answer = ask(sandbox, source + BELL)
    assert isinstance(answer, Rejected) and answer.reason == "SourceError"
    assert not written.exists() or written.read_text() == ""


NO_PROCESSES = """
import os, subprocess, threading
def tell(what, *given):
    try: print(what(*given))
    except BaseException as error: print(type(error).__name__, getattr(error, 'errno', error))
tell(os.fork)
tell(subprocess.run, ['/bin/true'])
tell(threading.Thread(target=print).start)
"""
NEEDS_NO_THREADS = """
import scipy.linalg, numpy
from qiskit import transpile
qc = transpile(qc, basis_gates=['u', 'cx'], optimization_level=3)
numpy.linalg.eigh(numpy.eye(200))
scipy.linalg.eigh(numpy.eye(200))
"""


WHAT_IT_TAKES = """
import pathlib, socket, subprocess, tempfile
from qtasks.circuits.sandbox import client, server
server.warm()
with tempfile.TemporaryDirectory() as folder:
    socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).bind(f"{folder}/socket")
subprocess.run(["/bin/true"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
"""


def as_nobody() -> list[str]:
    """What makes a command run as somebody else than root: another user, or, where that user lacks what any user of the
    sandbox must have (this checkout and its Python may lie under a private folder, or there is no folder for temporary
    files), a namespace in which root has that user's number and no rights."""
    if os.geteuid() != 0:
        return []
    setpriv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    tried = subprocess.run([*setpriv, sys.executable, "-c", WHAT_IT_TAKES], capture_output=True, cwd="/", check=False)
    return ["unshare", "-U", "--map-user=65534", "--map-group=65534"] if tried.returncode else setpriv


@pytest.mark.parametrize(
    "somebody", [list, pytest.param(as_nobody, marks=pytest.mark.system)], ids=["as we are", "as nobody"]
)
def test_no_processes_and_no_threads_and_qiskit_does_without(somebody: Callable[[], list[str]]) -> None:
    """RLIMIT_NPROC does not bind root: the filter does."""
    code = (
        "from qtasks.circuits.sandbox import Sandbox, Source\n"
        f"sources = [Source('a', 'python', {(NO_PROCESSES + BELL).encode()!r}),"
        f" Source('b', 'python', {(BELL + NEEDS_NO_THREADS).encode()!r})]\n"
        "with Sandbox() as s:\n    for one in s.check(sources): print(type(one).__name__, one.output)\n"
    )
    command = [*somebody(), sys.executable, "-c", code]
    out = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False, timeout=60)
    assert out.returncode == 0, out.stderr
    assert out.stdout.split("\n")[:4] == [
        "Checked PermissionError 1",
        "PermissionError 1",
        "RuntimeError can't start new thread",
        "",
    ]
    assert out.stdout.split("\n")[4] == "Checked "


def test_a_member_that_crashes_does_not_harm_its_batch(sandbox: Sandbox) -> None:
    """A QPY that names a class of the library that is no gate, and one cut short, between good circuits."""
    good = sandbox.check([Source("good", None, QASM2)])[0]
    assert isinstance(good, Checked)
    forged = good.qpy.replace(b"\x00\x05\x00\x00", b"\x00\x09\x00\x00", 1).replace(b"HGate", b"Blueprint")
    members = [good.qpy, forged, QASM2, good.qpy[: len(good.qpy) // 2], CRASH.encode(), good.qpy, BELL.encode()]
    found = sandbox.check([Source(str(i), None, data) for i, data in enumerate(members)], Limits(wall_seconds=5))
    assert [reason == "ok" for reason in reasons(found)] == [True, False, True, False, False, True, True]
    assert {a.fingerprint for a in found if isinstance(a, Checked)} == {good.fingerprint}


@pytest.mark.parametrize(("at", "value"), [(n, v) for n in range(40, 330, 24) for v in (0xFF, 0x7F)])
def test_corrupted_qpy_harms_no_neighbour(sandbox: Sandbox, at: int, value: int) -> None:
    good = sandbox.check([Source("good", None, QASM2)])[0]
    assert isinstance(good, Checked)
    broken = bytearray(good.qpy)
    broken[at % len(broken)] ^= value
    sources = [Source("a", None, good.qpy), Source("b", "qpy", bytes(broken)), Source("c", None, good.qpy)]
    first, _, last = sandbox.check(sources, Limits(wall_seconds=2, memory_bytes=512 << 20))
    assert reasons([first, last]) == ["ok", "ok"]


def test_a_monkeypatched_qiskit_does_not_leak_and_cannot_forge(sandbox: Sandbox) -> None:
    patch = (
        "import qtasks.circuits.sandbox.child as child, qtasks.circuits.formats as f\n"
        "from qiskit import QuantumCircuit\n"
        "real = f.dump\n"
        "child._check = lambda *a: None\n"
        "QuantumCircuit.h = lambda self, q: self.x(q)\n"
        "def lie(c):\n    c = QuantumCircuit(1, 1); return real(c)\n"
        "f.dump = lie\n"
    )
    answer = ask(sandbox, patch + BELL)
    assert reasons([answer]) == ["NothingMeasured"]  # the second child saw what the bytes really hold
    clean = ask(sandbox, BELL)
    assert isinstance(clean, Checked) and clean.analysis.gates == {"h": 1, "measure": 1}


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
