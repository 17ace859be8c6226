"""What a client keeps and reads beside jobs: budgets, devices, sessions, accounts, costs."""

from __future__ import annotations

from datetime import datetime

from qtasks.client import asking
from qtasks.client.gateway import Document, Gateway, Kept
from qtasks.client.namespaces import namespace_of
from qtasks.resources import Metadata, QiskitBackend, QiskitBudget, QiskitSession, Resource


class Keeping:
    """The part of `Client` that is about none of its jobs."""

    _gateway: Gateway
    namespace: str

    def _apply(self, kind: Kept, resource: Resource, namespace: str | None) -> str:
        return self._gateway.apply(kind, resource, namespace_of(resource.metadata, namespace, self.namespace))

    def _where(self, namespace: str | None) -> str:
        """The namespace that is asked about. Raises InvalidInput for what is no name of one."""
        return self.namespace if namespace is None else Metadata(namespace=namespace).namespace

    def _scope(self, namespace: str | None, all_namespaces: bool) -> str | None:
        return None if all_namespaces else self._where(namespace)

    def apply_budget(self, resource: QiskitBudget, *, namespace: str | None = None) -> str:
        """Keep a budget: `created`, `unchanged`, or `configured` when it was there with another spec.

        Raises InvalidInput (`NameMissing`) and Forbidden."""
        return self._apply(Kept.BUDGETS, resource, namespace)

    def budgets(self, *, namespace: str | None = None, all_namespaces: bool = False) -> list[Document]:
        """The budgets that are kept in a namespace as documents, with what is spent of them and reserved."""
        return self._gateway.listing(Kept.BUDGETS, self._scope(namespace, all_namespaces))

    def budget(self, name: str, *, namespace: str | None = None) -> Document:
        """One budget as a document, with the jobs that wait for it. Raises NotFound (`BudgetNotFound`)."""
        return self._gateway.kept(Kept.BUDGETS, name, self._where(namespace))[0]

    def delete_budget(self, name: str, *, namespace: str | None = None) -> Document:
        """Keep a budget no longer; returns what it was. Raises NotFound (`BudgetNotFound`) and Forbidden."""
        return self._gateway.delete(Kept.BUDGETS, name, self._where(namespace))

    def apply_backend(self, resource: QiskitBackend, *, namespace: str | None = None) -> str:
        """Register a device by hand: `created`, `unchanged` or `configured`. Raises InvalidInput (`NameMissing`,
        `NoUsableAccount`) and Forbidden."""
        return self._apply(Kept.BACKENDS, resource, namespace)

    def backends(self, *, namespace: str | None = None, all_namespaces: bool = False) -> list[Document]:
        """The devices that the jobs of a namespace may run on as documents: ours, then by account and name."""
        return self._gateway.listing(Kept.BACKENDS, self._scope(namespace, all_namespaces))

    def backend(self, name: str, *, namespace: str | None = None) -> list[Document]:
        """The devices of this name, one for each account. Raises NotFound (`BackendNotFound`)."""
        return self._gateway.kept(Kept.BACKENDS, name, self._where(namespace))

    def delete_backend(self, name: str, *, namespace: str | None = None) -> None:
        """Take out a device that was registered by hand. Raises NotFound (`BackendNotFound`) and Forbidden."""
        self._gateway.delete(Kept.BACKENDS, name, self._where(namespace))

    def apply_session(self, resource: QiskitSession, *, namespace: str | None = None) -> str:
        """Declare a session, which its first job opens: `created`, or `unchanged` when it is there with the same spec.

        Raises InvalidInput (`NameMissing`, `SessionsNotOnOpenPlan`, …) and Conflict (`SessionExists`,
        `SessionClosing`)."""
        return self._apply(Kept.SESSIONS, resource, namespace)

    def sessions(self, *, namespace: str | None = None, all_namespaces: bool = False) -> list[Document]:
        """The sessions of the namespace as documents: declared by a QiskitSession, or by the first job in them."""
        return self._gateway.listing(Kept.SESSIONS, self._scope(namespace, all_namespaces))

    def session(self, name: str, *, namespace: str | None = None) -> Document:
        """One session as a document. Raises NotFound (`SessionNotFound`)."""
        return self._gateway.kept(Kept.SESSIONS, name, self._where(namespace))[0]

    def delete_session(self, name: str, *, namespace: str | None = None) -> Document:
        """Let no more jobs into a session, and have it closed; returns its document. Raises NotFound
        (`SessionNotFound`)."""
        return self._gateway.delete(Kept.SESSIONS, name, self._where(namespace))

    def accounts(self, *, namespace: str | None = None, all_namespaces: bool = False) -> list[Document]:
        """The accounts that the namespace's jobs may run under and how each stands, quantum time in seconds: those of
        QTASKS_CONFIG in its order, then those that jobs brought."""
        return self._gateway.accounts(self._scope(namespace, all_namespaces))

    def costs(
        self,
        by: str = "namespace",
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        namespace: str | None = None,
        all_namespaces: bool = False,
    ) -> list[Document]:
        """What jobs cost by namespace, cost-center, backend, account, month (of UTC), job or label:KEY, from `since`
        until just before `until`; the dearest first. Amounts are `Decimal` US dollars, exact. Raises InvalidInput
        (`UnknownGroup`, `InvalidTime`)."""
        times = {"since": asking.moment(since), "until": asking.moment(until)}
        return self._gateway.costs(asking.group(by), namespace=self._scope(namespace, all_namespaces), **times)

    def discrepancies(self) -> list[str]:
        """Where the books of what was charged do not agree to the micro-dollar, a sentence for each. Whoever may not
        see the costs of all namespaces is told nothing."""
        return self._gateway.discrepancies()
