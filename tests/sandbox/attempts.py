"""Tables of attempts: each is a Python expression that a sandboxed source evaluates, and must not get a value from."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

from qtasks.circuits.sandbox import Limits
from tests.sandbox.launch import REFUSED_IN_A_POD
from tests.sandbox.users import Attacked

_MORE_NUMBERS: dict[str, tuple[int | None, int | None]] = {
    "fork": (57, None),
    "vfork": (58, None),
    "clone": (56, 220),
    "clone3": (435, 435),
    "execve": (59, 221),
    "execveat": (322, 281),
    "openat2": (437, 437),
    "inotify_add_watch": (254, 27),
    "inotify_init1": (294, 26),
    "memfd_secret": (447, 447),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "timer_create": (222, 107),
    "pidfd_getfd": (438, 438),
    "get_robust_list": (274, 100),
    "ioprio_set": (251, 30),
    "migrate_pages": (256, 238),
    "capset": (126, 91),
    "setrlimit": (160, 164),
    "seccomp": (317, 277),
    "vhangup": (153, 58),
    "name_to_handle_at": (303, 264),
}
_COLUMN = ("x86_64", "aarch64").index(os.uname().machine)
NUMBERS = {name: both[_COLUMN] for name, both in {**REFUSED_IN_A_POD, **_MORE_NUMBERS}.items()}
"""System calls by name, on this machine; None where its architecture has no such call."""

# `call` and `syscall` raise OSError as Python's own functions do; `syscall` goes past the C library.
TRYING = (
    f"""
NUMBERS = {NUMBERS!r}"""
    + """
import ctypes, errno, mmap, os, signal, socket, subprocess, sys, threading
libc = ctypes.CDLL(None, use_errno=True)
def checked(result, name):
    if result == -1:
        raise OSError(ctypes.get_errno(), str(name))
    return result
def call(name, *arguments):
    return checked(getattr(libc, name)(*arguments), name)
def syscall(name, *arguments):
    number = NUMBERS[name]
    if number is None:
        raise OSError(errno.ENOSYS, name)
    wide = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return checked(libc.syscall(ctypes.c_long(number), *wide), name)
def attempt(name, what):
    try:
        got = what()
    except OSError as error:
        print('refused', name, errno.errorcode.get(error.errno, error.errno))
    except BaseException as error:
        print('raised', name, type(error).__name__, str(error)[:100].replace(chr(10), ' '))
    else:
        print('got', name, repr(got)[:100])
"""
)
REFUSALS = frozenset(("EPERM", "EACCES", "ENOSYS"))


def source_of(table: Mapping[str, str], setup: str = "") -> str:
    """Python source that makes every attempt of a table and prints what came of it."""
    lines = [f"attempt({name!r}, lambda: {expression})" for name, expression in table.items()]
    return "\n".join((TRYING, setup, *lines, ""))


def outcomes(attacked: Attacked, table: Mapping[str, str], setup: str = "") -> dict[str, str]:
    """What came of each attempt in the sandbox: `refused EPERM`, `raised TypeError …` or `got …`."""
    return _read(attacked.told(source_of(table, setup), Limits(wall_seconds=10)), table)


def outside(table: Mapping[str, str], setup: str = "") -> dict[str, str]:
    """What comes of each attempt in a process of our own: what an attempt is worth."""
    command = [sys.executable, "-c", source_of(table, setup)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/", timeout=30)
    return _read(ran.stdout, table)


def _read(printed: str, table: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for line in printed.splitlines():
        word, name, *rest = line.split(" ", 2)
        if word in ("refused", "raised", "got") and name in table:
            found[name] = " ".join((word, *rest))
    assert set(found) == set(table), printed
    return found


def not_refused(found: Mapping[str, str]) -> dict[str, str]:
    """The attempts that were not refused by the sandbox; what failed for another reason proves nothing."""
    return {name: came for name, came in found.items() if came not in {f"refused {error}" for error in REFUSALS}}
