"""The gateway to an installation through its REST API (docs/rest.md)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar
from urllib.parse import quote

from qtasks.access import job_not_found
from qtasks.client.collected import Collected
from qtasks.client.gateway import Document, Handle, Kept, Looked, Query
from qtasks.client.rest import submitting, waiting
from qtasks.client.rest.transport import Transport
from qtasks.client.submission import Submission, is_id
from qtasks.lifecycle import Phase
from qtasks.resources import Resource, dump
from qtasks.results import JobResult, decode
from qtasks.settings import Settings

_PAGE = 1000
_NAMES_A_JOB = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._:/-]{0,510}[A-Za-z0-9])?")
_EXACT = "application/vnd.qtasks.result"
_AMOUNTS = ("spent", "reserved")
_NAMING = ("job_id", "qtasks_job_id")
"""By what a line of a jobs file names its job."""

T = TypeVar("T")


class Rest:
    """A `Gateway` for the holder of QTASKS_API_TOKEN; safe to share between threads, and over a fork."""

    def __init__(self, settings: Settings) -> None:
        self._transport = Transport(settings)

    def close(self) -> None:
        self._transport.close()

    def whoami(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._transport.get("/v1/whoami")
        return found

    def submit(
        self, submissions: Sequence[Submission], namespace: str, keys: Sequence[str | None], *, strict: bool = False
    ) -> list[Handle]:
        return submitting.submit(self._transport, submissions, namespace, keys, strict=strict)

    def find(self, what: str, namespace: str) -> Handle:
        if is_id(what):
            what = str(uuid.UUID(what))
        elif not _NAMES_A_JOB.fullmatch(what):
            raise job_not_found(what, namespace)
        metadata = self._transport.get(f"/v1/jobs/{quote(what, safe='')}", namespace=namespace)["metadata"]
        return Handle(metadata["uid"], metadata["name"], metadata["namespace"])

    def jobs(self, query: Query) -> list[Document]:
        found: list[Document] = []
        cursor = query.before
        while len(found) < query.limit:
            page = self._transport.get(
                "/v1/jobs",
                namespace=_scope(query.namespace),
                phase=query.phase,
                labels=query.labels,
                backend=query.backend,
                priority=query.priority,
                since=_time(query.since),
                limit=min(query.limit - len(found), _PAGE),
                cursor=cursor,
            )
            found += page["items"]
            cursor = page["metadata"]["continue"]
            if not cursor:
                break
        return found

    def queues(self, ids: Sequence[str]) -> dict[str, Document]:
        found: dict[str, Document] = {}
        for some in _chunks(ids):
            found |= self._transport.post("/v1/jobs/queues", {"ids": some}, repeatable=True)["queues"]
        return found

    def describe(self, job_id: str, *, queues: bool = False) -> Document:
        return self._of_job(job_id, queues=True if queues else None)

    def phases(self, ids: Sequence[str]) -> dict[str, Phase]:
        found: dict[str, Phase] = {}
        for some in _chunks(ids):
            found |= waiting.phases(self._transport, some)
        return found

    def wait(
        self,
        ids: Collection[str],
        *,
        timeout: float | None,
        seen: Callable[[str, Phase], None] = lambda _id, _phase: None,
    ) -> set[str]:
        return waiting.wait_for(self._transport, ids, timeout=timeout, seen=seen)

    def cancel(self, ids: Sequence[str]) -> list[str]:
        # Of two requests the second cancels nothing, and would say so.
        return [
            ended
            for some in _chunks(ids)
            for ended in self._transport.post("/v1/jobs/cancel", {"ids": some}, repeatable=False)["cancelled"]
        ]

    def delete_job(self, job_id: str) -> None:
        self._transport.delete(f"/v1/jobs/{_id(job_id)}")

    def redeliver(self, job_id: str) -> None:
        self._transport.post(f"/v1/jobs/{_id(job_id)}/redeliver", None, repeatable=True)

    def result(self, job_id: str) -> JobResult:
        path = f"/v1/jobs/{_id(job_id)}/result"
        return decode(self._transport.send("GET", path, parameters={}, headers={"Accept": _EXACT}).content)

    def events(self, job_id: str, *, after: int = 0) -> list[Document]:
        found: list[Document] = self._of_job(job_id, "/events", after=after or None)["items"]
        return found

    def explain(self, job_id: str) -> Document:
        return self._of_job(job_id, "/explain")

    def _of_job(self, job_id: str, part: str = "", **parameters: Any) -> Document:
        found: Document = self._transport.get(f"/v1/jobs/{_id(job_id)}{part}", **parameters)
        return found

    def estimate(self, submissions: Sequence[Submission], namespace: str, *, strict: bool = False) -> list[Document]:
        documents = [submitting.document_of(submission) for submission in submissions]
        body = documents[0] if len(documents) == 1 else submitting.list_of(documents)
        asked = {"namespace": namespace, "strict": True if strict else None}
        found: list[Document] = self._transport.post("/v1/estimate", body, repeatable=True, parameters=asked)["items"]
        return found

    def accuracy(self, namespace: str) -> Document:
        found: Document = self._transport.get("/v1/accuracy", namespace=namespace)
        return found

    def collect(self, entries: Sequence[Mapping[str, Any]] | None, namespace: str) -> list[Collected | None]:
        if entries is None:
            bodies: list[Any] = [{}]
        else:
            named = [{key: entry[key] for key in _NAMING if entry.get(key) is not None} for entry in entries]
            bodies = [{"entries": some} for some in _chunks(named)]
        return [
            None if one is None else Collected(**one)
            for body in bodies
            for one in self._transport.post("/v1/collect", body, repeatable=True, parameters={"namespace": namespace})[
                "items"
            ]
        ]

    def look(self, ids: Sequence[str], *, seconds: float) -> Looked:
        unanswered: set[str] = set()
        trouble: dict[str, tuple[str, str]] = {}
        for some in _chunks(ids):
            body = {"ids": some, "wait": seconds}
            found = self._transport.post("/v1/collect/look", body, repeatable=True, wait=seconds)
            unanswered.update(found["unanswered"])
            trouble |= {name: (each["reason"], each["message"]) for name, each in found["trouble"].items()}
        return Looked(tuple(sorted(unanswered)), trouble)

    def apply(self, kind: Kept, resource: Resource, namespace: str | None) -> str:
        # The second of two requests says that it changed nothing, which is true, and not what was asked.
        answer = self._transport.post(
            f"/v1/{kind.value}", dump(resource), repeatable=False, parameters={"namespace": namespace}
        )
        return str(answer["result"])

    def listing(self, kind: Kept, namespace: str | None) -> list[Document]:
        return self._items(f"/v1/{kind.value}", namespace=_scope(namespace))

    def kept(self, kind: Kept, name: str, namespace: str) -> list[Document]:
        found: Document = self._transport.get(f"/v1/{kind.value}/{quote(name, safe='')}", namespace=namespace)
        return found["items"] if kind is Kept.BACKENDS else [found]

    def delete(self, kind: Kept, name: str, namespace: str) -> Document:
        found = self._transport.delete(f"/v1/{kind.value}/{quote(name, safe='')}", namespace=namespace)
        return {} if kind is Kept.BACKENDS or found is None else dict(found)

    def accounts(self, namespace: str | None) -> list[Document]:
        return self._items("/v1/accounts", namespace=_scope(namespace))

    def costs(
        self, by: str, *, since: datetime | None, until: datetime | None, namespace: str | None
    ) -> list[Document]:
        found = self._items("/v1/costs", by=by, since=_time(since), until=_time(until), namespace=_scope(namespace))
        return [{**one, **{name: Decimal(str(one[name])) for name in _AMOUNTS}} for one in found]

    def discrepancies(self) -> list[str]:
        found: list[str] = self._transport.get("/v1/discrepancies")["items"]
        return found

    def _items(self, path: str, **parameters: Any) -> list[Document]:
        found: list[Document] = self._transport.get(path, **parameters)["items"]
        return found


def _id(job_id: str) -> str:
    """What is no id is of no job here, although the API would look for its name."""
    if not is_id(job_id):
        raise job_not_found(job_id)
    return str(uuid.UUID(job_id))


def _scope(namespace: str | None) -> str:
    return "*" if namespace is None else namespace


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _chunks(many: Sequence[T]) -> Iterator[list[T]]:
    for start in range(0, len(many), waiting.AT_ONCE):
        yield list(many[start : start + waiting.AT_ONCE])
