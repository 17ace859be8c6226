"""Attacks on other processes: signals, looking into them, changing their limits, and rights over the machine."""

from __future__ import annotations

import os

import pytest

from tests.sandbox.attempts import not_refused, outcomes, outside
from tests.sandbox.users import POD, USERS, Attacked

everywhere = pytest.mark.parametrize("attacked", [*USERS, POD], indirect=True)

SETUP = """
server, test = os.getppid(), {test}
def vector(size=8):
    room = ctypes.create_string_buffer(size)
    return (ctypes.c_void_p * 2)(ctypes.addressof(room), size)
"""
# Signal 0 asks for permission alone, so that a sandbox with a hole ends no process of the machine that tests it.
SIGNALS = {
    "kill-the-server": "os.kill(server, signal.SIGKILL)",
    "stop-the-server": "os.kill(server, signal.SIGSTOP)",
    "end-the-server": "os.kill(server, signal.SIGTERM)",
    "real-time-signal": "os.kill(server, signal.SIGRTMIN)",
    "group-of-the-server": "os.killpg(server, signal.SIGKILL)",
    "the-test": "os.kill(test, 0)",
    "init": "os.kill(1, 0)",
    "everybody": "os.kill(-1, 0)",
    "own-group": "os.kill(0, 0)",
    "tkill": "syscall('tkill', server, 9)",
    "tgkill": "syscall('tgkill', server, server, 9)",
    "sigqueue": "syscall('rt_sigqueueinfo', server, 9, (ctypes.c_char * 128)())",
    "tgsigqueue": "syscall('rt_tgsigqueueinfo', server, server, 9, (ctypes.c_char * 128)())",
    "pidfd": "os.pidfd_open(server)",
    "pidfd-of-the-test": "os.pidfd_open(test)",
    "pidfd-signal": "signal.pidfd_send_signal(3, 9)",
    "owner-of-a-descriptor": "__import__('fcntl').fcntl(3, 8, server)",
    "signal-of-a-descriptor": "__import__('fcntl').fcntl(3, 10, 9)",
    "asynchronous-descriptor": "__import__('fcntl').fcntl(3, 4, 0x2000)",
    "timer": "syscall('timer_create', 1, None, ctypes.byref(ctypes.c_int()))",
}
LOOKING = {
    "ptrace-attach": "syscall('ptrace', 16, server, None, None)",
    "ptrace-seize": "syscall('ptrace', 0x4206, server, None, None)",
    "ptrace-me": "syscall('ptrace', 0, 0, None, None)",
    "read-memory": "syscall('process_vm_readv', server, vector(), 1, vector(), 1, 0)",
    "write-memory": "syscall('process_vm_writev', server, vector(), 1, vector(), 1, 0)",
    "compare": "syscall('kcmp', server, os.getpid(), 0, 3, 3)",
    "take-a-descriptor": "syscall('pidfd_getfd', 3, 0, 0)",
    "move-pages": "syscall('move_pages', server, 0, None, None, None, 0)",
    "robust-list": "syscall('get_robust_list', server, vector(), vector())",
    "session": "os.getsid(server)",
    "group": "os.getpgid(server)",
    "performance": "syscall('perf_event_open', vector(128), server, -1, -1, 0)",
    "wait": "os.wait()",
}
CHANGING = {
    "limits": "__import__('resource').prlimit(server, 9, (0, 0))",
    "look-at-limits": "__import__('resource').prlimit(server, 9)",
    "own-limits": "syscall('setrlimit', 9, (ctypes.c_uint64 * 2)(2**63, 2**63))",
    "own-file-size": "__import__('resource').prlimit(0, 1, (-1, -1))",
    "priority": "os.setpriority(os.PRIO_PROCESS, server, 19)",
    "own-priority": "os.nice(1)",
    "affinity": "os.sched_setaffinity(server, {0})",
    "scheduler": "os.sched_setscheduler(server, os.SCHED_IDLE, os.sched_param(0))",
    "io-priority": "syscall('ioprio_set', 1, server, 0x6000)",
    "memory-policy": "syscall('migrate_pages', server, 8, vector(), vector())",
    "namespace": "syscall('setns', 3, 0)",
    "root": "os.chroot('/')",
    "user": "os.setresuid(1, 1, 1)",
    "group": "os.setresgid(1, 1, 1)",
    "groups": "os.setgroups([])",
    "capabilities": "syscall('capset', (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)())",
    "host-name": "syscall('sethostname', b'attacked', -1)",
    "clock": "syscall('settimeofday', None, None)",
    "keyring": "syscall('keyctl', 1, None, 0, 0, 0)",
    "load-a-program": "syscall('bpf', 0, vector(128), 128)",
    "personality": "syscall('personality', 0x0040000)",
    "filter": "syscall('seccomp', 1, 0, None)",
    "ports": "syscall('ioperm', 0x70, 1, 1)",
    "io-uring": "syscall('io_uring_setup', 8, (ctypes.c_char * 120)())",
    "page-faults": "syscall('userfaultfd', 0)",
    "terminal": "syscall('vhangup')",
    "open-by-handle": "syscall('open_by_handle_at', 3, (ctypes.c_char * 128)(), 0)",
    "name-to-handle": "syscall('name_to_handle_at', -100, b'/etc', vector(136), vector(), 0)",
}


@everywhere
@pytest.mark.system
def test_no_other_process_can_be_signalled(attacked: Attacked) -> None:
    assert not_refused(outcomes(attacked, SIGNALS, SETUP.format(test=os.getpid()))) == {}


@everywhere
@pytest.mark.system
def test_no_other_process_can_be_looked_into(attacked: Attacked) -> None:
    assert not_refused(outcomes(attacked, LOOKING, SETUP.format(test=os.getpid()))) == {}


@everywhere
@pytest.mark.system
def test_nothing_of_the_machine_or_of_its_own_limits_can_be_changed(attacked: Attacked) -> None:
    assert not_refused(outcomes(attacked, CHANGING, SETUP.format(test=os.getpid()))) == {}


def test_the_warm_process_cannot_be_killed(attacked: Attacked) -> None:
    """The quick one of the many ways: the fixture sees that it is still the same process."""
    table = {"kill": "os.kill(os.getppid(), signal.SIGKILL)", "memory": "open(f'/proc/{os.getppid()}/mem', 'wb')"}
    assert not_refused(outcomes(attacked, table)) == {}


@pytest.mark.system
def test_outside_the_sandbox_a_process_may_do_so_to_its_own_kind() -> None:
    table = {
        "pidfd": "os.pidfd_open(os.getppid())",
        "signal": "os.kill(os.getppid(), 0)",
        "everybody": "os.kill(-1, 0)",
        "session": "os.getsid(os.getppid())",
        "limits": "__import__('resource').prlimit(os.getppid(), 9)",
        "affinity": "os.sched_setaffinity(os.getppid(), os.sched_getaffinity(os.getppid()))",
        "ptrace-me": "call('ptrace', 0, 0, None, None)",
        "owner-of-a-descriptor": "__import__('fcntl').fcntl(os.pipe()[0], 8, os.getpid())",
    }
    found = outside(table)
    assert {name: came for name, came in found.items() if not came.startswith("got")} == {}
