"""What goes wrong with a loopback server, to order: errors, broken connections, requests that stand still."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass
class Fault:
    """What happens to the next `times` requests that match.

    `when` says whether the request is carried out nevertheless (`after`: the answer is lost) or not (`before`).
    """

    method: str
    path: re.Pattern[str]
    times: int
    skip: int
    when: str
    status: int
    error: str
    message: str
    headers: Mapping[str, str]
    drop: bool
    hits: int = 0


@dataclass
class Gate:
    """Holds matching requests `before` or `after` they are carried out, until it is opened."""

    method: str
    path: re.Pattern[str]
    when: str
    waiting: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    opened: threading.Event = field(default_factory=threading.Event)

    def wait(self, seconds: float = 30.0) -> None:
        """Return when one more request stands at the gate."""
        assert self.waiting.acquire(timeout=seconds), f"no {self.method} {self.path.pattern} came within {seconds:g} s"

    def open(self) -> None:
        """Let everything through, from now on."""
        self.opened.set()

    def hold(self) -> None:
        """Called by the server: stand here until the gate opens."""
        self.waiting.release()
        self.opened.wait(120)


class Faults:
    """The faults, gates and delays of one server. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._gates: list[Gate] = []
        self._delays: list[tuple[str, re.Pattern[str], float]] = []

    def add(self, fault: Fault) -> Fault:
        with self._lock:
            self._faults.append(fault)
        return fault

    def gate(self, method: str, path: str, when: str) -> Gate:
        gate = Gate(method, re.compile(path), when)
        with self._lock:
            self._gates.append(gate)
        return gate

    def delay(self, method: str, path: str, seconds: float) -> None:
        with self._lock:
            self._delays.append((method, re.compile(path), seconds))

    def clear(self) -> None:
        """Forget them all; open every gate."""
        with self._lock:
            gates, self._gates = self._gates, []
            self._faults, self._delays = [], []
        for gate in gates:
            gate.open()

    def take(self, method: str, path: str) -> Fault | None:
        """The first fault that is due for this request."""
        with self._lock:
            for fault in self._faults:
                if not _meant(fault.method, fault.path, method, path) or fault.hits >= fault.times:
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.hits += 1
                return fault
        return None

    def stand(self, method: str, path: str, when: str) -> None:
        """Wait at every gate in the way."""
        with self._lock:
            gates = [gate for gate in self._gates if gate.when == when and _meant(gate.method, gate.path, method, path)]
        for gate in gates:
            gate.hold()

    def latency(self, method: str, path: str) -> float:
        with self._lock:
            return sum(seconds for verb, pattern, seconds in self._delays if _meant(verb, pattern, method, path))


def _meant(verb: str, pattern: re.Pattern[str], method: str, path: str) -> bool:
    return verb in ("*", method) and pattern.search(path) is not None
