"""Beat's clock, which says of itself that it ticks: `/metrics`, `/healthz` and `/readyz`, as workers have them."""

from __future__ import annotations

from typing import Any

from celery import beat

from qtasks.settings import Settings, settings
from qtasks.stages import answering
from qtasks.telemetry import exposition, metric, metrics, probes, serving
from qtasks.telemetry.probes import OK, Answer, Progress


class Scheduler(beat.Scheduler):  # type: ignore[misc]
    """Celery's scheduler in memory: every entry is due again from the start, and each bears being run twice."""

    _signs: Signs | None = None

    def setup_schedule(self) -> None:
        super().setup_schedule()
        if settings().metrics_port:
            self._signs = Signs(settings())
            self._signs.serve()

    def tick(self, *arguments: Any, **options: Any) -> float:
        """One look at the table; the seconds until the next."""
        wait: float = super().tick(*arguments, **options)
        if self._signs is not None:
            self._signs.ticked(wait)
        return wait

    def apply_async(self, entry: Any, *arguments: Any, **options: Any) -> Any:
        outcome = "failed"
        try:
            sent = super().apply_async(entry, *arguments, **options)
            outcome = "sent"
        finally:
            metrics.BEAT_SENT.count(task=entry.task, outcome=outcome)
        return sent


class Signs:
    """What beat's thread notes, and those read that answer probes."""

    def __init__(self, config: Settings) -> None:
        self._config = config
        self._tick = Progress()
        self._wait = 0.0
        self._broker = answering.broker(config.broker)

    def serve(self) -> int | None:
        """Answer at QTASKS_METRICS_PORT, and count; returns the port, None where nothing can listen there."""
        metric.switch_on()
        pages = {"/metrics": serving.metrics_page(self.readings), "/healthz": self.healthz, "/readyz": self.readyz}
        return serving.serve(self._config, pages)

    def ticked(self, wait: float) -> None:
        """It looked at its table, and looks again in `wait` seconds."""
        self._wait = max(0.0, wait)
        self._tick.move()

    def healthz(self) -> Answer:
        """Whether it ticks. While the broker is away it tries to reach it, and does nothing else."""
        said = OK
        if self._tick.late(self._config.probe_seconds + self._wait):
            if self._broker() == OK:
                said = f"no tick for {self._tick.age:.0f} s"
            else:
                self._tick.excuse()
        return probes.told({"tick": said})

    def readyz(self) -> Answer:
        """Whether its messages arrive."""
        return probes.told({"broker": self._broker()})

    def readings(self) -> list[exposition.Reading]:
        """The gauges of this moment."""
        return [(metrics.BEAT_TICK_AGE, [({}, self._tick.age)])]
