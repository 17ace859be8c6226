"""Sessions as their users see them: declared by a QiskitSession or by the first job that names them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from qtasks.access import Verb
from qtasks.backends.accounts import accounts_for
from qtasks.client.namespaces import namespace_of
from qtasks.config import Config
from qtasks.errors import Conflict, InvalidInput, NotFound
from qtasks.resources import BackendType, QiskitSession
from qtasks.resources import dump as dump_resource
from qtasks.results import timestamp
from qtasks.store import accounts
from qtasks.store import sessions as store
from qtasks.store.sessions import ACTIVE, CLOSED

if TYPE_CHECKING:
    from qtasks.client.direct import Direct

_API_VERSION = "quantum.io/v1"


def apply_session(direct: Direct, resource: QiskitSession, namespace: str | None = None) -> str:
    """Declare a session, which its first job opens; `created`, or `unchanged` when it is there with the same spec.

    `namespace` overrides the resource's own. Raises InvalidInput (`NameMissing`, `SessionsNotOnOpenPlan`, and what is
    wrong with its account), Conflict (`SessionExists`, `SessionClosing`) or Forbidden.
    """
    name = resource.metadata.name
    if name is None:
        raise InvalidInput("A QiskitSession needs metadata.name.", reason="NameMissing", hint="Jobs name it by that.")
    where = namespace_of(resource.metadata, namespace)
    direct.guard.may(Verb.APPLY_SESSION, where, name, again=True)
    document = dump_resource(resource)
    spec = resource.spec
    account = _account(direct, resource, where)
    values = {
        "resource": document,
        "account": account,
        "device": spec.backend.name,
        "mode": spec.mode.value,
        "max_seconds": store.seconds_of(None if spec.max_time is None else spec.max_time.written),
    }
    with direct.store.begin() as tx:
        there = store.get(tx, where, name, lock=True)
        if there is not None and there.deleted_at is None and there.resource is not None:
            if there.resource["spec"] == document["spec"]:
                return "unchanged"
            raise Conflict(
                f"Session {name} exists in namespace {where} with another spec.",
                reason="SessionExists",
                hint="Delete it first, or use another name: a session's spec never changes.",
            )
        if there is not None and there.state in ACTIVE:
            raise Conflict(
                f"A session {name} of namespace {where} is not closed yet.",
                reason="SessionClosing" if there.deleted_at is not None else "SessionExists",
                hint="Apply it again when `qtasks get sessions` shows it as closed, or use another name.",
            )
        created = store.declare(tx, where, name, values)
    return "created" if created else apply_session(direct, resource, where)


def sessions(direct: Direct, namespace: str | None = "default") -> list[dict[str, Any]]:
    """The sessions of a namespace, or of all that one may see, as documents: by namespace and name."""
    scope = direct.guard.scope(Verb.LIST, namespace or "default", everywhere=namespace is None)
    with direct.store.read() as tx:
        rows = [row for each in ((None,) if scope is None else scope) for row in store.walk(tx, namespace=each)]
    return [document(row) for row in rows]


def session(direct: Direct, name: str, namespace: str = "default") -> dict[str, Any]:
    """One session as a document. Raises NotFound (`SessionNotFound`)."""
    direct.guard.known(Verb.GET, namespace, name, _not_found(name, namespace))
    with direct.store.read() as tx:
        found = store.walk(tx, namespace=namespace, name=name)
    if not found:
        raise _not_found(name, namespace)
    return document(found[0])


def delete_session(direct: Direct, name: str, namespace: str = "default") -> dict[str, Any]:
    """Let no more jobs into a session and have it closed at once; returns it as a document. Deleting twice is harmless.

    Jobs that are at the provider run to their end; those that still wait fail as `SessionClosed`. Raises NotFound
    (`SessionNotFound`).
    """
    direct.guard.known(Verb.DELETE_SESSION, namespace, name, _not_found(name, namespace), again=True)
    with direct.store.begin() as tx:
        row = store.delete(tx, namespace, name)
        if row is None:
            raise _not_found(name, namespace)
        if row.account is not None and row.state in ACTIVE:
            accounts.wake(tx, [row.account])
    if row.state in ACTIVE:
        direct.installation.hint_pollers()
    return session(direct, name, namespace)


def document(row: Any) -> dict[str, Any]:
    """A session of `store.sessions.walk` as plain JSON data in the form of a Kubernetes resource."""
    resource = row.resource or {}
    status = {
        "phase": _phase(row),
        "providerSessionId": row.provider_session_id,
        "account": row.account,
        "device": row.device,
        "mode": row.mode,
        "openedAt": _time(row.opened_at),
        "usedAt": _time(row.used_at),
        "startedAt": _time(row.started_at),
        "expiresAt": _time(_expires_at(row)),
        "closedAt": _time(row.closed_at),
        "deletedAt": _time(row.deleted_at),
        "jobs": row.jobs,
        "openJobs": row.open_jobs,
        "message": row.message or _idle(resource),
    }
    metadata = {"name": row.name, "namespace": row.namespace, "creationTimestamp": timestamp(row.created_at)}
    return {
        "apiVersion": resource.get("apiVersion", _API_VERSION),
        "kind": "QiskitSession",
        "metadata": {**resource.get("metadata", {}), **metadata},
        "spec": resource.get("spec") or _spec(row),
        "status": {name: value for name, value in status.items() if value is not None},
    }


def _phase(row: Any) -> str:
    if row.deleted_at is not None and row.state == CLOSED:
        return "Deleted"
    return str(row.state).capitalize()


def _expires_at(row: Any) -> datetime | None:
    """A session's time counts from the start of its first job."""
    if row.started_at is None or row.state not in ACTIVE:
        return None
    expires: datetime = row.started_at + timedelta(seconds=row.max_seconds)
    return expires


def _idle(resource: dict[str, Any]) -> str | None:
    provider = resource.get("spec", {}).get("backend", {}).get("type", BackendType.LOCAL_SIMULATOR.value)
    if not resource or provider == BackendType.IBM_QUANTUM:
        return None
    return f"Sessions are without effect on {provider}: its jobs run one by one."


def _spec(row: Any) -> dict[str, Any]:
    """The spec of a session that only jobs named."""
    backend = {"type": BackendType.IBM_QUANTUM.value, "name": row.device, "account": row.account}
    known = {name: value for name, value in backend.items() if value is not None}
    return {"backend": known, "maxTime": row.max_seconds, "mode": row.mode}


def _account(direct: Direct, resource: QiskitSession, namespace: str) -> str | None:
    """The account that a session is bound to from the beginning, checked for being able to hold one; None when its
    first job decides."""
    from qtasks.stages.remote.sessions import with_sessions

    spec, settings = resource.spec, direct.settings
    if spec.backend.type is not BackendType.IBM_QUANTUM:
        return None
    config = direct.installation.config
    if config == Config() and not settings.embedded:
        return spec.backend.account  # the workers know the accounts, and refuse its jobs where they must
    found = accounts_for(config, spec.backend, spec.credentials, namespace=namespace, embedded=settings.embedded)
    (first, *_) = with_sessions(found)
    return first.name if spec.backend.account is not None or spec.credentials is not None else None


def _not_found(name: str, namespace: str) -> NotFound:
    return NotFound(
        f"There is no session {name} in namespace {namespace}.",
        reason="SessionNotFound",
        hint="`qtasks get sessions` lists them.",
    )


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else timestamp(moment)
