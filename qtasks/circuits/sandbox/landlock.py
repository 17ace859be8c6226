"""Landlock by ctypes: what a process may open, connect to and signal, given up for good. Linux 5.13 and later.

The structures and numbers are those of <linux/landlock.h>; the calls have the same numbers on every architecture.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1
_PATH_BENEATH = 1
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_FILE_RIGHTS = ((1, 13), (2, 14), (3, 15), (5, 16))
"""From each version on, how many rights to files there are: all are handled, so all but what a rule gives are gone."""
_NETWORK_RIGHTS = 0b11
_SCOPES = 0b11

NETWORK_SINCE, SCOPES_SINCE = 4, 6


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("rights", ctypes.c_uint64), ("parent", ctypes.c_int32))


_libc = ctypes.CDLL(None, use_errno=True)


def _call(number: int, *arguments: object) -> int:
    result = int(_libc.syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def version() -> int:
    """The kernel's Landlock ABI; 0 where it has none, or a container forbids asking."""
    try:
        return _call(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))
    except OSError:
        return 0


def ruleset(readable: Iterable[Path]) -> int:
    """The descriptor of a ruleset: `readable` files and folders may be read, and no other opened, nothing be written,
    made or run; no TCP (from version 4); no signal and no abstract socket out of here (from version 6).

    Raises OSError where there is no Landlock.
    """
    abi = version()
    files = max((count for since, count in _FILE_RIGHTS if abi >= since), default=0)
    wanted = _Ruleset(
        (1 << files) - 1,
        _NETWORK_RIGHTS if abi >= NETWORK_SINCE else 0,
        _SCOPES if abi >= SCOPES_SINCE else 0,
    )
    size = 24 if abi >= SCOPES_SINCE else 16 if abi >= NETWORK_SINCE else 8
    made = _call(_CREATE_RULESET, ctypes.byref(wanted), ctypes.c_size_t(size), ctypes.c_uint32(0))
    for path in readable:
        _allow(made, path)
    return made


def _allow(made: int, path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        rights = _READ_FILE | (_READ_DIR if path.is_dir() else 0)
        rule = _PathBeneath(rights, descriptor)
        _call(_ADD_RULE, ctypes.c_int(made), ctypes.c_int(_PATH_BENEATH), ctypes.byref(rule), ctypes.c_uint32(0))
    finally:
        os.close(descriptor)


def restrict(ruleset: int) -> None:
    """Puts this process under a ruleset, for good. Needs no_new_privs. Raises OSError."""
    _call(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
