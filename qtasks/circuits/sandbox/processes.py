"""The system calls that make threads and processes, refused by a seccomp filter of a dozen instructions.

RLIMIT_NPROC alone is not enough: it does not bind root, and its EAGAIN makes Qiskit panic. ENOSYS for a thread is what
rayon takes for "this platform has none", and goes on without.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

_ARCHITECTURES = {
    # audit number, clone, clone3, fork and vfork where the architecture has them
    "x86_64": (0xC000003E, 56, 435, (57, 58)),
    "aarch64": (0xC00000B7, 220, 435, ()),
}
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_CLONE_THREAD = 0x00010000
_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def refuse_processes(libc: ctypes.CDLL) -> None:
    """From here on: a new thread is ENOSYS, a new process EPERM, for this process and for good.

    Needs no_new_privs. 32-bit calls on a 64-bit kernel pass it: an allow-list must come for those. Raises OSError
    where the kernel has no seccomp, or the machine is neither x86_64 nor aarch64.
    """
    if os.uname().machine not in _ARCHITECTURES:
        raise OSError(errno.ENOSYS, f"no filter for {os.uname().machine}")
    audit, clone, clone3, forks = _ARCHITECTURES[os.uname().machine]
    # From the end: what is jumped to comes last, and offsets count the instructions between.
    tail = [
        (_RETURN, 0, 0, _ALLOW),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_ANY_BIT, 1, 0, _CLONE_THREAD),
        (_RETURN, 0, 0, _ERRNO | errno.EPERM),
        (_RETURN, 0, 0, _ERRNO | errno.ENOSYS),
    ]
    allow, check, eperm, enosys = 0, 1, 3, 4
    tests = [(clone3, enosys), (clone, check), *((fork, eperm) for fork in forks)]
    head = [(_LOAD, 0, 0, _ARCHITECTURE), (_EQUAL, 0, 1 + len(tests) + allow, audit), (_LOAD, 0, 0, _NUMBER)]
    for index, (number, target) in enumerate(tests):
        head.append((_EQUAL, len(tests) - index - 1 + target, 0, number))
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in head + tail)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(head) + len(tail), ctypes.addressof(buffer))
    if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_SECCOMP)")
