"""`EstimatorV2`: Qiskit's estimator, run through the queue."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from qiskit.primitives import BaseEstimatorV2
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qtasks.errors import InvalidInput
from qtasks.primitives.container import estimator_payload
from qtasks.primitives.job import PrimitiveJob
from qtasks.primitives.running import Runs


class EstimatorV2(Runs, BaseEstimatorV2):  # type: ignore[misc]  # Qiskit has no types
    """Estimates expectation values from counts; takes the place of any `BaseEstimatorV2`.

    estimator = EstimatorV2(default_precision=0.01)
    job = estimator.run([(circuit, hamiltonian, [[0.1], [0.2]])])
    job.job_id(), job.result()[0].data.evs
    """

    _program = "estimator"

    def run(self, pubs: Iterable[Any], *, precision: float | None = None) -> PrimitiveJob:
        """Submit PUBs, `(circuit, observables, values, precision)`, as one job; when this returns, it cannot be lost.

        `precision` (standard error) is for PUBs that name none; otherwise `options.default_precision`. Raises
        InvalidInput (`NoPubs`, `InvalidPrecision`, `NotHermitian`, and what `Client.submit` says), and Qiskit's
        ValueError for a PUB that is none.
        """
        default = self._options.default_precision if precision is None else precision
        coerced = [EstimatorPub.coerce(pub, default) for pub in pubs]
        if not coerced:
            raise InvalidInput("There is no PUB to run.", reason="NoPubs", hint="Give at least one circuit.")
        return self._submit(estimator_payload(coerced))
