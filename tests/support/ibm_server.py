"""IBM Quantum on loopback, for the real client library: jobs run on Aer, with latency and faults to order.

    with IBMServer(devices=("lagos",)) as server:
        account = Account(name="lab", provider="ibm_quantum", **server.account())
        write_secret("token", server.key)
        server.hold()                                        # jobs stay queued
        server.fault("POST", r"/jobs$", status=502, when="after")   # created, but the answer is a 502
        ...
        server.release()
        server.wait_idle()

It may be used from any thread, and talks to any process. What a test orders it to do is done from the next request on.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Self

from tests.support.ibm.accounts import Instance
from tests.support.ibm.faults import Answer, Fault, Request, refusal
from tests.support.ibm.http import HTTPServer
from tests.support.ibm.jobs import Job
from tests.support.ibm.provider import Provider
from tests.support.ibm.running import Refused, run

API = r"/api/v1"


class IBMServer(Provider):
    """A provider that runs jobs as they come, unless it was told to hold them."""

    def __init__(
        self,
        *,
        devices: Sequence[str] = ("lagos", "fez"),
        key: str = "test-api-key-0123456789abcdef",
        plan: str = "premium",
        token_seconds: float = 3600,
        seed: int | None = 42,
        hold: bool = False,
    ) -> None:
        """`devices`: snapshots of qiskit-ibm-runtime (`lagos` is `ibm_lagos`, 7 qubits; `fez` is `ibm_fez`, 156).
        `plan`: open, pay-as-you-go, flex or premium. `seed`: what every run is seeded with."""
        super().__init__(key=key, token_seconds=token_seconds, plan=plan, devices=tuple(devices))
        self.key = key
        self.requests: list[Request] = []
        self._seed = seed
        self._held = hold
        self._faults: list[Fault] = []
        self._latencies: list[tuple[re.Pattern[str], float]] = []
        self._failures: list[tuple[str, int | None]] = []
        self._stopping = False
        self._http = HTTPServer(self._serve)
        self._threads = [
            threading.Thread(target=self._http.serve_forever, args=(0.05,), name="ibm-http", daemon=True),
            threading.Thread(target=self._work, name="ibm-device", daemon=True),
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self._stopping = True
            self.changed.notify_all()
        self._http.shutdown()
        self._http.drop_all()
        self._http.server_close()
        for thread in self._threads:
            thread.join(30)

    # Where it is

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`: IAM, search, catalogue and API are all below it."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def crn(self) -> str:
        """CRN of the first instance."""
        return self.instances[0].crn

    @property
    def endpoint(self) -> str:
        """Address of the API, as `accounts[].endpoint` takes it."""
        return f"{self.url}/api/v1"

    def account(self) -> dict[str, Any]:
        """Values of an account in QTASKS_CONFIG; `server.key` is the secret's `token`."""
        return {
            "provider": "ibm_quantum",
            "plan": self.instances[0].plan,
            "instance": self.crn,
            "endpoint": self.endpoint,
        }

    def secret(self) -> dict[str, str]:
        """Keys of the account's secret."""
        return {"token": self.key}

    def environment(self) -> dict[str, str]:
        """Environment variables with which a process's own QiskitRuntimeService talks to this server."""
        return {
            "QISKIT_IBM_URL": f"{self.url}/experimental/api/v1",  # "experimental" keeps the client from changing it
            "IAM_URL": self.url,
            "GLOBAL_SEARCH_URL": self.url,
            "GLOBAL_CATALOG_URL": f"{self.url}/catalog",
            "QISKIT_IBM_TOKEN": self.key,
            "QISKIT_IBM_INSTANCE": self.crn,
            "USAGE_DATA_OPT_OUT": "True",
        }

    # What happened

    def count(self, method: str = "*", path: str = "") -> int:
        """Requests so far whose method is `method` and in whose path the regular expression `path` is found."""
        with self.lock:
            return sum(method in ("*", one.method) and bool(re.search(path, one.path)) for one in self.requests)

    def forget_requests(self) -> None:
        with self.lock:
            self.requests.clear()

    @property
    def jobs(self) -> list[Job]:
        """Every job ever made, in order, lost ones too."""
        with self.lock:
            return list(self.jobs_by_id.values())

    def tagged(self, tag: str) -> list[Job]:
        return [job for job in self.jobs if tag in job.tags]

    # What jobs do

    def hold(self) -> None:
        """From now on jobs stay queued."""
        with self.lock:
            self._held = True

    def release(self) -> None:
        """Jobs run again, those that were held first."""
        with self.lock:
            self._held = False
            self.changed.notify_all()

    def run_all(self, *, seconds: float = 60) -> None:
        """Run what is queued now, also while jobs are held; returns when it has ended."""
        with self.lock:
            waiting = [job for job in self.jobs_by_id.values() if job.pending and job.payload]
            for job in waiting:
                job.released, job.parked = True, False
            self.changed.notify_all()
        self._wait(lambda: not any(job.pending for job in waiting), seconds)

    def wait_idle(self, *, seconds: float = 60) -> None:
        """Returns when no job is queued or running, but those that are held."""
        self._wait(lambda: self._next() is None and not any(job.executing for job in self.jobs_by_id.values()), seconds)

    def start(self, job_id: str) -> None:
        """The job is Running, until it is run, failed or cancelled."""
        with self.lock:
            job = self.jobs_by_id[job_id]
            job.status, job.running, job.parked = "Running", datetime.now(UTC), True

    def finish(self, job_id: str, *, seconds: float = 60) -> None:
        """Run this job; returns when it has ended."""
        with self.lock:
            job = self.jobs_by_id[job_id]
            job.released, job.parked = True, False
            self.changed.notify_all()
        self._wait(lambda: not job.pending, seconds)

    def fail(self, job_id: str, message: str = "Something broke.", code: int | None = 1517) -> None:
        """The job has failed."""
        with self.lock:
            self.jobs_by_id[job_id].end("Failed", message, code)
            self.changed.notify_all()

    def fail_next(self, message: str = "Something broke.", code: int | None = 1517, *, times: int = 1) -> None:
        """The next jobs that run fail."""
        with self.lock:
            self._failures += [(message, code)] * times

    def cancel_elsewhere(self, job_id: str) -> None:
        """Somebody else cancels the job."""
        with self.lock:
            self.jobs_by_id[job_id].end("Cancelled")
            self.changed.notify_all()

    def run_too_long(self, job_id: str) -> None:
        """The job has passed its maximum execution time."""
        with self.lock:
            self.jobs_by_id[job_id].end("Cancelled - Ran too long", "Job exceeded its maximum execution time.", 1305)
            self.changed.notify_all()

    def lose(self, job_id: str) -> None:
        """The provider does not know the job any more."""
        with self.lock:
            self.jobs_by_id[job_id].lost = True

    def add_jobs(
        self,
        number: int,
        tag_prefix: str,
        *,
        device: str | None = None,
        tags: Sequence[str] = ("qtasks",),
        status: str = "Queued",
        created: datetime | None = None,
    ) -> list[str]:
        """So many jobs that nobody posted and that never run, tagged `<tag_prefix>-0`, …; returns their ids."""
        first = created or datetime.now(UTC)
        made = []
        with self.lock:
            for place in range(number):
                job = Job(device or next(iter(self.devices)), [f"{tag_prefix}-{place}", *tags], parked=True)
                job.created, job.status = first + timedelta(microseconds=place), status
                self.jobs_by_id[job.id] = job
                made.append(job.id)
        return made

    def remove_jobs(self) -> None:
        """Forget every job and every session."""
        with self.lock:
            self.jobs_by_id.clear()
            self.sessions.clear()

    # What goes wrong

    def fault(
        self,
        method: str,
        path: str,
        *,
        status: int | None = None,
        code: int = 1000,
        message: str = "Ordered by a test.",
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        when: Literal["before", "after"] = "before",
        times: int | None = 1,
    ) -> Fault:
        """The next `times` requests (None: all) are answered with `status`, or dropped when it is not given.

        `when`: `before` they are carried out, which they then are not, or `after`. `path`: a regular expression found
        in the path, such as `/jobs$`. `body`: what is answered, instead of an error with `code` and `message`.
        """
        answer = None
        if status is not None:
            answer = refusal(status, code, message) if body is None else Answer(status, body)
            answer.headers = dict(headers or {})
        fault = Fault(method, re.compile(path), when, answer, times)
        with self.lock:
            self._faults.append(fault)
        return fault

    def clear_faults(self) -> None:
        """No more faults, no more latency."""
        with self.lock:
            self._faults.clear()
            self._latencies.clear()
            self._failures.clear()

    def latency(self, path: str, seconds: float) -> None:
        """Requests in whose path this is found take so much longer."""
        with self.lock:
            self._latencies.append((re.compile(path), seconds))

    def throttle(self, *, times: int | None = 1, retry_after: str | int | None = None, path: str = API) -> Fault:
        """429 for the next requests; `retry_after` in seconds, or as an HTTP date."""
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        return self.fault("*", path, status=429, code=1202, message="Too many requests.", headers=headers, times=times)

    def iam_down(self, *, times: int | None = None) -> Fault:
        """No tokens: 503 from IAM, until `clear_faults()`."""
        return self.fault("POST", r"/identity/token$", status=503, body={"errorMessage": "down"}, times=times)

    def down(self) -> Fault:
        """503 for everything, until `clear_faults()`."""
        return self.fault("*", r"", status=503, message="Down for maintenance.", times=None)

    def expire_tokens(self) -> None:
        """Every token given so far is refused from now on."""
        with self.lock:
            self.tokens.expire()

    def change_key(self, key: str) -> None:
        """From now on only this API key is known, and every token is void."""
        with self.lock:
            self.key = key
            self.tokens.keys = {key}
            self.tokens.expire()

    def recalibrate(self, device: str, at: datetime | None = None) -> None:
        """The device has a new calibration."""
        with self.lock:
            self.devices[device].recalibrate(at)

    def add_instance(self, name: str, plan: str = "open") -> Instance:
        """One more instance that the key may use; every instance shows the same jobs."""
        instance = Instance(name, plan)
        with self.lock:
            self.instances.append(instance)
        return instance

    # How it works

    def _serve(
        self, method: str, path: str, query: Mapping[str, list[str]], headers: Mapping[str, str], body: bytes
    ) -> Answer | None:
        came = time.monotonic()
        with self.lock:
            delay = sum(seconds for pattern, seconds in self._latencies if pattern.search(path))
            fault = next((one for one in self._faults if one.matches(method, path)), None)
            if fault is not None:
                fault.hit()
        if delay:
            time.sleep(delay)
        if fault is None or fault.when == "after":
            answer: Answer | None = self.carry_out(method, path, query, headers, body)
        if fault is not None:
            answer = fault.answer
        with self.lock:
            self.requests.append(Request(method, path, query, came, answer.status if answer else 0))
        return answer

    def _wait(self, check: Any, seconds: float) -> None:
        with self.changed:
            assert self.changed.wait_for(check, seconds), f"jobs did not end within {seconds:g} s"

    def _next(self) -> Job | None:
        for job in self.jobs_by_id.values():
            if job.pending and not job.parked and not job.lost and (job.released or not self._held):
                return job
        return None

    def _work(self) -> None:
        """The device: runs one job after another."""
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self._stopping or self._next() is not None)
                if self._stopping:
                    return
                job = self._next()
                assert job is not None
                job.status, job.executing = "Running", True
                job.running = job.running or datetime.now(UTC)
                failure = self._failures.pop(0) if self._failures else None
                qubits = self.devices[job.backend].configuration["n_qubits"]
            result, seconds, reason = None, 0.0, failure
            if failure is None:
                try:
                    result, seconds = run(job.payload, qubits=qubits, seed=self._seed)
                except Refused as error:
                    reason = (str(error), 1002)
                except Exception as error:
                    reason = (f"{type(error).__name__}: {error}", 9999)
            with self.changed:
                job.executing = False
                if job.pending:
                    job.quantum_seconds, job.result = seconds, result
                    job.end(*(("Completed",) if reason is None else ("Failed", *reason)))
                    self.instances[0].consumed_seconds += seconds
                self.changed.notify_all()
