"""Checking circuits: what is known of them already, and what the sandbox says of the others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from qtasks.circuits import pubs
from qtasks.circuits.formats import PYTHON
from qtasks.circuits.pubs.analyses import whole
from qtasks.circuits.pubs.portions import portions
from qtasks.circuits.pubs.prepared import Prepared, dump
from qtasks.circuits.pubs.preparing import prepare
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
    prepared: Prepared | None = None
    """Of a job of several circuits, what is run."""

    @property
    def checked(self) -> Checked:
        """The answer to a good circuit; raises InvalidInput for another."""
        if isinstance(self.answer, Rejected):
            raise _refusal(self.answer)
        return self.answer


def check(worker: Worker, batch: Batch) -> dict[str, Verdict]:
    """The verdict on each circuit of `batch`; those with the same time limit are checked together."""
    by_limit: dict[float, list[Source]] = defaultdict(list)
    namespace = batch.claim.jobs[0].namespace
    verdicts: dict[str, Verdict] = {}
    for item in batch.items.values():
        if item.several:
            verdicts[item.job.id] = _check_several(worker, namespace, item)
        else:
            by_limit[item.spec.timeouts.validation.seconds].append(_source(item, worker))
    for seconds, sources in by_limit.items():
        verdicts |= _check(worker, namespace, sources, _limits(worker, seconds))
    return verdicts


def _limits(worker: Worker, seconds: float) -> Limits:
    return Limits(wall_seconds=seconds, memory_bytes=Quantity(worker.settings.sandbox_memory).bytes)


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


def _check_several(worker: Worker, namespace: str, item: Item) -> Verdict:
    """The verdict on a job of several circuits: on the first that is wrong, or on all of them."""
    execution = item.spec.execution

    def check(sources: Sequence[Source]) -> Iterator[Checked | Rejected]:
        for some, seconds in portions(sources, item.spec.timeouts.validation.seconds):
            found = _check(worker, namespace, some, _limits(worker, seconds))
            yield from (found[source.id].answer for source in some)

    try:
        data, program = input_of(item, worker.objects), item.spec.program.value
        container = pubs.parse(data, program=program, shots=execution.shots)
        found, fingerprint = prepare(container, check, method=execution.method.value)
    except InvalidInput as error:
        return Verdict(Rejected(item.job.id, error.reason, error.message, error.hint, **error.details))
    analysis = whole([found.analysis(run) for run in found.runs()])
    return Verdict(Checked(item.job.id, dump(found), analysis, fingerprint), prepared=found)


def _refusal(answer: Rejected) -> InvalidInput:
    place = f" (line {answer.line}" if answer.line else ""
    if place and answer.column is not None:
        place += f", column {answer.column}"
    where = f"{place})" if place else ""
    quoted = f": `{answer.text.strip()}`." if answer.text else "."
    return InvalidInput(f"{answer.message.rstrip('.')}{where}{quoted}", reason=answer.reason, hint=answer.hint)
