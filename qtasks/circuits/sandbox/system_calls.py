"""The system calls that a sandbox child may make, by name, with their numbers. Everything else is refused.

Reading, memory, time, its own signals: what Python, NumPy and Qiskit need to compute. Nothing that makes, names,
signals or looks at another process, nothing that opens a socket, nothing that writes but to what is open already.
"""

from __future__ import annotations

from typing import NamedTuple


class Architecture(NamedTuple):
    """How seccomp names an architecture, and which column of the tables below is its own."""

    audit: int
    column: int


ARCHITECTURES = {"x86_64": Architecture(0xC000003E, 0), "aarch64": Architecture(0xC00000B7, 1)}

# (x86_64, aarch64); None where the architecture has no such call.
COMPUTING: dict[str, tuple[int | None, int | None]] = {
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "fstat": (5, 80),
    "poll": (7, None),
    "lseek": (8, 62),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "brk": (12, 214),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "pread64": (17, 67),
    "readv": (19, 65),
    "writev": (20, 66),
    "select": (23, None),
    "sched_yield": (24, 124),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "dup": (32, 23),
    "nanosleep": (35, 101),
    "getpid": (39, 172),
    "exit": (60, 93),
    "uname": (63, 160),
    "gettimeofday": (96, 169),
    "getrlimit": (97, 163),
    "getrusage": (98, 165),
    "sysinfo": (99, 179),
    "times": (100, 153),
    "getuid": (102, 174),
    "getgid": (104, 176),
    "geteuid": (107, 175),
    "getegid": (108, 177),
    "getppid": (110, 173),
    "sigaltstack": (131, 132),
    "gettid": (186, 178),
    "time": (201, None),
    "futex": (202, 98),
    "sched_getaffinity": (204, 123),
    "restart_syscall": (219, 128),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "exit_group": (231, 94),
    "pselect6": (270, 72),
    "ppoll": (271, 73),
    "set_robust_list": (273, 99),
    "getcpu": (309, 168),
    "getrandom": (318, 278),
    "rseq": (334, 293),
}

# Allowed where Landlock says which files, and refused where there is no Landlock.
LOOKING_AT_FILES: dict[str, tuple[int | None, int | None]] = {
    "open": (2, None),
    "stat": (4, None),
    "lstat": (6, None),
    "access": (21, None),
    "getcwd": (79, 17),
    "readlink": (89, None),
    "getdents64": (217, 61),
    "openat": (257, 56),
    "newfstatat": (262, 79),
    "readlinkat": (267, 78),
    "faccessat": (269, 48),
    "statx": (332, 291),
    "faccessat2": (439, 439),
}

# rayon and glibc take ENOSYS for "this platform has none" and go on; of EPERM Qiskit panics.
NEW_THREADS: dict[str, tuple[int | None, int | None]] = {"clone3": (435, 435), "clone": (56, 220)}

FCNTL: tuple[int | None, int | None] = (72, 25)
FCNTL_COMMANDS = (0, 1, 2, 3, 1030)
"""F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC: no F_SETOWN, which makes the kernel signal other processes."""
IOCTL: tuple[int | None, int | None] = (16, 29)
TGKILL: tuple[int | None, int | None] = (234, 131)
PRLIMIT: tuple[int | None, int | None] = (302, 261)
