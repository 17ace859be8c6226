"""The Celery application that workers, beat and Flower run: `celery -A workers.app …`."""

from __future__ import annotations

from beat_schedule import schedule
from qtasks.queue import celery_app
from qtasks.settings import settings

app = celery_app(settings().broker)
app.set_current()
app.conf.include = [
    "workers.broker",
    "workers.process",
    "workers.stopping",
    "workers.heart",
    "workers.validation",
    "workers.scheduling",
    "workers.execution",
    "workers.polling",
]
app.conf.beat_schedule = schedule(settings())
