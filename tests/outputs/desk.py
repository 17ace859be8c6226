"""A worker at a desk: jobs that are Completed, and what becomes of their outputs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import update

from qtasks.circuits.formats import dump
from qtasks.lifecycle import Queue, Stage
from qtasks.results import JobResult, encode
from qtasks.settings import Settings
from qtasks.stages.aftercare import see_to
from qtasks.stages.delivery import SECONDS, deliver_once
from qtasks.stages.worker import Identity, Worker
from qtasks.store import moves, outputs, records
from qtasks.store.records import PastEvent
from qtasks.store.tables import outputs as table
from qtasks.store.tables import results
from qtasks.store.types import moment
from tests.store.acting import Acting, circuit_row
from tests.unit.results.examples import BELL


@dataclass
class Desk:
    worker: Worker

    @classmethod
    def open(cls, settings: Settings) -> Desk:
        identity = Identity.of(settings, "desk", [Queue.POLLING], settings.home_path)
        return cls(Worker.open(settings, identity))

    @property
    def settings(self) -> Settings:
        return self.worker.settings

    def secret(self, name: str, **values: str) -> None:
        """Write a secret of namespace default; a key's dashes are underscores here."""
        write_secret(self.settings, name, **values)

    def completed(
        self, output: Mapping[str, Any], result: JobResult = BELL, circuit: Any = None, **changes: Any
    ) -> str:
        """A Completed job with this output; returns its id."""
        acting = Acting(self.worker.store)
        spec = {
            "backend": {"type": "local_simulator"},
            "circuit": {"source": "inline"},
            "execution": {"shots": 1024},
            "output": dict(output),
        }
        job_id = acting.waiting_at(Stage.EXECUTION, resource={"spec": spec}, **changes)
        claim = acting.claim(Stage.EXECUTION)
        data = encode(replace(result, job_id=job_id))
        key = f"completed/default/{job_id}/result.json"
        self.worker.objects.put(key, data)
        acting.finish(claim)
        with self.worker.store.begin() as tx:
            values = {"object_key": key, "length": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            tx.execute(update(results).where(results.c.job_id == job_id).values(**values))
            if circuit is not None:
                moves.keep_circuits(tx, [circuit_row(job_id, qpy=dump(circuit))])
        return job_id

    def see_to(self, job_id: str) -> None:
        see_to(self.worker, job_id)

    def due(self) -> None:
        """Let what waits for its next try be due."""
        with self.worker.store.begin() as tx:
            tx.execute(update(table).values(due_at=moment(-1)))

    def try_again(self, seconds: float = SECONDS) -> None:
        self.due()
        with self.worker.store.begin() as tx:
            attempt = outputs.take(tx, lease_seconds=60)
        assert attempt is not None, "nothing is due"
        deliver_once(self.worker, attempt, seconds=seconds)

    def again(self, job_id: str) -> None:
        with self.worker.store.begin() as tx:
            outputs.again(tx, job_id, source="client/1")

    def condition(self, job_id: str) -> tuple[str, str, str]:
        """Status, reason and message of OutputDelivered."""
        with self.worker.store.read() as tx:
            [found] = [k.condition for k in records.conditions_of(tx, [job_id])[job_id]]
        return found.status.value, found.reason, found.message

    def events(self, job_id: str) -> list[PastEvent]:
        """The events since the job was Completed."""
        with self.worker.store.read() as tx:
            found = [event for _, event in records.events_of(tx, job_id)]
        ended = next(n for n, event in enumerate(found) if event.reason == "Completed")
        return found[ended + 1 :]

    def state(self, job_id: str) -> str | None:
        with self.worker.store.read() as tx:
            return tx.execute(table.select().where(table.c.job_id == job_id)).one().state


def settings_in(folder: Path, **values: Any) -> Settings:
    return Settings(home=folder / "home", source_hosts="127.0.0.1", source_http=True, **values)


def write_secret(settings: Settings, name: str, **values: str) -> None:
    folder = settings.secrets / "default" / name
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for key, value in values.items():
        (folder / key.replace("_", "-").replace("-json", ".json")).write_text(value + "\n")
