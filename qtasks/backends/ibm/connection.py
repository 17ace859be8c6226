"""The library's REST client for one account, and every request through it."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from qtasks.backends.protocol import BackendError, CredentialsRefused
from qtasks.config import Account
from qtasks.errors import QTasksError

T = TypeVar("T")
Client = Any
"""`qiskit_ibm_runtime.api.client.RuntimeClient`: one method for each request of the API."""


def library() -> None:
    """Import qiskit-ibm-runtime, which takes seconds, the first time in a process.

    Its statistics, which look through the call stack and all installed packages at each request, are half of the
    processor time of one: they are off unless the environment says otherwise.
    """
    os.environ.setdefault("USAGE_DATA_OPT_OUT", "True")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import qiskit_ibm_runtime.api.client  # noqa: F401


@dataclass(frozen=True, slots=True)
class _Open:
    client: Client
    crn: str
    hide: Callable[[str], str]
    pid: int


@dataclass(frozen=True, slots=True)
class _Parameters:
    """What RuntimeClient asks of `ClientParameters`."""

    instance: str
    api: str
    bearer: Any
    options: Mapping[str, Any]

    def get_runtime_api_base_url(self) -> str:
        return self.api

    def get_auth_handler(self) -> Any:
        return self.bearer

    def connection_parameters(self) -> Mapping[str, Any]:
        return self.options


class Connection:
    """A RuntimeClient per process, made when it is first needed.

    `QiskitRuntimeService` is not used: making one costs five requests, it takes a list of devices that it could not
    get for an empty one, follows one endpoint in a whole process, and switches between instances under the feet of
    other threads.
    """

    def __init__(self, account: Account, credentials: Callable[[], Mapping[str, str]]) -> None:
        self._account = account
        self._credentials = credentials
        self._lock = threading.Lock()
        self._open: _Open | None = None

    def forget(self) -> None:
        """The next request reads the credentials again."""
        self._open = None

    @property
    def crn(self) -> str:
        """CRN of the instance."""
        return self._opened().crn

    def ask(self, doing: str, request: Callable[[Client], T]) -> T:
        """What `request` gets from the client; `doing` says in errors what it was for.

        After a 401 it is asked once more with credentials that were read and exchanged anew: the first one was not
        carried out. Raises ProviderUnavailable, Throttled, CredentialsRefused or BackendError.
        """
        used = self._open
        try:
            return self._once(doing, request)
        except CredentialsRefused:
            if self._open is used:  # otherwise another thread has read them anew already
                self.forget()
        return self._once(doing, request)

    def _once(self, doing: str, request: Callable[[Client], T]) -> T:
        from requests import RequestException

        opened = self._opened()
        from qiskit_ibm_runtime.exceptions import IBMError

        from qtasks.backends.ibm.errors import of_request

        try:
            return request(opened.client)
        except (IBMError, RequestException) as error:
            problem: QTasksError = of_request(error, doing, opened.hide)
        raise problem

    def _opened(self) -> _Open:
        opened = self._open
        if opened is not None and opened.pid == os.getpid():
            return opened
        with self._lock:
            if self._open is None or self._open.pid != os.getpid():
                self._open = self._make()
            return self._open

    def _make(self) -> _Open:
        library()
        from qiskit_ibm_runtime.api.client import RuntimeClient

        from qtasks.backends.ibm.login import login
        from qtasks.backends.ibm.transport import Bearer, adapt

        who = login(self._account, self._credentials())
        bearer = Bearer(who)
        crn = who.instance or ""
        if not crn.startswith("crn:"):
            crn = self._instance(who, bearer)
        bearer.crn = crn
        options = {"verify": who.verify, "proxies": dict(who.proxies)}
        client = RuntimeClient(_Parameters(crn, who.addresses.api(crn), bearer, options))
        adapt(client._session)
        return _Open(client, crn, bearer.hide, os.getpid())

    def _instance(self, who: Any, bearer: Any) -> str:
        from requests import RequestException

        from qtasks.backends.ibm.errors import of_request
        from qtasks.backends.ibm.instances import choose, listed
        from qtasks.backends.ibm.transport import session

        try:
            with session(bearer, who) as asking:
                found = listed(asking, who.addresses)
        except RequestException as error:
            problem: QTasksError = of_request(error, "listing the instances", bearer.hide)
        else:
            return choose(found, who.instance, self._account.plan.value).crn
        if isinstance(problem, BackendError):
            problem = CredentialsRefused(problem.message)
        raise problem
