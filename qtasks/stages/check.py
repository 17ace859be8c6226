"""Checking circuits: what is known of them already, and what the sandbox says of the others."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from qtasks.circuits.formats import PYTHON
from qtasks.circuits.sandbox import Checked, Limits, Rejected, Source
from qtasks.errors import InvalidInput
from qtasks.resources import Quantity
from qtasks.stages.batch import Batch, Item, input_of
from qtasks.stages.worker import Worker

_CACHED_TOGETHER = 16
"""Circuits of a claim up to which the cache is asked. More of them share a child and cost a third of a millisecond
each; a hundred that are new would cost each job a hundredth of its whole way to look up and to keep."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of one circuit."""

    answer: Checked | Rejected
    not_run: bool = False
    """The answer is from the cache, and the Python source was not run for it."""

    @property
    def checked(self) -> Checked:
        """The answer to a good circuit; raises InvalidInput for another."""
        if isinstance(self.answer, Rejected):
            raise _refusal(self.answer)
        return self.answer


def check(worker: Worker, batch: Batch) -> dict[str, Verdict]:
    """The verdict on each circuit of `batch`; those with the same time limit are checked together."""
    by_limit: dict[float, list[Source]] = defaultdict(list)
    for item in batch.items.values():
        by_limit[item.spec.timeouts.validation.seconds].append(_source(item, worker))
    namespace = batch.claim.jobs[0].namespace
    verdicts: dict[str, Verdict] = {}
    for seconds, sources in by_limit.items():
        limits = Limits(wall_seconds=seconds, memory_bytes=Quantity(worker.settings.sandbox_memory).bytes)
        verdicts |= _check(worker, namespace, sources, limits)
    return verdicts


def _source(item: Item, worker: Worker) -> Source:
    parameters = {name: float(value) for name, value in item.spec.execution.parameters.items()}
    return Source(item.job.id, item.format, input_of(item, worker.objects), parameters or None)


def _check(worker: Worker, namespace: str, sources: list[Source], limits: Limits) -> dict[str, Verdict]:
    assert worker.sandbox is not None, "a worker that consumes validation has a sandbox"
    cache = worker.validation_cache
    if not cache.on or len(sources) > _CACHED_TOGETHER:
        return {answer.id: Verdict(answer) for answer in worker.sandbox.check(sources, limits)}
    seal = cache.seal(namespace, limits)
    known = cache.look(seal, sources)
    new = [source for source in sources if source.id not in known]
    answers = {answer.id: answer for answer in worker.sandbox.check(new, limits)} if new else {}
    cache.keep(seal, new, answers)
    python = {source.id for source in sources if source.format == PYTHON}
    return {
        **{job_id: Verdict(answer, not_run=job_id in python) for job_id, answer in known.items()},
        **{job_id: Verdict(answer) for job_id, answer in answers.items()},
    }


def _refusal(answer: Rejected) -> InvalidInput:
    place = f" (line {answer.line}" if answer.line else ""
    if place and answer.column is not None:
        place += f", column {answer.column}"
    where = f"{place})" if place else ""
    quoted = f": `{answer.text.strip()}`." if answer.text else "."
    return InvalidInput(f"{answer.message.rstrip('.')}{where}{quoted}", reason=answer.reason, hint=answer.hint)
