"""Finding tasks among all that an account has made: by pages of a hundred, as Braket has no search for tags."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from qtasks.backends.braket import tasks
from qtasks.backends.braket.arns import REGIONS, region_of
from qtasks.backends.braket.session import Session
from qtasks.backends.protocol import BackendError, CredentialsRefused, ProviderJob, ProviderState

_PAGE = 100


class Search:
    """Looks tasks up. Every method raises as Session.call does."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def task(self, arn: str) -> dict[str, Any] | None:
        """What Braket says of one task; None when it does not know it."""
        try:
            return self._session.call(
                "get_quantum_task",
                doing="describe a task",
                region=region_of(arn),
                quantumTaskArn=arn,
                additionalAttributeNames=["QueueInfo"],
            )
        except BackendError as error:
            if error.details.get("code") == "ResourceNotFoundException":
                return None
            raise

    def find(self, tag: str, since: datetime) -> list[ProviderJob]:
        """Looked for in the account's region first, then in the others: all tasks of one tag are in one region."""
        for region in self._regions():
            found = [task for page in self._pages(since, region) for task in page if tasks.tag_of(task) == tag]
            if found:
                return sorted(map(tasks.job, found), key=lambda job: (str(job.created_at), job.id))
        return []

    def listing(self, since: datetime) -> Iterator[ProviderJob]:
        for region in self._regions():
            for page in self._pages(since, region):
                yield from (tasks.job(task) for task in page if tasks.tag_of(task))

    def statuses(self, ids: Collection[str], since: datetime) -> dict[str, ProviderJob]:
        """One request for every hundred tasks that the account made after `since`, and one for each that failed.

        Once as many pages were read as tasks are left, those are asked for one by one: few among many cost little.
        """
        found: dict[str, ProviderJob] = {}
        for region in sorted({region_of(arn) or "" for arn in ids}):
            left = {arn for arn in ids if (region_of(arn) or "") == region}
            for number, page in enumerate(self._pages(since, region or None), 1):
                for task in page:
                    if task["quantumTaskArn"] in left:
                        left.discard(task["quantumTaskArn"])
                        found[task["quantumTaskArn"]] = tasks.job(task)
                if len(left) <= number:
                    break
            failed = [arn for arn, job in found.items() if job.state is ProviderState.FAILED and not job.message]
            for arn in (*left, *failed):
                answer = self.task(arn)
                found[arn] = tasks.lost(arn) if answer is None else tasks.job(answer)
        return found

    def _regions(self) -> list[str]:
        home = self._session.region
        return [home, *(region for region in REGIONS if region != home)]

    def _pages(self, since: datetime, region: str | None) -> Iterator[list[dict[str, Any]]]:
        """Tasks made after `since` in a region, by pages. One that the account may not use holds none of its tasks."""
        more: dict[str, str] = {}
        while True:
            try:
                page = self._session.call(
                    "search_quantum_tasks",
                    doing="list its tasks",
                    region=region,
                    filters=tasks.made_after(since),
                    maxResults=_PAGE,
                    **more,
                )
            except CredentialsRefused:
                if region in (None, self._session.region):
                    raise
                return
            yield page["quantumTasks"]
            if not page.get("nextToken") or page["nextToken"] == more.get("nextToken"):
                return
            more = {"nextToken": page["nextToken"]}
