"""Sources that misbehave: only they fail, in time, and what runs them has nothing to give away."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from qtasks.circuits.sandbox import Checked, Limits, Rejected, Sandbox, Source, answers, wire
from qtasks.circuits.sandbox.client import WarmProcess
from qtasks.circuits.sandbox.server_socket import listen
from qtasks.errors import Unavailable
from qtasks.settings import Settings

BELL = "from qiskit import QuantumCircuit\nqc = QuantumCircuit(1, 1)\nqc.h(0)\nqc.measure(0, 0)\n"
QASM2 = b'OPENQASM 2.0; include "qelib1.inc"; qreg q[1]; creg c[1]; h q[0]; measure q -> c;'
CRASH = "import ctypes\nctypes.string_at(0)\n"


def ask(sandbox: Sandbox, source: str, limits: Limits | None = None) -> Checked | Rejected:
    return sandbox.check([Source("it", "python", source.encode())], limits)[0]


def told(sandbox: Sandbox, source: str) -> str:
    """What a source prints before it makes a good circuit."""
    answer = ask(sandbox, source + "\n" + BELL)
    assert isinstance(answer, Checked), answer
    return answer.output


def reasons(found: list[Checked | Rejected]) -> list[str]:
    return [answer.reason if isinstance(answer, Rejected) else "ok" for answer in found]


def eventually(holds: Callable[[], bool], seconds: float = 5.0) -> None:
    """Waits for a condition, with a deadline."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to hold in time"
        time.sleep(0.01)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def server(sandbox: Sandbox) -> int:
    pid = sandbox._process.pid
    assert pid is not None
    return pid


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
    limits = Limits(wall_seconds=0.5, memory_bytes=256 << 20)
    assert reasons([ask(sandbox, source, limits)]) == [reason]
    assert reasons([ask(sandbox, BELL, limits)]) == ["ok"]


def test_a_crash_is_named(sandbox: Sandbox) -> None:
    answer = ask(sandbox, CRASH)
    assert isinstance(answer, Rejected)
    assert "SIGSEGV" in answer.message


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
    source = f"import signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nf = open({str(tmp_path / 'x')!r}, 'w')\nf.write('x')\nf.flush()\n"
    answer = ask(sandbox, source + BELL)
    assert isinstance(answer, Rejected) and answer.reason == "SourceError"
    assert not (tmp_path / "x").exists() or (tmp_path / "x").read_text() == ""


@pytest.mark.system
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_fork_is_refused_to_an_ordinary_user() -> None:
    """RLIMIT_NPROC does not bind root: for root, seccomp must refuse it (the next issue)."""
    code = (
        "import os, sys\nos.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "from qtasks.circuits.sandbox import Sandbox, Source\n"
        "with Sandbox() as s:\n"
        f"    print(s.check([Source('it', 'python', b'import os\\nos.fork()\\n' + {BELL.encode()!r})])[0].message)\n"
        f"    print(type(s.check([Source('it', 'python', {BELL.encode()!r})])[0]).__name__)\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="/", check=True, timeout=30)
    assert out.stdout.split("\n")[:2] == ["BlockingIOError: [Errno 11] Resource temporarily unavailable", "Checked"]


def test_what_a_source_leaves_behind_in_its_session_dies_with_it(sandbox: Sandbox) -> None:
    source = "import os, time\npid = os.fork()\nif pid == 0:\n    time.sleep(60)\nprint(pid)\n" + BELL
    answer = ask(sandbox, source)
    if isinstance(answer, Rejected):  # an ordinary user cannot fork at all
        assert "BlockingIOError" in answer.message
        return
    left = Path(f"/proc/{answer.output.strip()}")
    eventually(lambda: not left.exists() or "Z" in (left / "stat").read_text().split()[2])


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


def test_a_killed_server_is_started_again() -> None:
    with Sandbox() as sandbox:
        assert reasons([ask(sandbox, BELL)]) == ["ok"]
        first = server(sandbox)
        spares = children(first)
        os.kill(first, signal.SIGKILL)
        assert reasons([ask(sandbox, BELL)]) == ["ok"]
        assert server(sandbox) != first
        eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in spares))


def test_a_source_that_kills_the_server_is_refused_and_the_next_one_is_not() -> None:
    with Sandbox() as sandbox:
        answer = ask(sandbox, "import os\nos.kill(os.getppid(), 9)\nimport time\ntime.sleep(5)\n")
        assert reasons([answer]) == ["SandboxCrashed"]
        assert reasons([ask(sandbox, BELL)]) == ["ok"]


def test_forked_processes_share_it_and_leave_nothing() -> None:
    before = set(os.listdir("/proc/self/fd"))
    with Sandbox() as sandbox:
        assert reasons([ask(sandbox, BELL)]) == ["ok"]
        code = os.waitstatus_to_exitcode(_in_a_fork(lambda: reasons([ask(sandbox, BELL)] * 3) == ["ok"] * 3))
        assert code == 0
        assert reasons([ask(sandbox, BELL)]) == ["ok"]  # the fork did not take it along
        pid = server(sandbox)
        eventually(lambda: len(children(pid)) == 2)  # the spares, and no zombies
        address = sandbox._process.address
    sandbox.close()
    assert not Path(f"/proc/{pid}").exists()
    assert not address.parent.exists()
    assert set(os.listdir("/proc/self/fd")) == before


def _in_a_fork(check: Callable[[], bool]) -> int:
    pid = os.fork()
    if pid == 0:
        os._exit(0 if check() else 1)
    return os.waitpid(pid, 0)[1]


def test_the_server_ends_with_the_process_that_started_it() -> None:
    code = (
        "import os\nfrom qtasks.circuits.sandbox import Sandbox, Source\n"
        f"s = Sandbox(); s.start(); s.check([Source('it', None, {QASM2!r})])\n"
        "print(s._process.pid, s._process.address.parent, flush=True)\nos.kill(os.getpid(), 9)\n"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=False, timeout=30
    ).stdout
    pid, folder = out.split()
    eventually(lambda: not Path(f"/proc/{pid}").exists())
    for left in (Path(folder) / "socket", Path(folder) / "lock"):
        left.unlink(missing_ok=True)
    Path(folder).rmdir()


def test_a_sidecar_serves_whoever_reaches_its_socket(tmp_path: Path) -> None:
    address = tmp_path / "socket"
    with subprocess.Popen([sys.executable, "-m", "qtasks.circuits.sandbox", "--socket", str(address)]) as sidecar:
        try:
            eventually(address.exists)
            with Sandbox(Settings(home=tmp_path, sandbox_socket=address)) as sandbox:
                assert reasons([ask(sandbox, BELL)]) == ["ok"]
            assert sidecar.poll() is None
        finally:
            sidecar.terminate()
    with (
        Sandbox(Settings(home=tmp_path, sandbox_socket=address)) as sandbox,
        pytest.raises(Unavailable, match="reached"),
    ):
        ask(sandbox, BELL)


def test_a_sandbox_that_was_not_started_says_so() -> None:
    with pytest.raises(Unavailable, match="not been started"):
        ask(Sandbox(), BELL)


def test_a_process_that_ends_at_once_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: WarmProcess) -> None:
        with listen(self.address) as listener:
            code = "import socket, sys; s = socket.socket(fileno=int(sys.argv[1])); c, _ = s.accept()"
            self._server = subprocess.Popen(
                [sys.executable, "-c", code, str(listener.fileno())], pass_fds=[listener.fileno()]
            )
            self._server_owner = os.getpid()

    monkeypatch.setattr(WarmProcess, "_spawn", broken)
    with Sandbox() as sandbox, pytest.raises(Unavailable, match="as soon as it is started"):
        ask(sandbox, BELL)
