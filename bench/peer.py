"""The peer: the Celery application that a user would write in an afternoon, and Celery's bare no-op task.

`celery -A bench.peer worker -c 2`, on the Redis that PEER_BROKER names.
"""

from __future__ import annotations

import json
import os

import redis
from celery import Celery
from qiskit import qasm2, transpile
from qiskit_aer import AerSimulator

BROKER = os.environ.get("PEER_BROKER", "redis://127.0.0.1:6379/1")

app = Celery("peer", broker=BROKER)
app.conf.update(task_acks_late=True, task_ignore_result=True, result_backend=None, task_default_queue="peer")
store = redis.Redis.from_url(BROKER)


@app.task
def run(job_id: str, text: str) -> None:
    """Run a circuit and store its counts."""
    simulator = AerSimulator()
    circuit = transpile(qasm2.loads(text), simulator)
    counts = simulator.run(circuit, shots=1024).result().get_counts()
    store.hset("counts", job_id, json.dumps(counts))


@app.task
def nothing() -> None:
    """Do nothing: what Celery itself costs."""
