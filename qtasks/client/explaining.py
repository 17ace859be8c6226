"""Why a job runs where it runs, and what one would cost: the table of a choice, after it and before submitting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qtasks.circuits import binding, formats
from qtasks.circuits.analysis import analyse
from qtasks.circuits.fingerprint import fingerprint
from qtasks.client.accounts import known
from qtasks.client.backends import accuracy_document
from qtasks.client.submission import Submission
from qtasks.config import Account
from qtasks.errors import InvalidInput, NotFound
from qtasks.scheduling import explanation
from qtasks.scheduling.candidates import AccountFacts, job_facts
from qtasks.scheduling.choosing import Chooser
from qtasks.scheduling.registrations import eligible, registrations, with_accounts
from qtasks.store import decisions, jobs, registered

if TYPE_CHECKING:
    from qtasks.client.direct import Direct


def explain(direct: Direct, job_id: str) -> dict[str, Any]:
    """What was decided about a job, for its latest attempt: `selection` (see `scheduling.explanation.as_data`) and the
    same as `columns` and `rows` of text; `earlier` selections; `estimates`, how wrong past ones of its namespace were.

    Raises NotFound (`JobNotFound`, `NothingChosen`).
    """
    with direct.store.read() as tx:
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


def estimate(direct: Direct, submission: Submission, namespace: str) -> dict[str, Any]:
    """What a job of `namespace` would run on, and cost, if it were submitted now, as `explain` gives it.

    The circuit is read in this process, so it should be the caller's own, or small. Raises InvalidInput
    (`SeveralCircuits`, `SourceMustRun`): what a Python source gives is known when the sandbox has run it, and what lies
    elsewhere when it has been fetched.
    """
    job, circuit = submission.template.job, _circuit(submission)
    config, embedded = direct.installation.config, direct.settings.embedded
    with direct.store.read() as tx:
        resources = [row.resource for row in registered.walk(tx, namespace)]
    by_hand = registrations(resources, config, namespace=namespace, embedded=embedded)
    facts = job_facts(
        job.spec,
        namespace=namespace,
        fingerprint=fingerprint(circuit),
        analysis=analyse(circuit),
        with_accounts=with_accounts(config, namespace),
        budgeted=job.spec.budget is not None,
    )
    accounts = eligible(config, job.spec, by_hand, namespace=namespace, embedded=embedded)
    chooser = Chooser(
        direct.store,
        devices=config.backends,
        prices=direct.installation.prices,
        simulator_rate=direct.settings.simulator_rate,
    )
    stand = _standing(direct, namespace, accounts)
    found = chooser.choose(facts, stand, lambda: formats.dump(circuit), registered=by_hand)
    return {"job": {"name": job.metadata.name, "namespace": namespace}, **shown(explanation.as_data(found))}


def _circuit(submission: Submission) -> Any:
    if submission.format == formats.PUBS:
        raise InvalidInput(
            "An estimate is of one circuit, and this job has several.",
            reason="SeveralCircuits",
            hint="Estimate them one by one, or submit the job: a budget (spec.budget) holds it back if it is too dear.",
        )
    data, form = submission.data, submission.format
    if data is None or form == formats.PYTHON:
        raise InvalidInput(
            "What the circuit is will be known when it has been "
            + ("fetched." if data is None else "run in the sandbox."),
            reason="SourceMustRun",
            hint="Give OpenQASM or QPY, or submit the job: a budget (spec.budget) holds it back if it is too dear.",
        )
    circuit = formats.read(data, str(form))
    return binding.bind(circuit, submission.template.job.spec.execution.parameters)


def _standing(direct: Direct, namespace: str, accounts: Sequence[Account]) -> list[AccountFacts]:
    stand = {one.account.name: one for one in known(direct, namespace)}
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
