"""What an installation takes: memory of each part, connections, and bytes of a job in the database, the objects and
Redis. For docs/capacity.md."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import text

from bench.circuits import SHOTS, small
from bench.figures import Figure
from bench.system import System
from qtasks.store import Store
from tests.support.servers import eventually, free_port
from tests.support.stack import Process

_MIB = 2**20
_PARTS = {
    "validation worker, 1 process": ("worker", "--queues", "validation", "--concurrency", "1"),
    "scheduling worker, 1 process": ("worker", "--queues", "scheduling", "--concurrency", "1"),
    "execution worker, 1 process": ("worker", "--queues", "execution", "--concurrency", "1"),
    "execution worker, 4 processes": ("worker", "--queues", "execution", "--concurrency", "4"),
    "polling worker, 1 process": ("worker", "--queues", "polling", "--concurrency", "1"),
    "beat": ("beat",),
    "API, 1 process": ("api", "--port", "{port}"),
    "Flower": ("flower", "--port", "{port}"),
}


def run(system: System) -> list[Figure]:
    """Start one of each part, run jobs through them, and look."""
    jobs = 200 if system.options.quick else 2000
    stack = system.stack("footprint", redis_database=4)
    parts = {name: stack.run(*(word.format(port=free_port()) for word in command)) for name, command in _PARTS.items()}
    for name, process in parts.items():
        if "worker" in name:
            stack.ready(process)
    client = stack.client()
    before = _database_bytes(stack.settings.database)
    client.wait(client.submit_many(small(jobs, seed=11), shots=SHOTS), timeout=600)
    grown = _database_bytes(stack.settings.database) - before
    stored = sum(path.stat().st_size for path in _files(stack.settings.home_path / "objects"))
    figures = [_figure(f"memory of {name}", "MiB", _memory(process) / _MIB) for name, process in parts.items()]
    eventually(lambda: _connections(stack.settings.database) > 0, what="connections being counted")
    figures += [
        _figure("connections to PostgreSQL of all of these", "", _connections(stack.settings.database)),
        _figure("database for a job of 2 to 4 qubits", "KiB", grown / jobs / 1024),
        _figure("object store for a job of 2 to 4 qubits", "KiB", stored / jobs / 1024),
        _figure("memory of Redis", "MiB", _redis_bytes(system) / _MIB),
    ]
    return figures


def _figure(what: str, unit: str, value: float) -> Figure:
    return Figure("footprint", what, unit, value)


def _memory(process: Process) -> int:
    """Bytes of a process and all that it started, pages that several share counted once among them (PSS)."""
    return sum(_proportional(pid) for pid in _family(process.popen.pid))


def _family(pid: int) -> Iterator[int]:
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from _family(int(child))


def _proportional(pid: int) -> int:
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    line = next(line for line in rollup.splitlines() if line.startswith("Pss:"))
    return int(line.split()[1]) * 1024


def _database_bytes(address: str) -> int:
    return _ask(address, "SELECT pg_database_size(current_database())")


def _connections(address: str) -> int:
    return _ask(address, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()") - 1


def _ask(address: str, question: str) -> int:
    store = Store(address, pool_size=1)
    with store.read() as tx:
        found = tx.execute(text(question)).scalar_one()
    store.close()
    return int(found)


def _files(folder: Path) -> Iterator[Path]:
    for where, _, names in os.walk(folder):
        yield from (Path(where) / name for name in names)


def _redis_bytes(system: System) -> int:
    with system.redis.client() as client:
        return int(client.info("memory")["used_memory"])
