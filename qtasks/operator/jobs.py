"""What is done for a QiskitJob that was applied, changed or deleted."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from qtasks.client import Client, Job
from qtasks.errors import Conflict, Forbidden, InvalidInput, NotFound, QTasksError
from qtasks.operator import statuses
from qtasks.operator.api_server import ApiServer
from qtasks.operator.finalizer import hold, let_go
from qtasks.operator.following import Followed
from qtasks.operator.kinds import Key, Object, condition_of, generation_of, is_ending, is_held, status_of, uid_of
from qtasks.operator.mirror import Mirror
from qtasks.operator.translation import changed_fields, is_of, job_document, other_name
from qtasks.resources import dump, parse

log = logging.getLogger(__name__)

_MAY_HEAL = frozenset({"QuotaExceeded", "TokenRequired", "TokenInvalid", "TokenExpired"})
"""Refusals that are no fault of the resource: it is submitted again."""
_AGAIN_SECONDS = 10.0


class Jobs:
    """Safe to share between threads, as long as one resource is in one of them at a time."""

    def __init__(self, client: Client, api: ApiServer, mirror: Mirror) -> None:
        self._client = client
        self._api = api
        self._mirror = mirror
        self._again: set[Key] = set()

    def wants_a_look(self, key: Key, found: Object) -> bool:
        """Whether there is anything to be done for a resource as the API server has it."""
        status = status_of(found)
        if is_ending(found):
            return is_held(found)
        if generation_of(found) != status.get("observedGeneration"):
            return True
        if statuses.is_final(status) and ("jobId" not in status or statuses.is_settled(found)):
            return is_held(found)
        if "jobId" not in status or self._mirror.of(key, uid_of(found)) is None:
            return True
        # Somebody may have taken our finalizer off.
        return not is_held(found) and not statuses.is_final(status)

    def work(self, key: Key) -> float | None:
        """Do what there is to be done; see `desk.Work`."""
        found = self._api.get(key)
        followed = self._mirror.of(key)
        if followed is not None and (found is None or uid_of(found) != followed.uid):
            self._gone(followed)
        again = key in self._again
        if found is None or not (again or self.wants_a_look(key, found)):
            self._again.discard(key)
            return None
        if is_ending(found):
            self._end(key, found)
            return None
        status = status_of(found)
        observed = generation_of(found) == status.get("observedGeneration")
        if "jobId" not in status and not (observed and statuses.is_final(status)):
            return self._submit(key, found)
        if "jobId" in status and not (observed and statuses.is_settled(found) and not again):
            found = self._follow(key, found) or found
            if not statuses.is_final(status_of(found)):
                hold(self._api, key, found)
        if statuses.is_final(status_of(found)):
            let_go(self._api, key, found)
        self._again.discard(key)
        return None

    def look_again(self, key: Key) -> None:
        """Look at a resource although nothing seems to be to do: qtasks says something else of its job."""
        self._again.add(key)

    def _follow(self, key: Key, found: Object) -> Object | None:
        """Have its job followed, and write how it is; the resource as it is then, None where nothing was written."""
        followed = self._mirror.of(key, uid_of(found)) or self._taken_up(key, found)
        if followed is None:
            return self._lost(key, found)
        if generation_of(found) != followed.generation:
            return self._compare(found, followed)
        return self._mirror.look(followed)

    def _gone(self, followed: Followed) -> None:
        """The resource is no more. Somebody may have taken our finalizer off: its job is cancelled all the same."""
        self._mirror.forget(followed)
        if not statuses.is_final({"phase": followed.phase}):
            self._cancel(followed.job_id, followed.key)

    def _submit(self, key: Key, found: Object) -> float | None:
        # Held before it is submitted: what is deleted from here on is cancelled, whoever dies meanwhile.
        found = hold(self._api, key, found) or {}
        if not found:
            return None
        try:
            job = self._submitted(found)
        except (InvalidInput, Conflict, Forbidden) as error:
            return self._refused(key, found, error)
        accepted = statuses.condition(
            statuses.ACCEPTED, True, "Submitted", f"It is job {job.job_id()}.", statuses.moment()
        )
        followed = self._followed(key, found, job.job_id(), accepted)
        self._mirror.follow(followed)
        self._mirror.look(followed)
        if job.created:
            self._api.event(found, "Submitted", f"Submitted as job {job.job_id()} ({job.name}).")
        return None

    def _submitted(self, found: Object) -> Job:
        """The job of a resource: the one under its uid, if there is one, else a new one."""
        namespace, uid = found["metadata"]["namespace"], uid_of(found)
        for name in (None, other_name(found)):
            try:
                job = self._client.submit(job_document(found, name=name), namespace=namespace, idempotency_key=uid)
            except Conflict as error:
                if error.reason == "JobExists" and name is None:
                    continue
                raise
            if job.created or is_of(self._client.describe(job.job_id()), found):
                return job
        raise Conflict(
            f"Namespace {namespace} has other jobs of the names that this resource could give its job.",
            reason="JobExists",
            hint="Apply it under another name.",
        )

    def _refused(self, key: Key, found: Object, error: QTasksError) -> float | None:
        waits = error.reason in _MAY_HEAL
        generation, known = generation_of(found), status_of(found)
        told = known.get("observedGeneration") == generation and known.get("reason") == error.reason
        if not told:
            status = statuses.refused_job(error, generation=generation, waits=waits)
            if self._api.patch_status(key, statuses.merge_patch(known, status)) is None:
                return None
            self._api.event(found, error.reason, str(error), warning=True)
        if waits:
            return _AGAIN_SECONDS
        let_go(self._api, key, self._api.get(key))
        return None

    def _compare(self, found: Object, followed: Followed) -> Object | None:
        """The spec of a submitted job never changes: say so, or that it is as it was again."""
        old = condition_of(found, statuses.ACCEPTED)
        new = self._acceptance(found, followed)
        followed.generation = generation_of(found)
        followed.accepted = statuses.kept_since(new, old)
        self._mirror.follow(followed)
        written = self._mirror.look(followed)
        if new["status"] == "False":
            self._api.event(found, str(new["reason"]), str(new["message"]), warning=True)
        return written

    def _acceptance(self, found: Object, followed: Followed) -> statuses.Condition:
        now, name = statuses.moment(), found["metadata"]["name"]
        there = self._client.describe(followed.job_id)
        try:
            differing = changed_fields(there["spec"], dump(parse(job_document(found)))["spec"])
        except InvalidInput as error:
            return statuses.condition(
                statuses.ACCEPTED, False, error.reason, f"{error} The job goes on as it was.", now
            )
        if differing:
            message = (
                f"Job {name} exists with another spec ({', '.join(differing[:10])}), as which it goes on. "
                "Apply it under another name, or delete it first: a job's spec never changes."
            )
            return statuses.condition(statuses.ACCEPTED, False, "JobExists", message, now)
        return statuses.condition(statuses.ACCEPTED, True, "Submitted", f"It is job {followed.job_id}.", now)

    def _end(self, key: Key, found: Object) -> None:
        followed = self._mirror.of(key, uid_of(found))
        document = self._document(found)
        if document is not None and not statuses.is_final(document["status"]):
            self._cancel(document["metadata"]["uid"], key)
        if followed is not None:
            self._mirror.forget(followed)
        let_go(self._api, key, found)

    def _cancel(self, job_id: str, key: Key) -> None:
        try:
            self._client.cancel([Job(self._client, job_id, key.name, key.namespace)])
        except NotFound:
            return
        log.info("cancelled the job of %s, which was deleted", key)

    def _taken_up(self, key: Key, found: Object) -> Followed | None:
        """What another process of ours has submitted; None where qtasks has no such job any more."""
        document = self._document(found)
        if document is None:
            return None
        accepted = condition_of(found, statuses.ACCEPTED) or statuses.condition(
            statuses.ACCEPTED, True, "Submitted", f"It is job {document['metadata']['uid']}.", statuses.moment()
        )
        followed = self._followed(key, found, document["metadata"]["uid"], accepted)
        followed.generation = int(status_of(found).get("observedGeneration", 0))
        self._mirror.follow(followed)
        return followed

    def _followed(self, key: Key, found: Object, job_id: str, accepted: statuses.Condition) -> Followed:
        return Followed(key, uid_of(found), job_id, generation_of(found), accepted, dict(status_of(found)))

    def _lost(self, key: Key, found: Object) -> Object | None:
        """The job of a resource was deleted in qtasks: it is not submitted again."""
        known = status_of(found)
        status = statuses.gone_job(known) | {"observedGeneration": generation_of(found)}
        change = statuses.merge_patch(known, status)
        return self._api.patch_status(key, change) if change else None

    def _document(self, found: Object) -> dict[str, Any] | None:
        """The document of the job of a resource. A status may be forged, a name be another's: the job itself says
        whose it is."""
        namespace = found["metadata"]["namespace"]
        for name in self._names(found):
            try:
                document = self._client.describe(self._client.job(name, namespace=namespace).job_id())
            except NotFound:
                continue
            if is_of(document, found):
                return document
        return None

    def _names(self, found: Object) -> Iterator[str]:
        known = status_of(found).get("jobId")
        if isinstance(known, str) and known:
            yield known
        yield from (found["metadata"]["name"], other_name(found))
