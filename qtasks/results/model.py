"""What a job gave: one entry per PUB (Qiskit's word for a circuit with its parameters and shots), and its provenance.

Plain frozen dataclasses: building one with its provenance costs about 5 µs. Nothing here imports Qiskit or NumPy
until a Qiskit object is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from qtasks.errors import InvalidInput
from qtasks.results.provenance import Provenance
from qtasks.results.sampler import SamplerPubResult, classical_memory

if TYPE_CHECKING:
    from qiskit.primitives import PrimitiveResult

__all__ = ["EstimatorPubResult", "JobResult", "PubResult", "SamplerPubResult", "classical_memory"]

Program: TypeAlias = Literal["sampler", "estimator"]
Values: TypeAlias = "float | Sequence[Values]"
_SHAPED = 2
"""Schema of a result with counts for points, which readers of schema 1 would take for a circuit without counts."""


@dataclass(frozen=True, slots=True)
class EstimatorPubResult:
    """Expectation values of one PUB, `evs`, and their standard errors, `stds`.

    Each is a number or nested lists of the PUB's shape, in the observable's own unit; NaN (a value that could not be
    had) is null in JSON.
    """

    evs: Values
    stds: Values
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {"evs": _plain(self.evs), "metadata": self.metadata, "stds": _plain(self.stds)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> EstimatorPubResult:
        """The reverse of to_dict. Raises ValueError, TypeError or KeyError on what cannot have been written by it."""
        return cls(_values(data["evs"]), _values(data["stds"]), dict(data["metadata"]))

    def to_primitive(self) -> Any:
        """`qiskit.primitives.PubResult` whose `evs` and `stds` are arrays of the PUB's shape."""
        import numpy as np
        from qiskit.primitives import DataBin
        from qiskit.primitives import PubResult as QiskitPubResult

        evs = np.asarray(self.evs, dtype=float)
        data = DataBin(evs=evs, stds=np.asarray(self.stds, dtype=float), shape=evs.shape)
        return QiskitPubResult(data, metadata=dict(self.metadata))


PubResult: TypeAlias = SamplerPubResult | EstimatorPubResult


@dataclass(frozen=True, slots=True)
class JobResult:
    """The whole result of one job."""

    job_id: str
    program: Program
    pubs: Sequence[PubResult]
    provenance: Provenance

    def get_counts(self, pub: int = 0, point: int | Sequence[int] | None = None) -> dict[str, int]:
        """Counts of one PUB under Qiskit's keys; of a PUB with a shape, those of one point: see
        SamplerPubResult.get_counts.

        Raises InvalidInput (`NoCounts`) for an estimator's result, (`NoSuchPub`) for a PUB that is not there,
        (`SeveralPoints`, `NoSuchPoint`) for a point that is not named or not there.
        """
        return self.sampler_pub(pub).get_counts(point)

    def get_probabilities(self, pub: int = 0, point: int | Sequence[int] | None = None) -> dict[str, float]:
        """Counts divided by shots, under the same keys; the values add up to 1. Raises as get_counts does."""
        entry = self.sampler_pub(pub)
        return {outcome: count / entry.shots for outcome, count in entry.get_counts(point).items()}

    def summary(self) -> dict[str, int] | None:
        """The counts of a job of one circuit that ran once; None for every other, which has no one set of counts."""
        entry = self.pubs[0]
        alone = len(self.pubs) == 1 and isinstance(entry, SamplerPubResult) and not entry.shape
        return self.get_counts() if alone else None

    def sampler_pub(self, pub: int = 0) -> SamplerPubResult:
        """The PUB's entry. Raises as get_counts does, but for points."""
        if not 0 <= pub < len(self.pubs):
            raise InvalidInput(f"There is no PUB {pub}: the job has {len(self.pubs)}.", reason="NoSuchPub")
        entry = self.pubs[pub]
        if not isinstance(entry, SamplerPubResult):
            raise InvalidInput(
                "An estimator's result has expectation values, not counts.",
                reason="NoCounts",
                hint="Use to_primitive_result()[0].data.evs.",
            )
        return entry

    def _repr_html_(self) -> str:
        from qtasks.results.html import result_html

        return result_html(self)

    def plot_histogram(self, pub: int = 0, point: int | Sequence[int] | None = None, **options: Any) -> Any:
        """Counts as a matplotlib figure; `options` as `qiskit.visualization.plot_histogram` takes them. Raises as
        get_counts does."""
        counts = self.get_counts(pub, point)
        from qiskit.visualization import plot_histogram

        return plot_histogram(counts, **options)

    def to_primitive_result(self) -> PrimitiveResult[Any]:
        """Qiskit's own class, as `SamplerV2.run(…).result()` or `EstimatorV2.run(…).result()` give it.

        The order of the shots is not the one in which they were run: see SamplerPubResult.to_primitive.
        """
        from qiskit.primitives import PrimitiveResult

        return PrimitiveResult(
            [pub.to_primitive() for pub in self.pubs], metadata={"version": 2, "job_id": self.job_id}
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON data; `schema` rises when a reader of an older one could not make sense of it."""
        return {
            "job_id": self.job_id,
            "program": self.program,
            "provenance": self.provenance.to_dict(),
            "pubs": [pub.to_dict() for pub in self.pubs],
            "schema": _schema(self.pubs),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> JobResult:
        """The reverse of to_dict. Raises ValueError, TypeError, KeyError or AttributeError on other data."""
        if data["schema"] not in (1, _SHAPED):
            raise ValueError(f"schema {data['schema']!r} is of another version of qtasks")
        program: Program = data["program"]
        if program not in ("sampler", "estimator"):
            raise ValueError(f"there is no program {program!r}")
        kind: type[SamplerPubResult | EstimatorPubResult]
        kind = SamplerPubResult if program == "sampler" else EstimatorPubResult
        pubs = [kind.from_dict(pub) for pub in data["pubs"]]
        if data["schema"] != _schema(pubs):
            raise ValueError(f"schema {data['schema']} does not have what it should")
        return cls(str(data["job_id"]), program, pubs, Provenance.from_dict(data["provenance"]))


def _schema(pubs: Sequence[PubResult]) -> int:
    return _SHAPED if any(isinstance(pub, SamplerPubResult) and pub.shape for pub in pubs) else 1


def _plain(values: Any) -> Any:
    if isinstance(values, (list, tuple)):
        return [_plain(value) for value in values]
    return None if math.isnan(values) else float(values)


def _values(plain: Any) -> Values:
    if isinstance(plain, list):
        return [_values(value) for value in plain]
    return math.nan if plain is None else float(plain)
