"""What the two primitives share: a client, a backend, options, and the submission of a run as one job."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from qtasks.client import Client
from qtasks.primitives.backend import QTasksBackend
from qtasks.primitives.clients import default_client
from qtasks.primitives.job import PrimitiveJob
from qtasks.primitives.options import Options
from qtasks.primitives.submitting import submit

if TYPE_CHECKING:
    from qtasks.primitives.container import Payload

Where = str | Mapping[str, Any] | QTasksBackend | None


class Runs:
    """Submits each run of a primitive as one durable job.

    `backend` is a type, as `spec.backend` is, or a `QTasksBackend`. Without a client the process's own is used, which
    is made when something is run.
    """

    _program: str

    def __init__(
        self,
        backend: Where = None,
        *,
        client: Client | None = None,
        options: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> None:
        """`options` and keywords are fields of `Options`. Raises InvalidInput (`UnknownOption`)."""
        self._backend = backend
        self._given_client = client if client is not None else getattr(backend, "client", None)
        self._options = Options()
        self._options.update(**{**(options or {}), **more})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Jobs go on, and a client that was given stays open."""

    @property
    def options(self) -> Options:
        return self._options

    @property
    def mode(self) -> Where:
        """Where runs go, as it was given."""
        return self._backend

    def backend(self) -> Where:
        """Where runs go, as it was given."""
        return self._backend

    @cached_property
    def _client(self) -> Client:
        return self._given_client or default_client()

    def _submit(self, payload: Payload) -> PrimitiveJob:
        options, where = self._options, self._backend
        if isinstance(where, QTasksBackend):
            options, where = where.compiled(options), where.where
        elif isinstance(where, str):
            where = {"type": where}
        job = submit(self._client, self._program, payload, options, where)
        return PrimitiveJob(job, payload.circuits)
