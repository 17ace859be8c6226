"""Jobs as they go on, written into the statuses of their resources: heard of all together, looked at one by one only
where there is news."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from qtasks.client import Client, Job
from qtasks.errors import InvalidInput, NotFound, QTasksError, WaitTimeout
from qtasks.lifecycle import Phase
from qtasks.operator.api_server import ApiServer, Clash
from qtasks.operator.following import Followed, digest, key_of_job
from qtasks.operator.kinds import Key, Object
from qtasks.operator.statuses import Status, gone_job, is_final, is_settled, job_status, merge_patch
from qtasks.operator.translation import SELECTOR

log = logging.getLogger(__name__)

_HEAR_SECONDS = 0.5
"""How long one question for news of all lasts at least."""
_COMPARE_SECONDS = 2.0
"""Between two looks at the lists of all jobs that go on: conditions change without a phase."""
_COMPARE_SHARE = 10.0
"""A list that takes long is asked for so many times its own time later."""
_QUEUE_SECONDS = 15.0
"""Between two looks at places in queues: all who wait are moved by one who starts."""
_QUEUED_AT_MOST = 200
_AFTERGLOW_SECONDS = 60.0
"""How long what is final is looked at more and more seldom: its output may still be on its way."""
_RESYNC_SECONDS = 300.0
"""Between two looks at all jobs, the final ones too."""
_PAGE = 1000
_GOING_ON = tuple(phase for phase in Phase if not phase.final)

Document = dict[str, Any]


class Mirror:
    """Follows jobs; `turn` is called again and again, everything else from any thread."""

    def __init__(self, client: Client, api: ApiServer, *, threads: int, news: Callable[[Key], None]) -> None:
        """`news` is told of resources whose jobs have changed after they were settled."""
        self._client = client
        self._api = api
        self._tell_of = news
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="mirror")
        self._followed: dict[str, Followed] = {}
        self._by_key: dict[Key, Followed] = {}
        self._state = threading.Condition()
        self._stopping = False
        self._news: set[str] = set()
        self._late = False
        self._settled: dict[str, str] = {}
        """The digests of jobs that are not followed any more."""
        self._compare_at = self._queue_at = 0.0
        self._resync_at = time.monotonic() + _RESYNC_SECONDS

    def follow(self, followed: Followed) -> None:
        """Write what becomes of a job into its resource from now on."""
        with self._state:
            self._followed[followed.job_id] = followed
            self._by_key[followed.key] = followed
            self._queue_at = 0.0
            self._state.notify_all()

    def of(self, key: Key, uid: str | None = None) -> Followed | None:
        """What is followed of a resource; of another one that had its name before, nothing."""
        found = self._by_key.get(key)
        return found if found is not None and uid in (None, found.uid) else None

    def forget(self, followed: Followed) -> None:
        with self._state:
            self._followed.pop(followed.job_id, None)
            if self._by_key.get(followed.key) is followed:
                del self._by_key[followed.key]

    def stop(self) -> None:
        with self._state:
            self._stopping = True
            self._state.notify_all()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def turn(self) -> None:
        """Hear what is new, for half a second, and write it. Raises Unavailable while the queue cannot be asked."""
        now = time.monotonic()
        if now >= self._resync_at:
            self._resync_at = now + _RESYNC_SECONDS
            self._resync()
        active = self._active()
        if active:
            self._hear(active)
            self._compare()
        else:
            with self._state:
                self._state.wait_for(lambda: self._stopping or bool(self._active()), timeout=_HEAR_SECONDS)
        now = time.monotonic()
        due = {one.job_id for one in list(self._followed.values()) if one.look_at <= now}
        self._look_at_all(self._news | due)

    def look(self, followed: Followed) -> Object | None:
        """Write how a job is, if that is another than what was written; the resource as it is then, None where nothing
        was to be written. Raises what client and API server do."""
        with followed.lock:
            try:
                document = self._client.describe(followed.job_id)
            except NotFound:
                written = self._write(followed, gone_job(followed.written))
                self.forget(followed)
                return written
            followed.seen, followed.phase = digest(document), document["status"]["phase"]
            if followed.queue and not is_final(document["status"]):
                document["status"]["queue"] = dict(followed.queue)
            status = job_status(document, generation=followed.generation, accepted=followed.accepted)
            written = self._write(followed, status)
            if is_final(document["status"]):
                self._calm_down(followed, settled=is_settled(document))
            return written

    def _active(self) -> list[Followed]:
        return [one for one in list(self._followed.values()) if not one.phase or not Phase(one.phase).final]

    def _hear(self, active: Sequence[Followed]) -> None:
        """Ask once for the phases of all, and listen to what comes."""

        def seen(job_id: str, phase: Phase) -> None:
            known = self._followed.get(job_id)
            if known is not None and known.phase != phase.value:
                self._news.add(job_id)

        jobs = [Job(self._client, one.job_id, one.key.name, one.key.namespace) for one in active]
        try:
            self._client.wait(jobs, timeout=_HEAR_SECONDS, seen=seen)
        except WaitTimeout:
            return
        except NotFound:
            # One of them was deleted: whoever is on no list is looked at.
            self._compare_at = 0.0

    def _compare(self) -> None:
        """Look at the lists of jobs that go on; what is new there, and what is there no more, is looked at."""
        now = time.monotonic()
        if now < self._compare_at:
            return
        before = {one.job_id for one in self._active()}
        queues = now >= self._queue_at and len(before) <= _QUEUED_AT_MOST
        there = set()
        for phase in _GOING_ON:
            for document in self._listed(phase, queues=queues):
                job_id = document["metadata"]["uid"]
                there.add(job_id)
                known = self._followed.get(job_id)
                if known is None:
                    continue
                place = document["status"].get("queue", {}) if queues else known.queue
                if known.seen != digest(document) or place != known.queue:
                    known.queue = place
                    self._news.add(job_id)
        self._news |= before - there
        ended = time.monotonic()
        if queues:
            self._queue_at = ended + _QUEUE_SECONDS
        self._compare_at = ended + max(_COMPARE_SECONDS, _COMPARE_SHARE * (ended - now))

    def _resync(self) -> None:
        """Look at all jobs of resources, page by page: one that was settled may have been delivered again."""
        settled = {}
        for document in self._listed(None):
            job_id, now = document["metadata"]["uid"], digest(document)
            known = self._followed.get(job_id)
            if known is not None:
                if known.seen != now:
                    self._news.add(job_id)
                continue
            settled[job_id] = now
            if self._settled.get(job_id, now) != now:
                self._tell_of(key_of_job(document))
        self._settled = settled

    def _listed(self, phase: Phase | None, *, queues: bool = False) -> Iterator[Document]:
        before = None
        while True:
            page = self._client.page(
                phase=phase, labels=SELECTOR, all_namespaces=True, limit=_PAGE, before=before, queues=queues
            )
            yield from page
            if len(page) < _PAGE:
                return
            before = page[-1]["metadata"]["uid"]

    def _look_at_all(self, ids: Iterable[str]) -> None:
        wanted = [one for one in (self._followed.get(job_id) for job_id in list(ids)) if one is not None]
        self._news.clear()
        for one, done in zip(wanted, self._pool.map(self._try, wanted), strict=True):
            if not done:
                self._news.add(one.job_id)
        if self._news and not self._late:
            log.warning("the statuses of %d jobs have to wait", len(self._news))
        self._late = bool(self._news)

    def _try(self, followed: Followed) -> bool:
        """Whether its status is written, or never can be."""
        try:
            self.look(followed)
        except InvalidInput as error:
            log.error("the status of %s cannot be written: %s", followed.key, error)
        except (QTasksError, Clash):
            return False
        return True

    def _calm_down(self, followed: Followed, *, settled: bool) -> None:
        """Look at what is final more and more seldom, until nothing more is to be heard of it."""
        followed.queue = {}
        if settled or followed.pause > _AFTERGLOW_SECONDS:
            self._settled[followed.job_id] = followed.seen
            self.forget(followed)
        else:
            followed.look_at = time.monotonic() + followed.pause
            followed.pause *= 2

    def _write(self, followed: Followed, status: Status) -> Object | None:
        change = merge_patch(followed.written, status)
        if not change:
            return None
        was_final = is_final(followed.written)
        found = self._api.patch_status(followed.key, change)
        if found is None or found["metadata"]["uid"] != followed.uid:
            # It has gone, though its finalizer should have kept it: its job is to be cancelled.
            self._tell_of(followed.key)
            return None
        followed.written = dict(found.get("status") or {})
        if is_final(status) and not was_final:
            self._tell(found, status)
        return found

    def _tell(self, found: Object, status: Status) -> None:
        phase = str(status["phase"])
        said = str(status.get("message") or f"The job is {phase}.")
        if phase == Phase.COMPLETED:
            self._api.event(found, phase, f"The job is done; it cost {status.get('cost')}.")
        else:
            self._api.event(found, str(status.get("reason") or phase), said, warning=phase == Phase.FAILED)
