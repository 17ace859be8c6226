"""`SamplerV2`: Qiskit's sampler, run through the queue."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

from qiskit.primitives import BaseSamplerV2
from qiskit.primitives.containers.sampler_pub import SamplerPub

from qtasks.errors import InvalidInput
from qtasks.primitives.container import sampler_payload
from qtasks.primitives.job import PrimitiveJob
from qtasks.primitives.running import Runs


class SamplerV2(Runs, BaseSamplerV2):  # type: ignore[misc]  # Qiskit has no types
    """Samples the classical registers of circuits; takes the place of any `BaseSamplerV2`.

    sampler = SamplerV2(default_shots=4096, seed_simulator=42)
    job = sampler.run([(circuit, [[0.1], [0.2]])])
    job.job_id(), job.result()[0].data.meas.get_counts()
    """

    _program = "sampler"

    def run(self, pubs: Iterable[Any], *, shots: int | None = None) -> PrimitiveJob:
        """Submit PUBs, `(circuit, values, shots)`, as one job; when this returns, it cannot be lost.

        `shots` is for PUBs that name none; otherwise `options.default_shots`. Raises InvalidInput (`NoPubs`, and what
        `Client.submit` says), and Qiskit's ValueError for a PUB that is none.
        """
        default = self._options.default_shots if shots is None else shots
        coerced = [SamplerPub.coerce(pub, default) for pub in pubs]
        if not coerced:
            raise InvalidInput("There is no PUB to run.", reason="NoPubs", hint="Give at least one circuit.")
        for number, pub in enumerate(coerced):
            if not pub.circuit.cregs:
                warnings.warn(
                    f"The circuit of PUB {number} has no classical registers, so there is nothing to sample; did you "
                    "mean to add measurements?",
                    UserWarning,
                    stacklevel=2,
                )
        return self._submit(sampler_payload(coerced))
