"""The quantum tasks of the loopback Braket: one per client token, searched by pages, run on Braket's simulator."""

from __future__ import annotations

import base64
import json
import operator
import threading
import uuid
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

PAGE = 100
FINAL = ("COMPLETED", "FAILED", "CANCELLED")
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "EQUAL": operator.eq,
    "LT": operator.lt,
    "LTE": operator.le,
    "GT": operator.gt,
    "GTE": operator.ge,
}


class Refused(Exception):
    """An error of the service: its type, HTTP status and message."""

    def __init__(self, error: str, status: int, message: str) -> None:
        super().__init__(message)
        self.error, self.status, self.message = error, status, message


def validation(message: str) -> Refused:
    return Refused("ValidationException", 400, message)


def stamp(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Task:
    """One quantum task. `request` is what CreateQuantumTask was sent."""

    arn: str
    account: str
    region: str
    request: dict[str, Any]
    created_at: datetime
    status: str = "QUEUED"
    ended_at: datetime | None = None
    failure: str | None = None
    duration_ms: int = 0
    moved: threading.Condition = field(default_factory=threading.Condition, repr=False)

    @property
    def tag(self) -> str:
        """The `qtasks` tag that the task carries."""
        return str(self.request.get("tags", {}).get("qtasks", ""))

    @property
    def directory(self) -> str:
        return f"{self.request['outputS3KeyPrefix']}/{self.arn.rpartition('/')[2]}"

    def move(self, status: str, *, failure: str | None = None) -> bool:
        """Take the task to `status`; False, and nothing happens, when it is final."""
        with self.moved:
            if self.status in FINAL:
                return False
            self.status, self.failure = status, failure
            if status in FINAL:
                self.ended_at = now()
            self.moved.notify_all()
            return True

    def wait(self, *statuses: str, seconds: float = 30.0) -> None:
        """Return when the task is in one of these states."""
        with self.moved:
            assert self.moved.wait_for(lambda: self.status in statuses, seconds), f"{self.arn} is still {self.status}"

    def summary(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "quantumTaskArn": self.arn,
            "status": self.status,
            "deviceArn": self.request["deviceArn"],
            "shots": self.request["shots"],
            "outputS3Bucket": self.request["outputS3Bucket"],
            "outputS3Directory": self.directory,
            "createdAt": stamp(self.created_at),
            "tags": self.request.get("tags", {}),
        }
        if self.ended_at:
            found["endedAt"] = stamp(self.ended_at)
        return found

    def answer(self, *, queue_position: str | None) -> dict[str, Any]:
        """What GetQuantumTask says."""
        found = self.summary()
        found["deviceParameters"] = self.request.get("deviceParameters", "{}")
        found["actionMetadata"] = {"actionType": "braket.ir.openqasm.program"}
        if self.failure is not None:
            found["failureReason"] = self.failure
        if queue_position is not None:
            found["queueInfo"] = {
                "queue": "QUANTUM_TASKS_QUEUE",
                "position": queue_position,
                "queuePriority": "Normal",
            }
        return found


class Tasks:
    """Every task. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tasks: dict[str, Task] = {}
        self._tokens: dict[tuple[str, str, str], str] = {}

    def create(self, account: str, region: str, request: dict[str, Any]) -> tuple[Task, bool]:
        """The task of the request's client token, and whether it is new."""
        with self._lock:
            known = self._tokens.get((account, region, request["clientToken"]))
            if known is not None:
                task = self._tasks[known]
                if task.request != request:
                    raise Refused("ConflictException", 409, "The client token was used for another request.")
                return task, False
            return self._add(account, region, request, now()), True

    def add(self, account: str, region: str, request: dict[str, Any], number: int, age: float) -> list[Task]:
        """So many tasks that are made without a request, a millisecond apart, the first `age` seconds ago."""
        start = now() - timedelta(seconds=age)
        with self._lock:
            return [
                self._add(
                    account,
                    region,
                    {**request, "clientToken": f"added-{uuid.uuid4()}"},
                    start + timedelta(milliseconds=place),
                )
                for place in range(number)
            ]

    def _add(self, account: str, region: str, request: dict[str, Any], created: datetime) -> Task:
        arn = f"arn:aws:braket:{region}:{account}:quantum-task/{uuid.uuid4()}"
        task = Task(arn, account, region, request, created)
        self._tasks[arn] = task
        self._tokens[account, region, request["clientToken"]] = arn
        return task

    def get(self, account: str, region: str, arn: str) -> Task:
        with self._lock:
            task = self._tasks.get(arn)
        if task is None or (task.account, task.region) != (account, region):
            raise Refused("ResourceNotFoundException", 404, "The quantum task was not found.")
        return task

    def forget(self, arn: str) -> None:
        with self._lock:
            del self._tasks[arn]

    def all(self) -> list[Task]:
        """In the order in which they were made."""
        with self._lock:
            return sorted(self._tasks.values(), key=lambda task: (task.created_at, task.arn))

    def clear(self) -> None:
        with self._lock:
            self._tasks.clear()
            self._tokens.clear()

    def search(self, account: str, region: str, request: dict[str, Any]) -> dict[str, Any]:
        """A page, the newest first, as SearchQuantumTasks gives it."""
        if "filters" not in request:
            raise validation("filters are required.")
        size = request.get("maxResults", PAGE)
        if not 1 <= size <= PAGE:
            raise validation(f"maxResults must be from 1 to {PAGE}.")
        found = [task for task in reversed(self.all()) if (task.account, task.region) == (account, region)]
        for each in request["filters"]:
            found = [task for task in found if _passes(task, each)]
        if token := request.get("nextToken"):
            created, arn = json.loads(base64.b64decode(token))
            found = [task for task in found if (task.created_at.isoformat(), task.arn) < (created, arn)]
        page: dict[str, Any] = {"quantumTasks": [task.summary() for task in found[:size]]}
        if len(found) > size:
            last = found[size - 1]
            page["nextToken"] = base64.b64encode(json.dumps([last.created_at.isoformat(), last.arn]).encode()).decode()
        return page


def _passes(task: Task, wanted: dict[str, Any]) -> bool:
    name, compare, values = wanted["name"], wanted["operator"], wanted["values"]
    if name == "createdAt":
        try:
            times = [datetime.fromisoformat(value) for value in values]
        except ValueError:
            raise validation("createdAt must be compared with an ISO 8601 time.") from None
        if any(time.tzinfo is None for time in times):
            raise validation("createdAt must be compared with a time of a known zone.")
        if compare == "BETWEEN":
            return times[0] <= task.created_at <= times[1]
        return _OPERATORS[compare](task.created_at, times[0])
    fields = {"status": task.status, "deviceArn": task.request["deviceArn"], "quantumTaskArn": task.arn}
    if name not in fields or compare != "EQUAL":
        raise validation(f"There is no filter {name} {compare}.")
    return fields[name] in values


def simulate(task: Task) -> bytes:
    """Run the task's program on Braket's local simulator; what its `results.json` holds. Raises what that raises."""
    from braket.default_simulator import DensityMatrixSimulator, StateVectorSimulator
    from braket.ir.openqasm import Program

    # Each time, as pytest forgets it; and never undone here, as other threads may be changing the filters too.
    warnings.filterwarnings("ignore", message="You are running a noise-free circuit on the density matrix simulator")
    density = task.request["deviceArn"].endswith("/dm1")
    started = now()
    program = Program.parse_raw(task.request["action"])
    simulator = DensityMatrixSimulator() if density else StateVectorSimulator()
    result = simulator.run(program, shots=task.request["shots"])
    task.duration_ms = max(1, int((now() - started).total_seconds() * 1000))
    plain = json.loads(result.json())
    plain["measurements"] = [[int(bit) for bit in shot] for shot in plain["measurements"]]
    plain["taskMetadata"] |= {
        "id": task.arn,
        "deviceId": task.request["deviceArn"],
        "createdAt": stamp(task.created_at),
        "endedAt": stamp(now()),
        "status": "COMPLETED",
    }
    if "quantum-simulator" in task.request["deviceArn"]:
        plain["additionalMetadata"]["simulatorMetadata"] = {
            "braketSchemaHeader": {"name": "braket.task_result.simulator_metadata", "version": "1"},
            "executionDuration": task.duration_ms,
        }
    return json.dumps(plain).encode()
