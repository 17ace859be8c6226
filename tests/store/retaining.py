"""A worker that removes what is kept no longer, and jobs that ended long ago with objects of their own."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from qtasks.lifecycle import Phase, Queue, Stage
from qtasks.objects import keys
from qtasks.settings import Settings
from qtasks.stages.orphans import sweep
from qtasks.stages.retention import delete_objects, retain
from qtasks.stages.worker import Identity, Worker
from qtasks.store import moves
from qtasks.store.ids import new_id
from qtasks.store.tables import jobs, results
from qtasks.store.tables import retention as progress
from qtasks.store.types import moment
from tests.store.acting import Acting, circuit_row

DAY = 86_400.0


@dataclass
class Archive:
    worker: Worker

    @classmethod
    def open(cls, database_url: str, folder: Path, **values: Any) -> Archive:
        settings = Settings(home=folder / "home", database_url=database_url, **values)
        settings.home_path.mkdir(exist_ok=True)
        return cls(Worker.open(settings, Identity.of(settings, "archive", [Queue.POLLING], settings.home_path)))

    @property
    def acting(self) -> Acting:
        return Acting(self.worker.store)

    @property
    def home(self) -> Path:
        return self.worker.settings.home_path

    def configure(self, text: str) -> None:
        (self.home / "config.yaml").write_text(text)

    def final(
        self, days: float = 0.0, phase: Phase = Phase.COMPLETED, *, result: str | None = None, **changes: Any
    ) -> str:
        """A job that ended `days` ago, with its circuit and its result in objects; `result`: the key of the latter."""
        job_id = new_id()
        namespace = changes.get("namespace", "default")
        input_key = keys.completed_input(namespace, job_id, "qasm2")
        self.acting.waiting_at(
            Stage.EXECUTION, id=job_id, name=f"job-{job_id}", object_key=input_key, data=None, **changes
        )
        claim = self.acting.claim(Stage.EXECUTION)
        circuit_key = keys.completed_circuit(namespace, job_id)
        key = result or keys.result(namespace, job_id, claim.fence)
        for each in (input_key, circuit_key, *([key] if phase is Phase.COMPLETED else [])):
            self.worker.objects.put(each, b"0123456789")
        with self.worker.store.begin() as tx:
            moves.keep_circuits(tx, [circuit_row(job_id, qpy=None, object_key=circuit_key)])
        self.acting.finish(claim, phase)
        self.set(job_id, finished_at=moment(-days * DAY), aftercare=False)
        with self.worker.store.begin() as tx:
            tx.execute(update(results).where(results.c.job_id == job_id).values(object_key=key))
        return job_id

    def cancelled(self, seconds: float, **changes: Any) -> str:
        """A job that was cancelled so many seconds ago."""
        job_id = self.acting.submitted(**changes)
        self.acting.cancel(job_id)
        self.set(job_id, finished_at=moment(-seconds), aftercare=False)
        return job_id

    def set(self, job_id: str, **values: Any) -> None:
        with self.worker.store.begin() as tx:
            tx.execute(update(jobs).where(jobs.c.id == job_id).values(**values))

    def do(self, write: Callable[[Any], Any]) -> Any:
        with self.worker.store.begin() as tx:
            return write(tx)

    def retain(self, **options: Any) -> Counter[str]:
        return retain(self.worker, **options)

    def sweep(self, *, older_than: float = DAY, seconds: float = 30.0) -> int:
        """A pass through the store, however long ago the last one was."""
        self.do(lambda tx: tx.execute(update(progress).where(progress.c.task == "sweep").values(at=moment(-2 * DAY))))
        return sweep(
            self.worker,
            until=time.monotonic() + seconds,
            delete=lambda found: delete_objects(self.worker, found),
            older_than=older_than,
        )

    def born(self, days_ago: float) -> None:
        self.do(
            lambda tx: tx.execute(update(progress).where(progress.c.task == "born").values(at=moment(-days_ago * DAY)))
        )

    def age(self, key: str, days: float) -> None:
        """Have an object in a folder be written `days` ago."""
        path = self.home / "objects" / key
        os.utime(path, (time.time() - days * DAY,) * 2)

    def there(self) -> set[str]:
        """The jobs that there are."""
        return set(self.do(lambda tx: tx.execute(select(jobs.c.id)).scalars().all()))

    def objects(self, prefix: str = "") -> list[str]:
        return [key for key in self.worker.objects.list(prefix) if not key.startswith(keys.INSTALLATIONS)]
