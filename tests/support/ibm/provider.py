"""What the server does with a request: IBM's REST API over the jobs, sessions, devices and accounts that it keeps."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from tests.support.ibm.accounts import Instance, Tokens, catalogue_entry
from tests.support.ibm.devices import Device
from tests.support.ibm.faults import Answer, refusal
from tests.support.ibm.jobs import Job, listing
from tests.support.ibm.sessions import Session

_PREFIX = re.compile(r"^/(?:experimental/)?api/v1")
Query = Mapping[str, list[str]]


class Provider:
    """The state of the provider, and the routes that read and change it. All of it under one lock."""

    def __init__(self, *, key: str, token_seconds: float, plan: str, devices: tuple[str, ...]) -> None:
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.tokens = Tokens(key, token_seconds)
        self.instances = [Instance("test-instance", plan)]
        self.devices = {device.name: device for device in map(Device, devices)}
        self.jobs_by_id: dict[str, Job] = {}
        self.sessions: dict[str, Session] = {}
        self._routes: list[tuple[str, re.Pattern[str], Callable[..., Answer]]] = [
            ("GET", re.compile(r"/jobs"), self._list_jobs),
            ("POST", re.compile(r"/jobs"), self._create_job),
            ("GET", re.compile(r"/jobs/([^/]+)"), self._job),
            ("DELETE", re.compile(r"/jobs/([^/]+)"), self._delete_job),
            ("GET", re.compile(r"/jobs/([^/]+)/results"), self._results),
            ("GET", re.compile(r"/jobs/([^/]+)/metrics"), self._metrics),
            ("POST", re.compile(r"/jobs/([^/]+)/cancel"), self._cancel),
            ("GET", re.compile(r"/backends"), self._list_devices),
            ("GET", re.compile(r"/backends/([^/]+)/(configuration|properties|status)"), self._device),
            ("POST", re.compile(r"/sessions"), self._create_session),
            ("GET", re.compile(r"/sessions/([^/]+)"), self._session),
            ("PATCH", re.compile(r"/sessions/([^/]+)"), self._close_session),
            ("DELETE", re.compile(r"/sessions/([^/]+)/close"), self._end_session),
            ("GET", re.compile(r"/instances/usage"), self._usage),
        ]

    def carry_out(self, method: str, path: str, query: Query, headers: Mapping[str, str], body: bytes) -> Answer:
        """The answer to a request, whose effect has happened."""
        with self.lock:
            if (method, path) == ("POST", "/identity/token"):
                return self.tokens.exchange(parse_qs(body.decode()).get("apikey", [""])[0])
            if refused := self.tokens.refuses(headers.get("Authorization", "")):
                return refused
            if (method, path) == ("POST", "/v3/resources/search"):
                return Answer(200, {"items": [instance.found() for instance in self.instances]})
            if method == "GET" and (plan := re.search(r"/plan-([a-z-]+)$", path)):
                return catalogue_entry(plan[1])
            instance = next((one for one in self.instances if one.crn == headers.get("Service-CRN")), None)
            if instance is None:
                return refusal(403, 1200, "You are not authorized to perform this action.")
            return self._api(method, _PREFIX.sub("", path), query, body, instance)

    def _api(self, method: str, path: str, query: Query, body: bytes, instance: Instance) -> Answer:
        for wanted, pattern, route in self._routes:
            if wanted == method and (found := pattern.fullmatch(path)):
                data = json.loads(body) if body and method != "GET" else {}
                return route(*found.groups(), query=query, data=data, instance=instance)
        return refusal(404, 1000, f"{method} {path} is not served here.")

    def _list_jobs(self, *, query: Query, **_: Any) -> Answer:
        return listing(self.jobs_by_id.values(), query)

    def _create_job(self, *, data: Mapping[str, Any], instance: Instance, **_: Any) -> Answer:
        device = self.devices.get(str(data.get("backend")))
        if device is None:
            return refusal(404, 1214, "The specified backend was not found.")
        if instance.exhausted:
            return refusal(409, 1352, "The instance has met its usage limit.")
        tags = data.get("tags", [])
        if len(tags) > 8 or any(len(tag) > 86 for tag in tags):
            return refusal(400, 1204, "Exceeds the maximum number or length of tags that a job can have.")
        session = self.sessions.get(data.get("session_id", ""))
        if data.get("session_id") and (session is None or not session.accepting):
            return refusal(400, 1215, "The session has been closed.")
        job = Job(device.name, list(tags), data, data.get("session_id"), data.get("cost"))
        self.jobs_by_id[job.id] = job
        self.changed.notify_all()
        return Answer(200, {"id": job.id, "backend": job.backend, "session_id": job.session_id, "private": False})

    def _known(self, number: str) -> Job | None:
        job = self.jobs_by_id.get(number)
        return None if job is None or job.lost else job

    def _job(self, number: str, **_: Any) -> Answer:
        job = self._known(number)
        return Answer(200, job.to_dict()) if job else refusal(404, 1291, "Job not found.")

    def _delete_job(self, number: str, **_: Any) -> Answer:
        job = self._known(number)
        if job is None:
            return refusal(404, 1291, "Job not found.")
        job.lost = True
        return Answer(204)

    def _results(self, number: str, **_: Any) -> Answer:
        job = self._known(number)
        if job is None:
            return refusal(404, 1291, "Job not found.")
        if job.result is not None:
            return Answer(200, job.result)
        return Answer(200, f"Traceback: {job.reason}") if job.reason else Answer(204)

    def _metrics(self, number: str, **_: Any) -> Answer:
        job = self._known(number)
        if job is None:
            return refusal(404, 1291, "Job not found.")
        ahead = [other for other in self.jobs_by_id.values() if other.pending and other.created < job.created]
        return Answer(200, {**job.metrics(), **({"position_in_queue": len(ahead) + 1} if job.pending else {})})

    def _cancel(self, number: str, **_: Any) -> Answer:
        job = self._known(number)
        if job is None:
            return refusal(404, 1291, "Job not found.")
        if not job.pending:
            return refusal(409, 1292, "The job is in a final state and cannot be cancelled.")
        job.end("Cancelled")
        self.changed.notify_all()
        return Answer(204)

    def _list_devices(self, **_: Any) -> Answer:
        return Answer(200, {"devices": [self._shown(device) for device in self.devices.values()]})

    def _shown(self, device: Device) -> dict[str, Any]:
        waiting = sum(job.pending and job.backend == device.name for job in self.jobs_by_id.values())
        return {
            "name": device.name,
            "status": {"name": "online" if device.online else "offline", "reason": device.message},
            "qubits": device.configuration["n_qubits"],
            "is_simulator": False,
            "queue_length": waiting,
        }

    def _device(self, name: str, what: str, *, query: Query, **_: Any) -> Answer:
        device = self.devices.get(name)
        if device is None:
            return refusal(404, 1214, "The specified backend was not found.")
        if what == "configuration":
            return Answer(200, device.configuration)
        if what == "properties":
            before = query.get("updated_before")
            return Answer(200, device.properties(datetime.fromisoformat(before[0]) if before else None))
        waiting = self._shown(device)["queue_length"]
        version = device.configuration["backend_version"]
        body = {"state": device.online, "status": device.message, "message": device.message}
        return Answer(200, {**body, "length_queue": waiting, "backend_version": version})

    def _create_session(self, *, data: Mapping[str, Any], instance: Instance, **_: Any) -> Answer:
        if instance.plan == "open" and data.get("mode") != "batch":
            message = "You are not authorized to run a session when using the open plan."
            return refusal(400, 1352, message)
        session = Session(str(data.get("backend")), str(data.get("mode", "dedicated")), data.get("max_ttl"))
        self.sessions[session.id] = session
        return Answer(200, session.to_dict())

    def _session(self, number: str, **_: Any) -> Answer:
        session = self.sessions.get(number)
        return Answer(200, session.to_dict()) if session else refusal(404, 1216, "Session not found.")

    def _close_session(self, number: str, *, data: Mapping[str, Any], **_: Any) -> Answer:
        session = self.sessions.get(number)
        if session is None:
            return refusal(404, 1216, "Session not found.")
        if data.get("accepting_jobs") is False:
            session.close(datetime.now(UTC))
        return Answer(204)

    def _end_session(self, number: str, **_: Any) -> Answer:
        session = self.sessions.get(number)
        if session is None:
            return refusal(404, 1216, "Session not found.")
        session.close(datetime.now(UTC))
        for job in self.jobs_by_id.values():
            if job.session_id == number and job.status == "Queued":
                job.end("Cancelled")
        return Answer(204)

    def _usage(self, *, instance: Instance, **_: Any) -> Answer:
        return Answer(200, instance.usage())
