"""Which account each job of a file runs under, where the jobs leave it open. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import cycle

from qtasks.client.accounts import Known
from qtasks.config import REMOTE, Account
from qtasks.errors import Conflict, InvalidInput
from qtasks.resources import BackendType, QiskitJob

Serving = Callable[[str], Sequence[Known]]
"""The accounts that serve a namespace."""


def spread(
    jobs: Iterable[QiskitJob],
    serving: Serving,
    *,
    namespace: Callable[[QiskitJob], str],
    given: Mapping[tuple[str, str], str],
) -> list[QiskitJob]:
    """The jobs, those at a provider in turn over the accounts of their provider, that with most left first.

    A job that names an account or a secret keeps it, and one in a session its session's. `given`: the accounts, by
    namespace and name, of jobs that were submitted before: they keep theirs, so that applying a file again changes
    nothing. Accounts whose allowance is used up get none while others have some.
    """
    turns: dict[tuple[str, BackendType], Iterator[Account]] = {}
    spread = []
    for job in jobs:
        provider, where = job.spec.backend.type, namespace(job)
        if not _open(job):
            spread.append(job)
            continue
        if (where, provider) not in turns:
            turns[where, provider] = cycle(_in_order(serving(where), provider, where))
        before = given.get((where, job.metadata.name or ""))
        spread.append(under(job, before if before is not None else next(turns[where, provider]).name))
    return spread


def _open(job: QiskitJob) -> bool:
    """Whether the job runs at a provider and leaves it to others under which account."""
    spec = job.spec
    return spec.backend.type in REMOTE and not (spec.backend.account or spec.credentials or spec.session)


def _in_order(known: Sequence[Known], provider: BackendType, namespace: str) -> list[Account]:
    theirs = [one for one in known if one.account.provider is provider]
    if not theirs:
        raise InvalidInput(
            f"No account for {provider.value} serves namespace {namespace}.",
            reason="NoAccount",
            hint="Name one in QTASKS_CONFIG.",
        )
    able = [one for one in theirs if not one.stands.exhausted] or theirs
    return [one.account for one in sorted(able, key=_left, reverse=True)]


def _left(one: Known) -> float:
    remaining = one.stands.remaining_seconds
    return float("inf") if remaining is None else remaining


def under(job: QiskitJob, account: str) -> QiskitJob:
    """The job under an account, all else being as it was."""
    backend = job.spec.backend.model_copy(update={"account": account})
    return job.model_copy(update={"spec": job.spec.model_copy(update={"backend": backend})})


def assigned(job: QiskitJob, account: Account) -> QiskitJob:
    """The job under the account that `--api-key-index` names. Raises InvalidInput (`WrongProvider`), or Conflict
    (`AccountGiven`) for a job that names another."""
    backend = job.spec.backend
    if backend.type is not account.provider:
        raise InvalidInput(
            f"Account {account.name} is one of {account.provider.value}, and job {job.metadata.name or '(unnamed)'} "
            f"runs at {backend.type.value}.",
            reason="WrongProvider",
            hint="Choose an account of that provider, or leave out --api-key-index.",
        )
    if backend.account not in (None, account.name) or job.spec.credentials is not None:
        own = backend.account or "its own secret"
        raise Conflict(
            f"Job {job.metadata.name or '(unnamed)'} runs under {own}, not under {account.name}.",
            reason="AccountGiven",
            hint="Leave out --api-key-index, or the job's own account.",
        )
    return under(job, account.name)
