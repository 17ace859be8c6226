"""Which layers this platform has for a sandbox child, what they let it read, and a child's own trial of them."""

from __future__ import annotations

import os
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from qtasks.circuits.sandbox import landlock, seccomp

_SYSTEM = (
    "/etc/ld.so.cache",
    "/usr/share/zoneinfo",
    "/dev/null",
    "/dev/urandom",
    "/proc/meminfo",  # qiskit and qiskit_aer ask for the machine's memory when they are imported or transpile
)


@dataclass(frozen=True, slots=True)
class Layers:
    """What a child is put under besides its limits: a Landlock ruleset, by descriptor, and the system-call filter.

    Without a ruleset the filter lets it open no file at all.
    """

    ruleset: int | None
    calls: seccomp.Filter | None


def missing() -> list[str]:
    """What this platform lacks without which no source is run, a sentence each; empty when all is there.

    Landlock is not among them: without it, the filter lets a child open no file at all.
    """
    if sys.platform != "linux":
        return [f"There is no sandbox for {sys.platform}: it needs Linux."]
    if not seccomp.available():
        return [f"The filter of system calls (seccomp) is not to be had on this kernel ({os.uname().machine})."]
    return []


def prepare() -> Layers:
    """The layers that this platform has. Call it with everything imported: what is mapped by then stays readable."""
    ruleset = landlock.ruleset(readable()) if landlock.version() else None
    calls = seccomp.Filter(files=ruleset is not None) if seccomp.available() else None
    return Layers(ruleset, calls)


def readable() -> list[Path]:
    """What a child may read: the Python that it runs, the packages beside it, this package, and shared libraries.

    Of a checkout that is installed in place only the package is readable, not what lies beside it.
    """
    packages = [Path(entry) for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")]
    python = [Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")]
    package = Path(__file__).parents[2]
    system = [Path(name) for name in _SYSTEM]
    found = [*python, *packages, package, *_libraries(), *system]
    return sorted({path for path in found if path.exists()})


def _libraries() -> set[Path]:
    """The folders of the shared libraries that are mapped here, where the next ones will be looked for as well."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    mapped = {Path(line.split(maxsplit=5)[5]) for line in lines if line.count(" ") >= 5 and ".so" in line}
    return {path.parent for path in mapped if path.is_absolute() and path.parent != Path("/")}
