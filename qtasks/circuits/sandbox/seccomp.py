"""A seccomp filter from the tables of `system_calls`: an allow-list of some sixty calls, assembled by hand.

No library: the kept ones need a C library that wheels do not carry. The program is a list of rules, each of which
jumps only over itself, so that there are no offsets to get wrong.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterator

from qtasks.circuits.sandbox import system_calls as calls

_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_NUMBER, _ARCHITECTURE = 0, 4
_ALLOW, _ERRNO, _KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
_PR_GET_SECCOMP, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 21, 22, 2
_CLONE_THREAD = 0x00010000
_OWN_PID = 0xFFFFFFFE
"""Stands in the program where each process puts its own."""

_Instruction = tuple[int, int, int, int]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


_libc = ctypes.CDLL(None, use_errno=True)


def available() -> bool:
    """Whether this machine has seccomp and its system calls are known here."""
    return os.uname().machine in calls.ARCHITECTURES and _libc.prctl(_PR_GET_SECCOMP, 0, 0, 0, 0) >= 0


class Filter:
    """The calls of `system_calls` and no others. Made once, ahead; `confine` then costs a tenth of a millisecond.

    Others are EPERM, a new thread is ENOSYS, a terminal's control ENOTTY; a call of another architecture (32-bit ones
    on a 64-bit kernel) kills. With `files` False nothing can be opened or looked at either.

    Raises OSError on an architecture whose calls are not known.
    """

    def __init__(self, *, files: bool) -> None:
        machine = os.uname().machine
        if machine not in calls.ARCHITECTURES:
            raise OSError(errno.ENOSYS, f"the system calls of {machine} are not known")
        self.files = files
        program = list(_program(calls.ARCHITECTURES[machine], files=files))
        self._code = b"".join(struct.pack("HBBI", *instruction) for instruction in program)
        self._pid_at = 8 * program.index((_EQUAL, 0, 1, _OWN_PID)) + 4

    def confine(self) -> None:
        """Puts this process under the filter, for good. Needs no_new_privs. Raises OSError where that cannot be."""
        buffer = ctypes.create_string_buffer(self._code, len(self._code))
        struct.pack_into("I", buffer, self._pid_at, os.getpid())
        program = _Program(len(self._code) // 8, ctypes.addressof(buffer))
        if _libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) != 0:
            error = ctypes.get_errno()
            raise OSError(error, f"prctl(PR_SET_SECCOMP): {os.strerror(error)}")


def _program(architecture: calls.Architecture, *, files: bool) -> Iterator[_Instruction]:
    column = architecture.column
    yield _LOAD, 0, 0, _ARCHITECTURE
    yield _EQUAL, 1, 0, architecture.audit
    yield _RETURN, 0, 0, _KILL_PROCESS
    yield _LOAD, 0, 0, _NUMBER
    allowed = calls.COMPUTING | (calls.LOOKING_AT_FILES if files else {})
    for numbers in allowed.values():
        yield from _rule(numbers[column], [(_RETURN, 0, 0, _ALLOW)])
    # fork() is clone() without CLONE_THREAD: that is a process, and no platform is without processes.
    clone3, clone = calls.NEW_THREADS["clone3"][column], calls.NEW_THREADS["clone"][column]
    yield from _rule(clone3, [_refuse(errno.ENOSYS)])
    thread = [
        (_LOAD, 0, 0, _argument(0)),
        (_ANY_BIT, 0, 1, _CLONE_THREAD),
        _refuse(errno.ENOSYS),
        _refuse(errno.EPERM),
    ]
    yield from _rule(clone, thread)
    yield from _rule(calls.IOCTL[column], [_refuse(errno.ENOTTY)])
    yield from _rule(calls.FCNTL[column], _one_of(1, calls.FCNTL_COMMANDS))
    yield from _rule(calls.TGKILL[column], _one_of(0, (_OWN_PID,)))  # abort()
    # Its own limits, to read: pid 0, and no new limit (a null pointer, both halves).
    reads = [_refuse(errno.EPERM)]
    for argument in (_argument(2) + 4, _argument(2), _argument(0)):
        reads = [(_LOAD, 0, 0, argument), (_EQUAL, 1, 0, 0), _refuse(errno.EPERM), *reads]
    reads[-1] = (_RETURN, 0, 0, _ALLOW)
    yield from _rule(calls.PRLIMIT[column], reads)
    yield _refuse(errno.EPERM)


def _rule(number: int | None, body: list[_Instruction]) -> Iterator[_Instruction]:
    """`body`, which must return, for the call of that number; others jump over it, with their number still loaded."""
    if number is not None:
        yield _EQUAL, 0, len(body), number
        yield from body


def _one_of(argument: int, values: tuple[int, ...]) -> list[_Instruction]:
    body: list[_Instruction] = [(_LOAD, 0, 0, _argument(argument))]
    for value in values:
        body += [(_EQUAL, 0, 1, value), (_RETURN, 0, 0, _ALLOW)]
    return [*body, _refuse(errno.EPERM)]


def _argument(index: int) -> int:
    """Where the low half of an argument lies; both architectures are little-endian."""
    return 16 + 8 * index


def _refuse(error: int) -> _Instruction:
    return _RETURN, 0, 0, _ERRNO | error
