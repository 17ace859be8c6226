"""Where a result came from: circuit, backend, compilation, versions, commit, times and cost."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What is needed to explain a result and to get it again.

    `circuit_hash`, `backend`, `transpiled_depth`, `transpiled_gates`, `git_commit`, `submission_time` and
    `completion_time` are the fourth seed's names; the others follow their form. In a job of several PUBs the hash
    and the seeds are the payload's, gates and depth those of all PUBs together (sum of gates, largest depth).
    None means not known or not applicable (a QPU has no simulator seed).
    """

    circuit_hash: str
    backend: str
    backend_version: str | None = None
    method: str | None = None  # Aer's simulation method, as it was chosen
    seed_simulator: int | None = None
    seed_transpiler: int | None = None
    optimization_level: int | None = None  # 0-3
    transpiled_depth: int | None = None
    transpiled_gates: int | None = None  # operations in all; barriers are none
    two_qubit_gates: int | None = None
    count_ops: Mapping[str, int] | None = None  # gates by name, as QuantumCircuit.count_ops()
    versions: Mapping[str, str] | None = None  # see versions()
    git_commit: str | None = None  # of the circuit's repository for source git, else of the submitter's folder
    source_origin: str | None = None  # where the circuit was fetched from; None for an inline one
    source_sha256: str | None = None  # of the circuit's text or bytes, as they were submitted or fetched
    reused_from: str | None = None  # id of the job that ran, where a stored result answers an identical job
    submission_time: str | None = None  # these three: UTC, ISO 8601, with Z; see timestamp()
    start_time: str | None = None  # of the attempt that gave this result
    completion_time: str | None = None
    queue_seconds: float | None = None  # from submission to start
    run_seconds: float | None = None  # in the simulator or on the device
    total_seconds: float | None = None  # from submission to completion
    attempt: int | None = None
    worker: str | None = None
    threads: int | None = None
    simulator_cost: Decimal | None = None  # US dollars
    provider: str | None = None  # these eleven: of a job that ran at a provider
    provider_job_id: str | None = None
    account: str | None = None
    session: str | None = None  # the provider's id of it
    isa_circuit: str | None = None  # object of the circuit as the device took it
    calibration: str | None = None  # object of the device's calibration at the time of running
    queue_position: int | None = None  # as it was last seen
    quantum_seconds: float | None = None  # as the provider counted them
    estimated_quantum_seconds: float | None = None  # before it ran
    cost: Decimal | None = None  # US dollars
    price: str | None = None  # which price the cost was worked out with, its source and date

    def to_dict(self) -> dict[str, Any]:
        """Every field, as JSON has it; a cost is a string such as "0.0012"."""
        plain = {name: getattr(self, name) for name in sorted(_FIELDS)}
        return {name: format(value, "f") if isinstance(value, Decimal) else value for name, value in plain.items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Provenance:
        """The reverse of to_dict; fields that a later version added are left out. Raises ValueError or KeyError."""
        known = {name: data[name] for name in _FIELDS if name in data}
        for name in ("simulator_cost", "cost"):
            if known.get(name) is not None:
                try:
                    known[name] = Decimal(known[name])
                except InvalidOperation:
                    raise ValueError(f"{name} is no number") from None
        return cls(circuit_hash=known.pop("circuit_hash"), backend=known.pop("backend"), **known)


_FIELDS = tuple(field.name for field in fields(Provenance))


def timestamp(moment: datetime) -> str:
    """`moment` in UTC as ISO 8601 with microseconds and Z, so that texts sort as times do.

    Raises ValueError when it has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError("A time without a time zone cannot be put into UTC.")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@lru_cache(maxsize=1)
def versions() -> Mapping[str, str]:
    """Versions of python, qiskit, qiskit_aer and qtasks here, read without importing them."""
    import platform

    found = {"python": platform.python_version()}
    for package in ("qiskit", "qiskit_aer", "qtasks"):
        try:
            found[package] = metadata.version(package.replace("_", "-"))
        except metadata.PackageNotFoundError:
            continue
    return found


def git_commit(cwd: str | os.PathLike[str] | None = None) -> str | None:
    """The commit (40 or 64 hex digits) checked out in the git repository around `cwd` (default: the current folder).

    None when there is no repository or no commit, or when it cannot be read. Reads git's files, in a fraction of a
    millisecond, and so is never stale; only a repository of git's newer `reftable` form asks the git command (2 s at
    most), once per state.
    """
    try:
        folder = Path(cwd or Path.cwd()).absolute()
        for candidate in (folder, *folder.parents):
            git = candidate / ".git"
            if git.exists():
                return _head(git)
    except (OSError, UnicodeDecodeError):
        pass
    return None


def _head(git: Path) -> str | None:
    if git.is_file():  # a linked worktree or a submodule: `gitdir: <path>`
        git = git.parent / git.read_text().removeprefix("gitdir:").strip()
    common = git / "commondir"
    shared = git / common.read_text().strip() if common.exists() else git
    tables = shared / "reftable" / "tables.list"
    if tables.exists():
        return _ask_git(git, (git / "HEAD").stat().st_mtime_ns, tables.stat().st_mtime_ns)
    name = (git / "HEAD").read_text().strip()
    for _ in range(5):  # git itself follows symbolic references five deep
        if not name.startswith("ref:"):
            return _commit(name)
        name = name.removeprefix("ref:").strip()
        for place in (git, shared):
            if ".." not in name and (place / name).is_file():
                name = (place / name).read_text().strip()
                break
        else:
            return _packed(shared / "packed-refs", name)
    return None


def _packed(packed_refs: Path, name: str) -> str | None:
    if packed_refs.exists():
        for line in packed_refs.read_text().splitlines():
            commit, _, reference = line.partition(" ")
            if reference == name:
                return _commit(commit)
    return None


@lru_cache(maxsize=16)
def _ask_git(git: Path, *_state: int) -> str | None:
    command = ["git", f"--git-dir={git}", "rev-parse", "--verify", "--quiet", "HEAD"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=2, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return _commit(answer.stdout.strip())


def _commit(text: str) -> str | None:
    return text if len(text) in (40, 64) and set(text) <= set("0123456789abcdef") else None
