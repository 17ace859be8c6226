"""Jobs on the model of a device: which one it is, and whether it can run the circuit."""

from __future__ import annotations

from qtasks.backends.compatibility import problems
from qtasks.backends.protocol import BackendError
from qtasks.circuits.analysis import Analysis
from qtasks.errors import QTasksError
from qtasks.lifecycle import ConditionType, Phase
from qtasks.resources import BackendType
from qtasks.stages.batch import Batch, Item
from qtasks.stages.endings import fail
from qtasks.stages.worker import Worker


def places(worker: Worker, batch: Batch) -> dict[str, str]:
    """Where each job of `batch` runs: `local_simulator`, or the name of the device that `ibm_simulator` models. Ends
    those that no model can run, and leaves them out."""
    found: dict[str, str] = {}
    for job_id, item in batch.items.items():
        if item.spec.backend.type is BackendType.LOCAL_SIMULATOR:
            found[job_id] = BackendType.LOCAL_SIMULATOR.value
            continue
        try:
            found[job_id] = _device(worker, item)
        except QTasksError as error:
            with worker.store.begin() as tx:
                fail(tx, batch.claim, item, error, condition=ConditionType.SCHEDULED)
            worker.notifier.tell({job_id: Phase.FAILED})
    return found


def _device(worker: Worker, item: Item) -> str:
    analysis = Analysis(**dict(item.analysis or {}))
    device = worker.ibm_simulator.device_for(item.spec.backend.name or "", analysis.qubits)
    if why := problems(analysis, item.spec.execution.shots, worker.ibm_simulator.capabilities(device)):
        messages = " ".join(dict.fromkeys(problem.message for problem in why))
        hints = " ".join(dict.fromkeys(problem.hint for problem in why))
        raise BackendError(messages, reason=why[0].reason, hint=hints)
    return device
