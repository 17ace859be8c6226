"""Raw system calls: every number there is, those of other architectures, and machine code of one's own."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from qtasks.circuits.sandbox import Limits
from tests.sandbox.asking import children, eventually
from tests.sandbox.attempts import TRYING
from tests.sandbox.users import POD, USERS, Attacked

everywhere = pytest.mark.parametrize("attacked", [*USERS, POD], indirect=True)
MACHINE = os.uname().machine
LAST = 470
"""Past the newest call of Linux 6.18."""

# What a child may call, written down once more: a call that is added to the sandbox's list must be thought of here too.
ALLOWED = {
    "x86_64": {
        "memory": {9, 10, 11, 12, 25, 28},  # mmap mprotect munmap brk mremap madvise
        "open descriptors": {0, 1, 3, 5, 7, 8, 17, 19, 20, 23, 32, 72, 270, 271},
        "files, as Landlock allows": {2, 4, 6, 21, 79, 89, 217, 257, 262, 267, 269, 332, 439},
        "signals to oneself": {13, 14, 15, 131, 234},
        "time": {24, 35, 96, 201, 228, 229, 230, 219},
        "about oneself and the machine": {39, 63, 97, 98, 99, 100, 102, 104, 107, 108, 110, 186, 204, 302, 309},
        "locks of one thread": {202, 273, 334},
        "random numbers": {318},
        "the end": {60, 231},
    },
    "aarch64": {
        "memory": {222, 226, 215, 214, 216, 233},
        "open descriptors": {63, 64, 57, 80, 62, 67, 65, 66, 23, 25, 72, 73},
        "files, as Landlock allows": {17, 61, 56, 79, 78, 48, 291, 439},
        "signals to oneself": {134, 135, 139, 132, 131},
        "time": {124, 101, 169, 113, 114, 115, 128},
        "about oneself and the machine": {172, 160, 163, 165, 179, 153, 174, 176, 175, 177, 173, 178, 123, 261, 168},
        "locks of one thread": {98, 99, 293},
        "random numbers": {278},
        "the end": {93, 94},
    },
}
# Calls that end or block whoever makes them: known to be allowed, and not tried. 335 and 336 are the kernel's own, for
# its probes, and kill any other caller.
NOT_TRIED = {
    "x86_64": {7, 15, 23, 35, 60, 219, 230, 231, 270, 271, 335, 336},
    "aarch64": {139, 101, 93, 94, 128, 115, 72, 73},
}
# -1 is no pointer, no descriptor, no length and no process, and so harms nobody who is not stopped before. The kernel
# would answer EBADF for a descriptor of -1: ENOTTY, for ioctl, is the filter's.
SWEEP = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
nothing = [ctypes.c_long(-1)] * 6
passed = []
for number in range({last}):
    if number in {skipped}: continue
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *nothing)
    if result != -1 or ctypes.get_errno() not in (1, 25, 38): passed.append(number)
print(*passed)
"""


@everywhere
@pytest.mark.system
def test_only_the_calls_of_the_list_can_be_made(attacked: Attacked) -> None:
    allowed = set().union(*ALLOWED[MACHINE].values())
    printed = attacked.told(SWEEP.format(last=LAST, skipped=NOT_TRIED[MACHINE]))
    passed = {int(number) for number in printed.split()}
    assert passed <= allowed
    assert len(passed) > 20  # the sweep does see a call that passes


# Machine code in memory of its own: nothing keeps a source from making it, so nothing may hang on its absence.
MACHINE_CODE = (
    TRYING
    + """
room = mmap.mmap(-1, 4096, prot=7)
def run(code):
    room.seek(0)
    room.write(code)
    place = ctypes.addressof(ctypes.c_char.from_buffer(room))
    return ctypes.CFUNCTYPE(ctypes.c_long)(place)()
"""
)
GETPID_64 = "run(bytes.fromhex('b827000000 0f05 c3'))"
SOCKET_64 = "run(bytes.fromhex('b829000000 bf02000000 be01000000 31d2 0f05 c3'))"
GETPID_32 = "run(bytes.fromhex('53 b814000000 cd80 5b c3'))"
KILL_32 = "run(bytes.fromhex('53 b825000000 bbffffffff 31c9 cd80 5b c3'))"
intel = pytest.mark.skipif(MACHINE != "x86_64", reason="machine code of x86_64, and calls that only it has")


@intel
@everywhere
@pytest.mark.system
def test_machine_code_can_call_no_more_than_python(attacked: Attacked) -> None:
    printed = attacked.told(f"{MACHINE_CODE}\nprint({GETPID_64} == os.getpid(), {SOCKET_64})")
    assert printed == "True -1\n"


@intel
@everywhere
@pytest.mark.system
@pytest.mark.parametrize("call", [GETPID_32, KILL_32], ids=["getpid", "kill"])
def test_a_32_bit_call_ends_whoever_makes_it(attacked: Attacked, call: str) -> None:
    assert attacked.reason(f"{MACHINE_CODE}\nprint({call})") == "SandboxCrashed"


X32 = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
nothing = [ctypes.c_long(-1)] * 6
passed = []
for number in (*range({last}), *range(512, 550)):
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(0x40000000 | number), *nothing)
    if result != -1 or ctypes.get_errno() not in (1, 38): passed.append(number)
print(passed)
"""


@intel
@everywhere
@pytest.mark.system
def test_no_call_by_an_x32_number_passes(attacked: Attacked) -> None:
    assert attacked.told(X32.format(last=LAST)) == "[]\n"


IN_WHICH_STATE = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
print([libc.syscall(ctypes.c_long(n), *map(ctypes.c_long, given)) for n, given in {calls}])
"""


@pytest.mark.system
def test_arguments_that_matter_are_looked_at(attacked: Attacked) -> None:
    """fcntl may not name an owner to signal, ioctl nothing, tgkill nobody else, prlimit no new limit."""
    calls = {
        "x86_64": [(72, (0, 8, 1)), (72, (3, 1031, 1)), (72, (3, 1024, 0)), (16, (3, 0x5421, 0)), (234, (1, 1, 0))],
        "aarch64": [(25, (0, 8, 1)), (25, (3, 1031, 1)), (25, (3, 1024, 0)), (29, (3, 0x5421, 0)), (131, (1, 1, 0))],
    }[MACHINE]
    assert attacked.told(IN_WHICH_STATE.format(calls=calls)) == f"{[-1] * len(calls)}\n"


@pytest.mark.parametrize("attacked", USERS, indirect=True)
@pytest.mark.system
def test_a_child_that_runs_a_source_is_seen_from_outside_to_be_confined(attacked: Attacked) -> None:
    limits = Limits(wall_seconds=0.5)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(attacked.reason, "import time\ntime.sleep(60)", limits)
        found: list[dict[str, str]] = []

        def confined() -> bool:
            found[:] = [about for pid in children(attacked.pid) if (about := status(pid)).get("Seccomp") == "2"]
            return bool(found) or asked.done()

        eventually(confined)
        assert asked.result() == "ValidationTimeout"
    assert {(about["NoNewPrivs"], about["Threads"]) for about in found} == {("1", "1")}


def status(pid: int) -> dict[str, str]:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


@pytest.mark.system
def test_no_memory_is_shared_with_the_warm_process() -> None:
    """What is mapped as shared and writable in a parent is so in its children."""
    code = "from qtasks.circuits.sandbox.server import warm\nwarm()\nprint(open('/proc/self/maps').read())"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    modes = {line.split()[1] for line in ran.stdout.splitlines() if line}
    assert "rw-p" in modes and not {mode for mode in modes if mode.endswith("s") and "w" in mode}
