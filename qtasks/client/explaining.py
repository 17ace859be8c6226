"""Why a job runs where it runs, and what one would cost: the table of a choice, after it and before submitting."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from qtasks.circuits import binding, formats
from qtasks.circuits.analysis import analyse
from qtasks.circuits.fingerprint import fingerprint
from qtasks.client.accounts import known
from qtasks.client.backends import accuracy_document
from qtasks.client.submission import from_resource, is_resource, jobs_of, read_circuit
from qtasks.config import Account
from qtasks.costs.prices import PriceList
from qtasks.errors import InvalidInput, NotFound
from qtasks.resources import QiskitJob
from qtasks.scheduling import explanation
from qtasks.scheduling.candidates import AccountFacts, job_facts
from qtasks.scheduling.choosing import Chooser
from qtasks.scheduling.registrations import eligible, registrations, with_accounts
from qtasks.scheduling.selection import Selection
from qtasks.store import decisions, jobs, registered

if TYPE_CHECKING:
    from qtasks.client.client import Client


def explain(client: Client, job_id: str) -> dict[str, Any]:
    """What was decided about a job, for its latest attempt: `selection` (see `scheduling.explanation.as_data`) and the
    same as `columns` and `rows` of text; `earlier` selections; `estimates`, how wrong past ones of its namespace were.

    Raises NotFound (`JobNotFound`, `NothingChosen`).
    """
    with client._store.read() as tx:
        job = jobs.get(tx, job_id)
        found = decisions.of_job(tx, job_id)
        accuracy = decisions.accuracy(tx, namespace=job.namespace)
    if not found:
        raise NotFound(
            f"Nothing was chosen for job {job.name}: it "
            + (f"runs on {job.backend}." if job.backend else "has not been scheduled."),
            reason="NothingChosen",
            hint="Give it spec.backendSelection, or a backend.type of a provider, to have its backend chosen.",
        )
    last = found[-1]
    return {
        "job": {"id": job.id, "name": job.name, "namespace": job.namespace, "attempt": last.attempt},
        **shown(last.selection),
        "earlier": [{"attempt": row.attempt, "selection": row.selection} for row in found[:-1]],
        "estimates": accuracy_document(accuracy),
    }


def shown(data: Any) -> dict[str, Any]:
    """The data of a selection, with its table."""
    return {"selection": data, "columns": list(explanation.COLUMNS), "rows": explanation.table(data)}


def estimate(
    client: Client,
    what: Any,
    *,
    namespace: str | None = None,
    prices: PriceList | None = None,
    simulator_rate: Decimal = Decimal(0),
    **options: Any,
) -> list[dict[str, Any]]:
    """What jobs would run on, and cost, if they were submitted now: a document for each, as `explain` gives it.

    `what` and `options` are those of `Client.submit`. The circuits are read in this process, so they should be one's
    own. Raises InvalidInput (`SourceMustRun`): what a Python source gives is known when the sandbox has run it, and
    what lies elsewhere when it has been fetched.
    """
    return [
        {"job": {"name": job.metadata.name, "namespace": where}, **shown(explanation.as_data(found))}
        for job, where, found in (
            _estimated(client, job, data, namespace, prices, simulator_rate)
            for job, data in _jobs(client, what, options)
        )
    ]


def _jobs(client: Client, what: Any, options: dict[str, Any]) -> Sequence[tuple[QiskitJob, tuple[str | None, Any]]]:
    if is_resource(what):
        found = [(job, from_resource(job, client._settings)) for job in jobs_of(what)]
        return [(job, (submission.format, submission.data)) for job, submission in found]
    backend = options.pop("backend", None)
    name, labels = options.pop("name", None), options.pop("labels", None)
    return [(client._template(name, labels, backend, options).job, read_circuit(what))]


def _estimated(
    client: Client,
    job: QiskitJob,
    given: tuple[str | None, Any],
    namespace: str | None,
    prices: PriceList | None,
    rate: Decimal,
) -> tuple[QiskitJob, str, Selection]:
    where = namespace or (job.metadata.namespace if "namespace" in job.metadata.model_fields_set else client.namespace)
    circuit = _circuit(job, *given)
    config, embedded = client._config, client._settings.embedded
    with client._store.read() as tx:
        resources = [row.resource for row in registered.walk(tx, where)]
    by_hand = registrations(resources, config, namespace=where, embedded=embedded)
    facts = job_facts(
        job.spec,
        namespace=where,
        fingerprint=fingerprint(circuit),
        analysis=analyse(circuit),
        with_accounts=with_accounts(config, where),
        budgeted=job.spec.budget is not None,
    )
    accounts = eligible(config, job.spec, by_hand, namespace=where, embedded=embedded)
    chooser = Chooser(client._store, devices=config.backends, prices=prices, simulator_rate=rate)
    stand = _standing(client, where, accounts)
    return job, where, chooser.choose(facts, stand, lambda: formats.dump(circuit), registered=by_hand)


def _circuit(job: QiskitJob, form: str | None, data: Any) -> Any:
    if data is None or form == formats.PYTHON:
        raise InvalidInput(
            "What the circuit is will be known when it has been "
            + ("fetched." if data is None else "run in the sandbox."),
            reason="SourceMustRun",
            hint="Give OpenQASM or QPY, or submit the job: a budget (spec.budget) holds it back if it is too dear.",
        )
    circuit = formats.read(data, str(form))
    return binding.bind(circuit, job.spec.execution.parameters)


def _standing(client: Client, namespace: str, accounts: Sequence[Account]) -> list[AccountFacts]:
    stand = {one.account.name: one for one in known(client, namespace)}
    found = []
    for account in accounts:
        one = stand.get(account.name)
        left = frees = None
        if one is not None:
            left = one.stands.remaining_seconds
            if one.stands.frees_at is not None and one.row is not None:
                frees = max(0.0, (one.stands.frees_at - one.row.now).total_seconds())
        waiting = 0 if one is None else one.load.parked + one.load.open
        found.append(AccountFacts(account.name, account.provider, account.plan.value, left, frees, waiting))
    return found
