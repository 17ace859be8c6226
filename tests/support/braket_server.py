"""A loopback Amazon Braket for the real boto3 client: devices, quantum tasks that really run, faults to order.

    with BraketServer() as server:                          # starts an S3 server (moto) too, unless one is named
        environment = server.environment()                  # for a process: endpoints and keys
        account = server.account("lab")                     # keyword arguments of a qtasks `Account`
        secret = server.secret()                            # what its secret holds
        server.hold()                                       # tasks stay QUEUED …
        server.fault("POST", "^/quantum-task$", when="after", drop=True)
        …
        server.release()                                    # … until now

Paths, as faults and counts see them, are decoded: `/quantum-task`, `/quantum-task/<arn>`, `/quantum-task/<arn>/cancel`,
`/quantum-tasks`, `/device/<arn>`, `/devices`, `/tags/<arn>`. Tasks run on one thread, on Braket's local simulator.
"""

from __future__ import annotations

import json
import queue
import re
import socket
import threading
import time
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.support.braket_devices import DM1, GARNET, RETIRED, SV1, Device, devices
from tests.support.braket_faults import Fault, Faults, Gate
from tests.support.braket_tasks import FINAL, PAGE, Refused, Task, Tasks, simulate, validation

__all__ = ["DM1", "GARNET", "PAGE", "RETIRED", "SV1", "BraketServer", "Device", "Fault", "Gate", "Request", "Task"]

_CREDENTIAL = re.compile(r"Credential=([^/]+)/\d{8}/([a-z0-9-]+)/braket/aws4_request")
_SECRET = "never-in-a-message"


@dataclass(frozen=True)
class Request:
    """One request that the server saw; `status` is 0 where the connection was dropped."""

    method: str
    path: str
    region: str
    key: str
    status: int
    at: float


class BraketServer:
    """The server; see the module. Everything it starts ends with the `with` block. Thread-safe."""

    def __init__(self, s3_endpoint: str | None = None, *, region: str = "us-east-1", bucket: str = "braket-results"):
        self.region = region
        self.bucket = bucket
        self.tasks_by_arn = Tasks()
        self._s3_endpoint = s3_endpoint
        self._moto: Any = None
        self._s3: Any = None
        self._lock = threading.RLock()
        self._requests: list[Request] = []
        self._faults = Faults()
        self._devices: dict[str, Device] = {}
        self._keys: dict[str, str] = {}  # access key id -> AWS account number
        self._expired: set[str] = set()
        self._held: list[Task] | None = None  # tasks that wait for release(); None: none is held
        self._running: queue.Queue[Task | None] = queue.Queue()
        self._server: _HTTPServer | None = None
        self.access_key = self.add_key()
        self.reset()

    # --- life ---------------------------------------------------------------------------------------------------

    def __enter__(self) -> BraketServer:
        if self._s3_endpoint is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # moto and what it imports use deprecated names
                from moto.server import ThreadedMotoServer

            self._moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
            self._moto.start()
            self._s3_endpoint = "http://{}:{}".format(*self._moto.get_host_and_port())
        import boto3

        self._s3 = boto3.session.Session().client(
            "s3",
            endpoint_url=self._s3_endpoint,
            region_name="us-east-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
        self._s3.create_bucket(Bucket=self.bucket)
        self._server = _HTTPServer(self)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True, name="braket").start()
        threading.Thread(target=self._work, daemon=True, name="braket-tasks").start()
        return self

    def __exit__(self, *_: object) -> None:
        self._faults.clear()
        self._running.put(None)
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        if self._s3 is not None:
            self._s3.close()
        if self._moto is not None:
            self._moto.stop()

    def reset(self) -> None:
        """As new: no tasks, faults, delays, or records; devices online; all keys good. S3 keeps its objects."""
        self._faults.clear()
        with self._lock:
            self._devices = {device.arn: device for device in devices()}
            self._requests, self._held = [], None
            self._expired.clear()
            self.tasks_by_arn.clear()

    # --- how to reach it ----------------------------------------------------------------------------------------

    @property
    def endpoint(self) -> str:
        """Braket's address."""
        assert self._server is not None, "the server is not running"
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def s3_endpoint(self) -> str:
        """The address of S3 (and, with the server's own moto, of STS)."""
        assert self._s3_endpoint is not None, "the server is not running"
        return self._s3_endpoint

    @property
    def s3(self) -> Any:
        """A boto3 client of its S3."""
        return self._s3

    def environment(self, *, keys: bool = True) -> dict[str, str]:
        """Variables for a process that shall use this server; without `keys`, only S3's and STS's addresses, and what
        keeps boto3 away from the machine's own configuration."""
        found = {
            "AWS_ENDPOINT_URL_S3": self.s3_endpoint,
            "AWS_ENDPOINT_URL_STS": self.s3_endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "NO_PROXY": "127.0.0.1",
        }
        if keys:
            found |= {
                "BRAKET_ENDPOINT": self.endpoint,
                "AWS_ACCESS_KEY_ID": self.access_key,
                "AWS_SECRET_ACCESS_KEY": _SECRET,
                "AWS_DEFAULT_REGION": self.region,
            }
        return found

    def account(self, name: str = "braket", **more: Any) -> dict[str, Any]:
        """A qtasks `Account` as it stands in QTASKS_CONFIG, with this endpoint; the caller adds `credentials`."""
        plain = {
            "name": name,
            "provider": "aws_braket",
            "region": self.region,
            "bucket": f"s3://{self.bucket}/tests",
            "endpoint": self.endpoint,
        }
        return {**plain, **more}

    def secret(self, access_key: str | None = None) -> dict[str, str]:
        """What the account's secret holds, by key: write each into `<QTASKS_SECRETS_DIR>/<namespace>/<name>/<key>`."""
        return {"access-key-id": access_key or self.access_key, "secret-access-key": _SECRET}

    def add_key(self) -> str:
        """The access key id of one more AWS account, which sees only its own tasks."""
        with self._lock:
            number = len(self._keys) + 1
            key = f"AKIATESTING{number:09d}"
            self._keys[key] = f"{number:012d}"
            return key

    def expire_keys(self, *keys: str) -> None:
        """From now on these keys (all) give ExpiredTokenException."""
        with self._lock:
            self._expired.update(keys or self._keys)

    # --- what was asked -----------------------------------------------------------------------------------------

    @property
    def requests(self) -> list[Request]:
        """Every request so far, in the order of the answers."""
        with self._lock:
            return list(self._requests)

    def count(self, method: str = "*", path: str = "") -> int:
        """How many requests of `method` (`*`: any) had a path in which the regular expression `path` is found."""
        wanted = re.compile(path)
        return sum(method in ("*", each.method) and bool(wanted.search(each.path)) for each in self.requests)

    def forget_requests(self) -> None:
        """Count from zero again."""
        with self._lock:
            self._requests = []

    # --- what goes wrong ----------------------------------------------------------------------------------------

    def fault(
        self,
        method: str = "*",
        path: str = "",
        *,
        times: int = 1,
        skip: int = 0,
        when: str = "before",
        status: int = 500,
        error: str = "InternalServiceException",
        message: str = "Ordered by the test.",
        headers: Mapping[str, str] | None = None,
        drop: bool = False,
    ) -> Fault:
        """Answer the next `times` matching requests, after `skip` of them, with an error; `drop`: close the connection.

        `when="after"`: the request is carried out first, and its answer lost. `fault.hits` counts.
        """
        assert when in ("before", "after")
        fault = Fault(method, re.compile(path), times, skip, when, status, error, message, headers or {}, drop)
        return self._faults.add(fault)

    def throttle(self, method: str = "*", path: str = "", *, times: int = 1, retry_after: float | None = None) -> Fault:
        """429, with a Retry-After header where one is given."""
        headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
        return self.fault(method, path, times=times, status=429, error="ThrottlingException", headers=headers)

    def gate(self, method: str = "*", path: str = "", *, when: str = "before") -> Gate:
        """Hold matching requests before or after they are carried out: `gate.wait()` for one, then `gate.open()`."""
        assert when in ("before", "after")
        return self._faults.gate(method, path, when)

    def delay(self, seconds: float, method: str = "*", path: str = "") -> None:
        """Every matching request takes so much longer."""
        self._faults.delay(method, path, seconds)

    def clear_faults(self) -> None:
        """No faults, gates and delays any more."""
        self._faults.clear()

    def set_device(self, arn: str, status: str = "ONLINE", *, queue: str | None = None) -> None:
        """ONLINE, OFFLINE or RETIRED; `queue`: how many tasks the device says are waiting, such as `>4000`."""
        with self._lock:
            self._devices[arn].status = status
            if queue is not None:
                self._devices[arn].queue = queue

    def properties(self, arn: str) -> dict[str, Any]:
        """A device's `deviceCapabilities`, to be changed in place."""
        with self._lock:
            return self._devices[arn].capabilities

    def recalibrate(self, arn: str = GARNET, fidelity: float = 0.98) -> None:
        """Give a QPU another two-qubit fidelity, and so another calibration."""
        with self._lock:
            for pair in self._devices[arn].capabilities["standardized"]["twoQubitProperties"].values():
                pair["twoQubitGateFidelity"][0]["fidelity"] = fidelity

    # --- tasks --------------------------------------------------------------------------------------------------

    @property
    def tasks(self) -> list[Task]:
        """In the order in which they were made."""
        return self.tasks_by_arn.all()

    def task(self, arn_or_tag: str) -> Task:
        """The one task of this ARN, or with this `qtasks` tag."""
        found = [task for task in self.tasks if arn_or_tag in (task.arn, task.tag)]
        assert len(found) == 1, f"{len(found)} tasks are {arn_or_tag}"
        return found[0]

    def hold(self) -> None:
        """From now on tasks stay QUEUED."""
        with self._lock:
            if self._held is None:
                self._held = []

    def release(self) -> None:
        """Run what was held, and what comes from now on."""
        with self._lock:
            held, self._held = self._held or [], None
        for task in held:
            self._running.put(task)

    def run(self, arn_or_tag: str) -> None:
        """Run one task, held or not, and return when it is final."""
        task = self.task(arn_or_tag)
        self._running.put(task)
        task.wait(*FINAL)

    def start(self, arn_or_tag: str) -> None:
        """RUNNING, and no further until `run` or `release`."""
        self.task(arn_or_tag).move("RUNNING")

    def fail(self, arn_or_tag: str, reason: str = "The device has failed.") -> None:
        """FAILED with this failureReason."""
        assert self.task(arn_or_tag).move("FAILED", failure=reason)

    def cancel(self, arn_or_tag: str) -> None:
        """CANCELLED, as if by somebody else."""
        assert self.task(arn_or_tag).move("CANCELLED")

    def lose(self, arn_or_tag: str) -> None:
        """The service does not know the task any more."""
        self.tasks_by_arn.forget(self.task(arn_or_tag).arn)

    def add_tasks(
        self,
        number: int,
        *,
        status: str = "QUEUED",
        device: str = SV1,
        prefix: str = "tests/qtasks/added",
        age: float = 60.0,
        access_key: str | None = None,
    ) -> list[str]:
        """So many tasks that nobody asked for, made `age` seconds ago, that never run; their ARNs, oldest first."""
        request = {
            "deviceArn": device,
            "shots": 1,
            "outputS3Bucket": self.bucket,
            "outputS3KeyPrefix": prefix,
            "action": "{}",
        }
        account = self._keys[access_key or self.access_key]
        made = self.tasks_by_arn.add(account, self.region, request, number, age)
        for task in made:
            if status != "QUEUED":
                task.move(status)
        return [task.arn for task in made]

    def result(self, arn_or_tag: str) -> dict[str, Any]:
        """The content of a task's `results.json`."""
        task = self.task(arn_or_tag)
        body = self._s3.get_object(Bucket=task.request["outputS3Bucket"], Key=f"{task.directory}/results.json")["Body"]
        found: dict[str, Any] = json.loads(body.read())
        return found

    def put_result(self, arn_or_tag: str, data: bytes | dict[str, Any] | None) -> None:
        """Put something else in the place of a task's `results.json`; None deletes it."""
        task = self.task(arn_or_tag)
        where = {"Bucket": task.request["outputS3Bucket"], "Key": f"{task.directory}/results.json"}
        if data is None:
            self._s3.delete_object(**where)
        else:
            self._s3.put_object(**where, Body=data if isinstance(data, bytes) else json.dumps(data).encode())

    def _work(self) -> None:
        while (task := self._running.get()) is not None:
            if task.status in FINAL:
                continue
            try:
                task.move("RUNNING")
                result = simulate(task)
                key = f"{task.directory}/results.json"
                self._s3.put_object(Bucket=task.request["outputS3Bucket"], Key=key, Body=result)
                task.move("COMPLETED")
            except Exception as error:
                task.move("FAILED", failure=f"{type(error).__name__}: {error}")

    # --- the service --------------------------------------------------------------------------------------------

    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> _Answer | None:
        """The answer to a request; None drops the connection."""
        credential = _CREDENTIAL.search(headers.get("Authorization", ""))
        key, region = credential.groups() if credential else ("", "")
        time.sleep(self._faults.latency(method, path))
        self._faults.stand(method, path, "before")
        fault = self._faults.take(method, path)
        answer: _Answer | None
        if fault is not None and fault.when == "before":
            answer = _fault_answer(fault)
        else:
            try:
                account = self._admit(key)
                answer = self._act(method, path, account, region, json.loads(body or b"{}"))
            except Refused as refused:
                answer = _Answer(refused.status, {"message": refused.message}, {"x-amzn-errortype": refused.error})
            if fault is not None:
                answer = _fault_answer(fault)
        self._faults.stand(method, path, "after")
        with self._lock:
            self._requests.append(Request(method, path, region, key, answer.status if answer else 0, time.time()))
        return answer

    def _admit(self, key: str) -> str:
        with self._lock:
            if key not in self._keys:
                raise Refused("UnrecognizedClientException", 403, "The security token in the request is invalid.")
            if key in self._expired:
                raise Refused("ExpiredTokenException", 403, "The security token in the request is expired.")
            return self._keys[key]

    def _act(self, method: str, path: str, account: str, region: str, body: dict[str, Any]) -> _Answer:
        if (method, path) == ("POST", "/quantum-task"):
            return _Answer(201, {"quantumTaskArn": self._create(account, region, body).arn})
        if (method, path) == ("POST", "/quantum-tasks"):
            return _Answer(200, self.tasks_by_arn.search(account, region, body))
        if (method, path) == ("POST", "/devices"):
            return _Answer(200, {"devices": self._search_devices(region, body)})
        if method == "GET" and path.startswith("/device/"):
            return _Answer(200, self._device(path.removeprefix("/device/"), region).answer())
        if method == "PUT" and path.endswith("/cancel"):
            arn = path.removeprefix("/quantum-task/").removesuffix("/cancel")
            return _Answer(200, self._cancel(account, region, arn))
        if method == "GET" and path.startswith("/quantum-task/"):
            task = self.tasks_by_arn.get(account, region, path.removeprefix("/quantum-task/"))
            return _Answer(200, task.answer(queue_position=self._position(task)))
        if method == "GET" and path.startswith("/tags/"):
            task = self.tasks_by_arn.get(account, region, path.removeprefix("/tags/"))
            return _Answer(200, {"tags": task.request.get("tags", {})})
        raise Refused("UnknownOperationException", 404, f"There is no {method} {path}.")

    def _create(self, account: str, region: str, body: dict[str, Any]) -> Task:
        for name in ("clientToken", "deviceArn", "shots", "outputS3Bucket", "outputS3KeyPrefix", "action"):
            if name not in body:
                raise validation(f"{name} is required.")
        if not 1 <= len(body["clientToken"]) <= 64:
            raise validation("clientToken must have from 1 to 64 characters.")
        device = self._device(body["deviceArn"], region)
        if device.status == "OFFLINE":
            raise Refused("DeviceOfflineException", 424, f"{device.name} is offline.")
        if device.status == "RETIRED":
            raise Refused("DeviceRetiredException", 410, f"{device.name} is retired.")
        least, most = device.capabilities["service"]["shotsRange"]
        if not least <= body["shots"] <= most:
            raise validation(f"{device.name} runs from {least} to {most} shots.")
        if any(len(key) > 128 or len(value) > 256 for key, value in body.get("tags", {}).items()):
            raise validation("A tag is too long.")
        action = json.loads(body["action"])
        source = action["source"]
        openqasm = device.capabilities["action"]["braket.ir.openqasm.program"]
        if openqasm["requiresAllQubitsMeasurement"] and "= measure" in source:
            declared = re.search(r"qubit\[(\d+)\]", source)
            if declared and source.count("= measure") != int(declared[1]):
                raise validation(f"{device.name} must measure all qubits.")
        if "#pragma braket verbatim" in source and "verbatim" not in openqasm["supportedPragmas"]:
            raise validation(f"{device.name} knows no verbatim boxes.")
        task, new = self.tasks_by_arn.create(account, region, body)
        if new:
            with self._lock:
                if self._held is None:
                    self._running.put(task)
                else:
                    self._held.append(task)
        return task

    def _cancel(self, account: str, region: str, arn: str) -> dict[str, Any]:
        task = self.tasks_by_arn.get(account, region, arn)
        if not task.move("CANCELLED"):
            raise Refused("ConflictException", 409, f"The task is {task.status}.")
        return {"quantumTaskArn": arn, "cancellationStatus": "CANCELLING"}

    def _device(self, arn: str, region: str) -> Device:
        with self._lock:
            device = self._devices.get(arn)
        if device is None or device.region not in ("", region):
            raise Refused("ResourceNotFoundException", 404, "The device was not found in this region.")
        return device

    def _search_devices(self, region: str, body: dict[str, Any]) -> list[dict[str, Any]]:
        with self._lock:
            found = [device for device in self._devices.values() if device.region in ("", region)]
        for wanted in body["filters"]:
            found = [device for device in found if device.summary().get(wanted["name"]) in wanted["values"]]
        return [device.summary() for device in found]

    def _position(self, task: Task) -> str | None:
        if task.status != "QUEUED":
            return None
        waiting = [each for each in self.tasks if each.status == "QUEUED"]
        return str(waiting.index(task) + 1) if task in waiting else "1"


@dataclass(frozen=True)
class _Answer:
    status: int
    body: dict[str, Any]
    headers: Mapping[str, str] | None = None


def _fault_answer(fault: Fault) -> _Answer | None:
    if fault.drop:
        return None
    return _Answer(fault.status, {"message": fault.message}, {"x-amzn-errortype": fault.error, **fault.headers})


class _HTTPServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, braket: BraketServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.braket = braket

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _HTTPServer

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        answer = self.server.braket.handle(self.command, path, self.headers, body)  # type: ignore[arg-type]
        if answer is None:
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        content = json.dumps(answer.body).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        for name, value in (answer.headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    do_GET = do_POST = do_PUT = _serve

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Requests are recorded, not logged."""
