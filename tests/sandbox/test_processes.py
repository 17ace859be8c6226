"""Attacks on processes: making them, starting programs and threads, and what no limit of time outlives."""

from __future__ import annotations

from pathlib import Path

import pytest

from qtasks.circuits.sandbox import Limits
from tests.sandbox.asking import BELL, eventually
from tests.sandbox.attempts import not_refused, outcomes, outside
from tests.sandbox.users import AS_WE_ARE, POD, USERS, Attacked

# A child that is made after all ends at once, and its maker sees a number.
MADE = """
def made(pid):
    if pid == 0:
        os._exit(0)
    return checked(pid, 'a new process')
def shell():
    if libc.system(b'true'):
        raise PermissionError(errno.EPERM, 'it ran nothing')
def program():
    argv = (ctypes.c_char_p * 2)(b'true', None)
    return argv
def posix_thread():
    handle = ctypes.c_ulong()
    number = libc.pthread_create(ctypes.byref(handle), None, ctypes.cast(libc.getpid, ctypes.c_void_p), None)
    if number:
        raise OSError(number, 'pthread_create')
"""
PROGRAMS = {
    "fork": "made(os.fork())",
    "c-fork": "made(libc.fork())",
    "forkpty": "made(os.forkpty()[0])",
    "run": "subprocess.run(['/bin/true'])",
    "run-of-this-python": "subprocess.run([sys.executable, '-c', 'pass'])",
    "posix-spawn": "os.posix_spawn('/bin/true', ['true'], {})",
    "popen": "os.popen('true')",
    "shell": "shell()",
    "multiprocessing": "__import__('multiprocessing').Process(target=int).start()",
}
BY_NUMBER = {
    "fork": "made(syscall('fork'))",
    "clone": "made(syscall('clone', 17, 0, 0, 0, 0))",
    "clone-parent": "made(syscall('clone', 0x8000 | 17, 0, 0, 0, 0))",
    "clone-new-user": "made(syscall('clone', 0x10000000 | 17, 0, 0, 0, 0))",
    "clone3": "made(syscall('clone3', (ctypes.c_uint64 * 11)(0, 0, 0, 0, 17), 88))",
    "execve": "syscall('execve', b'/bin/true', program(), None)",
    "execveat": "syscall('execveat', -100, b'/bin/true', program(), None, 0)",
    "unshare-user": "syscall('unshare', 0x10000000)",
}
EXECUTING = {
    "execve": "os.execv('/bin/true', ['true'])",
    "execve-python": "os.execv(sys.executable, ['python', '-c', 'pass'])",
    "execve-a-library": "os.execv('/lib64/ld-linux-x86-64.so.2', ['ld', '/bin/true'])",
    "execveat": "syscall('execveat', os.open(os.__file__, 0), b'', program(), None, 0x1000)",
    "fexecve": "os.execve(os.open(os.__file__, 0), ['true'], {})",
}
THREADS = """
import _thread, concurrent.futures, threading
def tell(what, *given):
    try: print('got', what(*given))
    except BaseException as error: print(type(error).__name__, error)
tell(threading.Thread(target=print).start)
tell(_thread.start_new_thread, print, ())
tell(concurrent.futures.ThreadPoolExecutor(2).submit, print)
tell(threading.Timer(0, print).start)
"""
NEEDS_NO_THREADS = """
import scipy.linalg, numpy
from qiskit import transpile
qc = transpile(qc, basis_gates=['u', 'cx'], optimization_level=3)
numpy.linalg.eigh(numpy.eye(200))
scipy.linalg.eigh(numpy.eye(200))
"""
everywhere = pytest.mark.parametrize("attacked", [*USERS, POD], indirect=True)


def test_no_process_can_be_made(attacked: Attacked) -> None:
    assert not_refused(outcomes(attacked, PROGRAMS, MADE)) == {}


@pytest.mark.system
@everywhere
def test_no_process_can_be_made_by_raw_calls_and_no_program_started(attacked: Attacked) -> None:
    table = {**EXECUTING, **{f"raw-{name}": expression for name, expression in BY_NUMBER.items()}}
    assert not_refused(outcomes(attacked, table, MADE)) == {}


@pytest.mark.system
def test_outside_the_sandbox_processes_can_be_made() -> None:
    found = outside({**PROGRAMS, "raw-clone": BY_NUMBER["clone"]}, MADE)
    assert {name: came for name, came in found.items() if not came.startswith("got")} == {}


@everywhere
@pytest.mark.system
def test_no_thread_can_be_started_and_qiskit_does_without(attacked: Attacked) -> None:
    assert attacked.told(THREADS) == "RuntimeError can't start new thread\n" * 4
    found = outcomes(attacked, {"pthread": "posix_thread()", "rayon-pool": "os.sched_setaffinity(0, {0})"}, MADE)
    assert not found["pthread"].startswith("got") and found["rayon-pool"] == "refused EPERM"
    assert attacked.reason(BELL + NEEDS_NO_THREADS) == "ok"


FORK_BOMBS = {
    "of processes": "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
    "of threads": "import _thread\nwhile True:\n    try: _thread.start_new_thread(int, ())\n"
    "    except RuntimeError: pass",
    "of programs": "import subprocess\nwhile True:\n    try: subprocess.Popen(['/bin/sleep', '100'])\n"
    "    except OSError: pass",
}


@pytest.mark.parametrize("bomb", FORK_BOMBS)
@pytest.mark.system
def test_a_fork_bomb_makes_nothing_and_ends_at_its_deadline(attacked: Attacked, bomb: str) -> None:
    before = processes()
    assert attacked.reason(FORK_BOMBS[bomb], Limits(wall_seconds=0.4)) == "ValidationTimeout"
    assert len(processes() - before) < 20  # the machine's own; a bomb would have made thousands


DAEMON = """
import os
for _ in range(2):
    try:
        if os.fork(): break
        os.setsid()
    except OSError as error: print(error.errno)
try: os.setsid()
except OSError as error: print('setsid', error.errno)
try: os.setpgid(0, 0)
except OSError as error: print('setpgid', error.errno)
print('pid', os.getpid())
"""


def test_nothing_can_be_left_behind(attacked: Attacked) -> None:
    printed = attacked.told(DAEMON).split()
    assert printed[:6] == ["1", "1", "setsid", "1", "setpgid", "1"]
    eventually(lambda: not Path(f"/proc/{printed[-1]}").exists())


@pytest.mark.system
@pytest.mark.parametrize("attacked", [AS_WE_ARE], indirect=True)
def test_a_child_dies_with_the_warm_process_and_cannot_unsay_it(attacked: Attacked) -> None:
    table = {"unsay": "call('prctl', 1, 0, 0, 0, 0)", "dumpable": "call('prctl', 4, 1, 0, 0, 0)"}
    assert not_refused(outcomes(attacked, table)) == {}


def processes() -> set[str]:
    return {path.name for path in Path("/proc").iterdir() if path.name.isdigit()}
