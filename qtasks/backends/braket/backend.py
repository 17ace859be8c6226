"""`aws_braket`: one account with Amazon Braket."""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NoReturn

from qtasks.backends.braket import memory, results, tasks
from qtasks.backends.braket.arns import device_arn, is_simulator, region_of
from qtasks.backends.braket.buckets import Buckets
from qtasks.backends.braket.devices import Snapshot, calibration, capabilities, listed, queue_status, snapshot
from qtasks.backends.braket.programs import Compiler, action, device_parameters
from qtasks.backends.braket.searching import Search
from qtasks.backends.braket.session import Session
from qtasks.backends.compatibility import Capabilities
from qtasks.backends.protocol import (
    BackendError,
    Calibration,
    Compiled,
    Device,
    Order,
    Outcome,
    Program,
    ProviderJob,
    ProviderState,
    QueueStatus,
    refuse_together,
)
from qtasks.backends.registry import Credentials
from qtasks.config import Account
from qtasks.costs.cost import Cost
from qtasks.costs.prices import PriceList, list_prices
from qtasks.costs.provider import braket_cost

_DEVICE_SECONDS = 60.0
"""How long what Braket says of a device is good for compiling, and for telling what it can run."""
_KEPT = 1000


class BraketBackend:
    """Devices are named by ARN; SV1, DM1 and TN1 by their short names too. Tasks are named by ARN.

    Constructing it asks nothing and imports no SDK. Requests go to the region of the device or task, otherwise to the
    account's. Braket has neither sessions, nor an allowance, nor a limit on a task's time (an order's
    `max_execution_seconds` has no effect), nor seeds (`seed_simulator` has none either).
    """

    name = "aws_braket"
    idempotent = True

    def __init__(
        self, account: Account, credentials: Credentials, prices: Callable[[], PriceList] = list_prices
    ) -> None:
        self._prices = prices
        self._session = Session(account, credentials)
        self._search = Search(self._session)
        self._buckets = Buckets(account, self._session)
        self._compilers: dict[int, Compiler] = {}
        self._devices: dict[str, tuple[float, Snapshot]] = {}
        self._seconds: OrderedDict[str, float] = OrderedDict()

    def authenticate(self) -> None:
        self._session.call("search_devices", doing="list its devices", filters=[], maxResults=1)

    def refresh_credentials(self) -> None:
        self._session.refresh()
        self._buckets.forget()

    def devices(self) -> list[Device]:
        """The devices of the account's region, retired ones left out; neither their size nor their queue is told."""
        found: list[Device] = []
        more: dict[str, str] = {}
        while True:
            page = self._session.call("search_devices", doing="list its devices", filters=[], maxResults=100, **more)
            found += [listed(each) for each in page["devices"] if each["deviceStatus"] != "RETIRED"]
            if not page.get("nextToken"):
                return found
            more = {"nextToken": page["nextToken"]}

    def capabilities(self, device: str) -> Capabilities:
        return capabilities(self._device(device))

    def queue_status(self, device: str) -> QueueStatus:
        return queue_status(self._device(device, newest=True))

    def calibration(self, device: str, *, at: datetime | None = None) -> Calibration | None:
        """The device's `standardized` and `provider` properties. None for a time before their last update."""
        return calibration(self._device(device), at=at)

    def compile(self, program: Program, device: str) -> Compiled:
        """`initial_layout` is in the device's own qubit numbers; see `programs` for what else is done."""
        return self._compilers.setdefault(os.getpid(), Compiler()).compile(program, self._device(device))

    def compile_all(self, programs: Sequence[Program], device: str) -> Compiled:
        """A task has one circuit. Raises BackendError (`OneCircuitPerTask`) for more."""
        refuse_together(programs, Capabilities(device, max_experiments=1))
        return self.compile(programs[0], device)

    def estimate_cost(self, compiled: Compiled, shots: int) -> Cost:
        """Of a simulator, what it costs at least: it is billed by a time that is known afterwards."""
        return braket_cost(compiled.device, shots, prices=self._prices())

    def submit(self, order: Order) -> str:
        """Make the task, and return its ARN; for one order it is always the same task, as its tag is the client token.

        Raises ProviderUnavailable (`SubmittedBefore`) when the tag has a task that was made of something else.
        """
        arn = device_arn(order.compiled.device)
        source = order.compiled.data.decode()
        region = region_of(arn) or self._session.region
        bucket, prefix = self._buckets.of(region)
        answer = self._session.call(
            "create_quantum_task",
            doing=f"make a task on {arn}",
            region=region,
            device=arn,
            clientToken=order.tag,
            deviceArn=arn,
            deviceParameters=device_parameters(arn, memory.read(source).width),
            action=action(source),
            shots=order.shots,
            outputS3Bucket=bucket,
            outputS3KeyPrefix=f"{prefix}{tasks.FOLDER}/{order.tag}",
            tags=tasks.aws_tags(order.tag, order.labels),
        )
        return str(answer["quantumTaskArn"])

    def find(self, tag: str, *, since: datetime) -> list[ProviderJob]:
        """One request when the task is in the account's region and new, five when there is none."""
        return self._search.find(tag, since)

    def listing(self, *, since: datetime) -> Iterator[ProviderJob]:
        return self._search.listing(since)

    def statuses(self, ids: Collection[str], *, since: datetime) -> dict[str, ProviderJob]:
        return self._search.statuses(ids, since)

    def result(self, provider_job_id: str) -> Outcome:
        task = self._search.task(provider_job_id)
        if task is None:
            raise BackendError(f"Amazon Braket does not know {provider_job_id}.", reason="ProviderJobLost")
        if task["status"] != "COMPLETED":
            raise results.invalid(provider_job_id, f"the task is {task['status']}")
        bucket, key = task["outputS3Bucket"], f"{task['outputS3Directory']}/results.json"
        data = self._session.read(bucket, key, region=region_of(provider_job_id))
        if data is None:
            raise results.invalid(provider_job_id, f"s3://{bucket}/{key} is not there")
        found = results.outcome(data, provider_job_id, int(task["shots"]))
        self._remember(provider_job_id, results.execution_seconds(found.metadata))
        return found

    def cancel(self, provider_job_id: str) -> None:
        where: dict[str, Any] = {"region": region_of(provider_job_id), "quantumTaskArn": provider_job_id}
        try:
            self._session.call("cancel_quantum_task", doing="cancel a task", **where)
        except BackendError as error:
            if error.details.get("code") not in ("ConflictException", "ResourceNotFoundException"):
                raise

    def actual_cost(self, job: ProviderJob, shots: int) -> Cost:
        """Braket's own cost tracker counts nothing for tasks that failed or were cancelled; so does this.

        A simulator's time is the `executionDuration` of its result, as that is what is billed: from creation to end a
        task has waited too. It is kept from `result`, else the result is read again; without one, the minimum counts.
        """
        if job.state in (ProviderState.FAILED, ProviderState.CANCELLED):
            return Cost(Decimal(0), None, f"a task that is {job.state.value} costs nothing")
        arn = job.device or ""
        if not is_simulator(arn):
            return braket_cost(arn, shots, prices=self._prices())
        if job.quantum_seconds is None and job.id not in self._seconds and job.state is ProviderState.DONE:
            try:
                self.result(job.id)
            except BackendError:
                return braket_cost(arn, shots, prices=self._prices())
        seconds = job.quantum_seconds or self._seconds.get(job.id)
        return braket_cost(arn, shots, duration_seconds=seconds, prices=self._prices())

    def allowance(self) -> None:
        """Braket sells time without a limit."""

    def open_session(self, device: str, *, mode: str, max_seconds: int | None) -> NoReturn:
        raise BackendError(
            "Amazon Braket has no sessions.", reason="SessionsUnsupported", hint="Leave spec.session out."
        )

    def session_open(self, session: str) -> bool:
        return False

    def close_session(self, session: str) -> None:
        """There is none to close."""

    def _device(self, device: str, *, newest: bool = False) -> Snapshot:
        arn = device_arn(device)
        known = self._devices.get(arn)
        if newest or known is None or time.monotonic() - known[0] > _DEVICE_SECONDS:
            doing = f"describe {arn}"
            answer = self._session.call("get_device", doing=doing, region=region_of(arn), device=arn, deviceArn=arn)
            known = self._devices[arn] = (time.monotonic(), snapshot(answer))
        return known[1]

    def _remember(self, arn: str, seconds: float | None) -> None:
        if seconds is not None:
            self._seconds[arn] = seconds
            if len(self._seconds) > _KEPT:
                self._seconds.popitem(last=False)
