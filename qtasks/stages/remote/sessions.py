"""Sessions: opened once at the provider for all jobs that name them, and never left running."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from qtasks.backends.accounts import account_called
from qtasks.backends.protocol import BackendError, ProviderUnavailable, RemoteBackend
from qtasks.config import Account, Plan
from qtasks.errors import Forbidden, InvalidInput, QTasksError
from qtasks.resources import BackendType
from qtasks.resources.session import JobSession
from qtasks.stages.batch import Item
from qtasks.stages.remote.session_visits import age, close, confirm, is_over, note_closed, see_to_sessions
from qtasks.stages.worker import Worker
from qtasks.store import accounts, sessions
from qtasks.store.records import Event, record
from qtasks.store.sessions import CLOSED, CLOSING, DECLARED, OPEN, OPENING, Wish

__all__ = [
    "SessionOpening",
    "account_in_session",
    "device_in_session",
    "found_closed",
    "see_to_sessions",
    "session_for",
    "with_sessions",
]

_OPENING_SECONDS = 60.0
"""After so long whoever is opening a session is taken for dead: the question to the provider may take twenty."""
_TRUSTED_SECONDS = 30.0
"""How long a session is taken for open after the provider took it for open."""


class SessionOpening(ProviderUnavailable):
    """The session of a job is being opened: the job is tried again in some seconds, and no other job need wait."""

    reason = "SessionOpening"
    hint = "The job goes on by itself."


def with_sessions(found: Sequence[Account]) -> list[Account]:
    """Those of some accounts that may hold sessions, at least one. Raises InvalidInput (`SessionsNotOnOpenPlan`)."""
    able = [account for account in found if account.plan is not Plan.OPEN]
    if not able:
        raise InvalidInput(
            "Sessions are not for the open plan: a session charges for wall-clock time while the QPU waits, and would "
            "burn the plan's 10 minutes.",
            reason="SessionsNotOnOpenPlan",
            hint="Leave out spec.session: jobs are submitted one by one. Or name an account of another plan.",
        )
    return able


def account_in_session(worker: Worker, item: Item, choose: Callable[[], Account]) -> Account:
    """The account of a job with a session, which it joins: the session's own, or the one that `choose` finds for both.

    Raises BackendError (`SessionClosed`, `SessionMismatch`), and what `choose` raises.
    """
    session = _named(item)
    with worker.store.read() as tx:
        row = sessions.get(tx, item.job.namespace, session.name)
    own = item.spec.backend.account is not None or item.spec.credentials is not None
    follows = row is not None and row.account is not None and not own
    account = _account_of(worker, item, row) if follows else choose()
    with worker.store.begin() as tx:
        row = sessions.join(tx, _wish(item, session, account))
    if not own and row.account not in (None, account.name):
        account = _account_of(worker, item, row)  # another job was faster
    _agree(session, row, account=account.name, device=item.spec.backend.name)
    return account


def _account_of(worker: Worker, item: Item, row: Any) -> Account:
    """The account that a session is bound to. Raises NotFound (`NoSuchAccount`) or Forbidden (`AccountForbidden`)."""
    account = account_called(worker.config, row.account, item.spec.backend.type.value)
    if not account.serves(item.job.namespace):
        raise Forbidden(
            f"Account {account.name}, under which session {row.name} runs, does not serve namespace {row.namespace}.",
            reason="AccountForbidden",
            hint="Ask whoever keeps QTASKS_CONFIG to add the namespace to the account, or name another session.",
        )
    return account


def device_in_session(worker: Worker, item: Item, choose: Callable[[str | None], str]) -> str:
    """The device of a job, which `choose` is to find: given a name, that one, checked for being fit. The jobs of a
    session share the device of the first."""
    if item.spec.session is None or item.spec.backend.type is not BackendType.IBM_QUANTUM:
        return choose(item.spec.backend.name)
    session, namespace = _named(item), item.job.namespace
    with worker.store.read() as tx:
        row = sessions.get(tx, namespace, session.name)
    bound = None if row is None else row.device
    device = choose(item.spec.backend.name or bound)
    with worker.store.begin() as tx:
        bound = sessions.bind_device(tx, namespace, session.name, device)
    return device if bound == device or item.spec.backend.name is not None else choose(bound)


def session_for(worker: Worker, item: Item, account: Account, backend: RemoteBackend, device: str) -> str | None:
    """The provider's id of the session that a job runs in, opened where it is not; None for a job without one.

    Raises SessionOpening while somebody else opens it, and BackendError: `SessionClosed` when its user deleted it,
    `SessionMismatch` when the job asks for what the session is not, `SessionsUnsupported`.
    """
    if item.spec.session is None or account.provider is not BackendType.IBM_QUANTUM:
        return None
    session, job = _named(item), item.job
    for _ in range(4):
        with worker.store.begin() as tx:
            row = sessions.join(tx, _wish(item, session, account))
            _agree(session, row, account=account.name, device=device)
            if _is_fresh(row):
                sessions.let_in(tx, row, job.id, job.attempt)
                return str(row.provider_session_id)
            if _may_be_opened(row):
                sessions.take(
                    tx, row.namespace, row.name, device=device, owner=worker.owner, lease_seconds=_OPENING_SECONDS
                )
        if row.state == OPEN and not is_over(row):
            confirm(worker, backend, row)
        elif row.state in (OPEN, CLOSING):
            close(worker, backend, row, "It was open for as long as it may be.")
        elif _may_be_opened(row):
            _open(worker, item, row, backend, device)
        else:
            break
    raise SessionOpening(f"Session {session.name} is just being opened by another worker.")


def found_closed(worker: Worker, item: Item, provider_session_id: str) -> SessionOpening:
    """Note that the provider refused a job because its session is closed; returns the error with which the job waits
    until it is opened anew."""
    session = _named(item)
    with worker.store.read() as tx:
        row = sessions.get(tx, item.job.namespace, session.name)
    if row is not None and row.provider_session_id == provider_session_id:
        note_closed(worker, row, "The provider had closed it.")
    return SessionOpening(f"Session {session.name} was closed by the provider, and is opened anew.")


def _open(worker: Worker, item: Item, row: Any, backend: RemoteBackend, device: str) -> None:
    """Open the session that this process has taken."""
    where = {"namespace": row.namespace, "name": row.name, "owner": worker.owner}
    try:
        # An opened session of which nobody knows cannot be found again: it ends by itself, after this time at most.
        made = backend.open_session(device, mode=row.mode, max_seconds=row.max_seconds)
    except QTasksError as error:
        message = error.message

        def release(tx: Any) -> None:
            sessions.not_opened(tx, message=message, **where)

        worker.store.insist(release, seconds=300)
        raise

    def commit(tx: Any) -> Any:
        opened = sessions.opened(tx, provider_session_id=made, **where)
        if opened is not None:
            message = f"Session {row.name} was opened on {device} as {made}."
            record(tx, [item.job.id], Event("SessionOpened", message), source=worker.owner)
            # Also when this process dies at once, somebody is to look whether the session is used.
            accounts.wake(tx, [opened.account], in_seconds=worker.settings.poll_seconds)
        return opened

    if worker.store.insist(commit, seconds=300) is None:
        backend.close_session(made)


def _named(item: Item) -> JobSession:
    assert item.spec.session is not None, "the job has a session"
    return item.spec.session


def _wish(item: Item, session: JobSession, account: Account) -> Wish:
    return Wish(
        item.job.namespace,
        session.name,
        item.job.id,
        account.name,
        mode=None if session.mode is None else session.mode.value,
        max_seconds=None if session.max_time is None else sessions.seconds_of(session.max_time.written),
    )


def _agree(session: JobSession, row: Any, *, account: str, device: str | None) -> None:
    """Raises BackendError for a session that was deleted, or is not what the job asks for."""
    if row.deleted_at is not None:
        raise BackendError(
            f"Session {row.name} was deleted at {row.deleted_at:%Y-%m-%d %H:%M} UTC.",
            reason="SessionClosed",
            hint="Name another session, or apply a QiskitSession of this name to have it back.",
        )
    asked = {"account": account, "device": device, "mode": None if session.mode is None else session.mode.value}
    for what, wanted in asked.items():
        there = getattr(row, what)
        if wanted is not None and there is not None and wanted != there:
            raise BackendError(
                f"Session {row.name} has {what} {there}, and the job asks for {wanted}.",
                reason="SessionMismatch",
                hint="Leave that to the session, or name another one.",
            )


def _is_fresh(row: Any) -> bool:
    return row.state == OPEN and not is_over(row) and age(row, row.seen_at) < _TRUSTED_SECONDS


def _may_be_opened(row: Any) -> bool:
    lapsed = row.state == OPENING and row.lease_until < row.now
    return row.state in (DECLARED, CLOSED) or lapsed
