"""`ibm_quantum`: one account with IBM Quantum."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from qtasks.backends import compatibility
from qtasks.backends.compatibility import Capabilities
from qtasks.backends.ibm import pages
from qtasks.backends.ibm.allowances import allowance_of
from qtasks.backends.ibm.compiling import Compiler
from qtasks.backends.ibm.connection import Client, Connection, library
from qtasks.backends.ibm.devices import Devices
from qtasks.backends.protocol import (
    Allowance,
    BackendError,
    Calibration,
    Compiled,
    CredentialsRefused,
    Device,
    Order,
    Outcome,
    Program,
    ProviderJob,
    ProviderUnavailable,
    QueueStatus,
    refuse_together,
)
from qtasks.config import Account
from qtasks.costs.cost import Cost
from qtasks.costs.prices import PriceList, list_prices
from qtasks.costs.provider import ibm_cost
from qtasks.resources.backend import BackendType


class IBMBackend:
    """Jobs and devices of one instance, through the REST client of qiskit-ibm-runtime 0.51.

    Making one imports and asks nothing. What each operation costs in requests, beside a token from IAM an hour (and,
    where the account names no instance, the search for it: one request and one for each plan):

    | operation | requests |
    |---|---|
    | authenticate, devices, queue_status, calibration, allowance | 1 |
    | submit, find, result, cancel | 1 |
    | open_session, session_open, close_session | 1 |
    | compile, capabilities, estimate_cost | 2 for a device that was not read in the last ten minutes, otherwise 0 |
    | statuses | 1 for each 200 jobs that wait, and those of `pages.statuses` for jobs that ended |
    | listing | 1 for each 200 jobs |

    A request that gets a 401 is repeated once, after the credentials were read and exchanged anew; nothing else is.
    """

    name = BackendType.IBM_QUANTUM.value
    idempotent = False

    def __init__(
        self,
        account: Account,
        credentials: Callable[[], Mapping[str, str]],
        prices: Callable[[], PriceList] = list_prices,
    ) -> None:
        self._account = account
        self._prices = prices
        self._connection = Connection(account, credentials)
        self._devices = Devices(self._connection)
        self._compiler = Compiler()

    def authenticate(self) -> None:
        """Fetch a token and use it. Raises CredentialsRefused also when the key may not use the instance."""
        try:
            self.allowance()
        except BackendError as error:
            if error.reason != "ProviderForbidden":
                raise
            raise CredentialsRefused(error.message, details=error.details) from None

    def refresh_credentials(self) -> None:
        self._connection.forget()
        self._devices.forget()

    def devices(self) -> list[Device]:
        return self._devices.listed()

    def capabilities(self, device: str) -> Capabilities:
        backend = self._devices.known(device).backend
        able = compatibility.of_backend(backend, max_shots=getattr(backend.configuration(), "max_shots", None))
        return replace(able, shots_alike=True)

    def queue_status(self, device: str) -> QueueStatus:
        return self._devices.queue(device)

    def calibration(self, device: str, *, at: datetime | None = None) -> Calibration | None:
        return self._devices.calibration(device, at)

    def allowance(self) -> Allowance | None:
        return allowance_of(self._connection.ask("asking for the usage", lambda client: client.cloud_usage()))

    def compile(self, program: Program, device: str) -> Compiled:
        return self._compiler.compile(program, self._devices.known(device))

    def compile_all(self, programs: Sequence[Program], device: str) -> Compiled:
        """One order of all programs. Raises BackendError (`TranspilerError`, `ShotsDiffer`)."""
        refuse_together(programs, Capabilities(device, shots_alike=True))
        return self._compiler.compile_all(programs, self._devices.known(device))

    def estimate_cost(self, compiled: Compiled, shots: int) -> Cost:
        from qtasks.backends.ibm.estimate import quantum_seconds

        return self._price(quantum_seconds(compiled, shots, self._devices.known(compiled.device)))

    def actual_cost(self, job: ProviderJob, shots: int) -> Cost:
        """What IBM counts as the job's usage; 0 where it counts nothing, as for a job that never ran."""
        return self._price(job.quantum_seconds or 0.0)

    def _price(self, seconds: float) -> Cost:
        return ibm_cost(seconds, self._account.plan.value, prices=self._prices())

    def submit(self, order: Order) -> str:
        """Post a job, once. Raises BackendError (`AllowanceExhausted`, `NoSuchDevice`, `SessionClosed`,
        `ProviderForbidden`, `ProviderRefused`) for what IBM refuses, with its own message and code."""
        library()
        from qtasks.backends.ibm.submission import arguments, program

        given = arguments(order, *program(order))
        try:
            answer = self._connection.ask("submitting a job", lambda client: client.program_run(**given))
        except BackendError as error:
            if error.details.get("status") != 409:
                raise
            message, details = error.message, error.details
        else:
            return _id_of(answer)
        hint = "The job waits until the allowance frees; `qtasks get accounts` shows when."
        raise BackendError(message, reason="AllowanceExhausted", heals=True, hint=hint, details=details)

    def find(self, tag: str, *, since: datetime) -> list[ProviderJob]:
        return pages.find(self._connection, tag, since)

    def listing(self, *, since: datetime) -> Iterator[ProviderJob]:
        return pages.listing(self._connection, since)

    def statuses(self, ids: Collection[str], *, since: datetime) -> dict[str, ProviderJob]:
        return pages.statuses(self._connection, ids, since)

    def result(self, provider_job_id: str) -> Outcome:
        """Raises BackendError (`ResultInvalid`; `NotFound`: IBM does not know the job)."""
        number = pages.known(provider_job_id)
        raw = self._connection.ask("fetching a result", lambda client: client.job_results(number))
        from qtasks.backends.ibm.decoding import outcome

        return outcome(raw)

    def cancel(self, provider_job_id: str) -> None:
        def request(client: Client) -> None:
            client.job_cancel(pages.known(provider_job_id))

        self._unless_over("cancelling a job", request)

    def open_session(self, device: str, *, mode: str, max_seconds: int | None) -> str:
        """Raises BackendError (`SessionsUnsupported`): the open plan has none that are dedicated."""

        def request(client: Client) -> Any:
            return client.create_session(device, self._connection.crn, max_seconds, mode)

        try:
            return _id_of(self._connection.ask("opening a session", request))
        except BackendError as error:
            if error.reason not in ("ProviderRefused", "ProviderForbidden"):
                raise
            message, details = error.message, error.details
        raise BackendError(message, reason="SessionsUnsupported", hint="Leave out spec.session.", details=details)

    def session_open(self, session: str) -> bool:
        try:
            details = self._connection.ask("asking for a session", lambda client: client.session_details(session))
        except BackendError as error:
            if error.reason not in ("NotFound", "SessionClosed"):
                raise
            return False
        return bool(details.get("accepting_jobs")) and details.get("state") not in ("closed", "pending_closed")

    def close_session(self, session: str) -> None:
        """No more jobs are taken; those that are in it run."""

        def request(client: Client) -> None:
            client.close_session(session)

        self._unless_over("closing a session", request)

    def _unless_over(self, doing: str, request: Callable[[Client], None]) -> None:
        """Ask for an end; that it has come, or that IBM does not know of it any more, is as good."""
        try:
            self._connection.ask(doing, request)
        except BackendError as error:
            if error.details.get("status") != 409 and error.reason not in ("NotFound", "SessionClosed"):
                raise


def _id_of(answer: Any) -> str:
    try:
        return str(answer["id"])
    except (KeyError, TypeError):
        raise ProviderUnavailable("IBM Quantum's answer has no id: what was asked for may exist.") from None
