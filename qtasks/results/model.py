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

if TYPE_CHECKING:
    from qiskit.primitives import PrimitiveResult

Program: TypeAlias = Literal["sampler", "estimator"]
Values: TypeAlias = "float | Sequence[Values]"


@dataclass(frozen=True, slots=True)
class SamplerPubResult:
    """Counts of one circuit.

    `counts` is joint over the whole classical memory, in Aer's form: `{"0x2": 498, …}`, where bit 0 of the number is
    clbit 0. `registers` are (name, size) in circuit order, `num_clbits` the size of the memory in bits. `clbits` has,
    for each register, the clbits it is made of (its bit 0 first); None when the registers lie one after another from
    clbit 0 and leave none over, as in nearly every circuit. `classical_memory(circuit)` gives these three. `shots`
    were run; their order is not kept.
    """

    registers: Sequence[tuple[str, int]]
    num_clbits: int
    shots: int
    counts: Mapping[str, int]
    clbits: Sequence[Sequence[int]] | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def get_counts(self) -> dict[str, int]:
        """Counts under Qiskit's keys: registers apart by spaces, the last register leftmost, bit 0 of each rightmost.

        This is what `qiskit.result.Result.get_counts` prints, with two exceptions, where Qiskit cuts the
        memory at the wrong places (2.6: bits of one register under another's name, and outcomes that overwrite each
        other). Registers that share clbits each show their own, true bits. Clbits of no register ("loose") are
        one more group, leftmost, the highest clbit first, so that the counts still add up to the shots; a
        circuit without registers has that group alone, as in Qiskit. Empty when nothing was measured.
        """
        groups = self._groups()
        if groups is None:
            return _contiguous(self.counts, self.num_clbits, [size for _, size in self.registers])
        counts: dict[str, int] = {}
        for key, count in self.counts.items():
            bits = format(int(key, 16), f"0{self.num_clbits}b")[::-1]
            name = " ".join("".join(bits[clbit] for clbit in reversed(group)) for group in reversed(groups))
            counts[name] = counts.get(name, 0) + count
        return counts

    def to_dict(self) -> dict[str, Any]:
        plain = {
            "counts": self.counts,
            "metadata": self.metadata,
            "num_clbits": self.num_clbits,
            "registers": self.registers,
            "shots": self.shots,
        }
        if self.clbits is not None:
            plain["clbits"] = self.clbits
        return plain

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SamplerPubResult:
        """The reverse of to_dict. Raises ValueError, TypeError or KeyError on what cannot have been written by it."""
        counts = {str(key): int(count) for key, count in data["counts"].items()}
        shots, width = int(data["shots"]), int(data["num_clbits"])
        registers = [(str(name), int(size)) for name, size in data["registers"]]
        clbits = None if data.get("clbits") is None else [[int(bit) for bit in bits] for bits in data["clbits"]]
        if counts and sum(counts.values()) != shots:
            raise ValueError(f"{sum(counts.values())} counts of {shots} shots")
        if any(count < 0 for count in counts.values()) or any(int(key, 16) >> width for key in counts):
            raise ValueError("a count is negative or its outcome wider than the memory")
        if clbits is None and registers and sum(size for _, size in registers) != width:
            raise ValueError("the registers do not fill the memory")
        if clbits is not None and (
            [len(bits) for bits in clbits] != [size for _, size in registers]
            or not all(0 <= bit < width for bits in clbits for bit in bits)
        ):
            raise ValueError("the clbits do not fit the registers")
        return cls(registers, width, shots, counts, clbits, dict(data["metadata"]))

    def to_primitive(self) -> Any:
        """`qiskit.primitives.SamplerPubResult`: one BitArray of shape () per register.

        All registers share one order of the shots (that of the outcomes as numbers), so correlations between
        registers hold; the order in which they were run is not kept. Loose clbits are in no register and so, as in
        Qiskit, not in it. A circuit that measured nothing gives zeros. Raises InvalidInput (`RegisterNameTaken`)
        for a register that Qiskit's DataBin cannot hold (`shape`, `size`, `keys`, …).
        """
        import numpy as np
        from qiskit.primitives import BitArray, DataBin
        from qiskit.primitives import SamplerPubResult as QiskitSamplerPubResult

        counts = self.counts or {"0x0": self.shots}
        outcomes = sorted((int(key, 16), count) for key, count in counts.items())
        repeats = np.array([count for _, count in outcomes], dtype=np.int64)
        width = (self.num_clbits + 7) // 8
        memory = np.frombuffer(b"".join(number.to_bytes(width, "little") for number, _ in outcomes), dtype=np.uint8)
        bits = np.unpackbits(memory.reshape(len(outcomes), width), axis=1, bitorder="little")
        arrays = {}
        for (name, size), clbits in zip(self.registers, self._clbits_of_registers(), strict=True):
            # BitArray: most significant byte first, padded at the front.
            packed = np.packbits(bits[:, list(clbits)], axis=1, bitorder="little")[:, ::-1]
            arrays[name] = BitArray(np.repeat(packed, repeats, axis=0), size)
        try:
            data = DataBin(**arrays, shape=())
        except (ValueError, TypeError):
            raise InvalidInput(
                f"Qiskit cannot hold registers named {', '.join(arrays)}.",
                reason="RegisterNameTaken",
                hint="Rename the register, or use get_counts().",
            ) from None
        return QiskitSamplerPubResult(data, metadata={"shots": self.shots, **self.metadata})

    def _groups(self) -> list[Sequence[int]] | None:
        """The clbits of each group of a key, rightmost group first; None when they simply follow each other."""
        if self.clbits is None:
            return None
        taken = {clbit for clbits in self.clbits for clbit in clbits}
        loose = [clbit for clbit in range(self.num_clbits) if clbit not in taken]
        return [*self.clbits, loose] if loose else list(self.clbits)

    def _clbits_of_registers(self) -> list[Sequence[int]]:
        if self.clbits is not None:
            return list(self.clbits)
        ranges: list[Sequence[int]] = []
        start = 0
        for _, size in self.registers:
            ranges.append(range(start, start + size))
            start += size
        return ranges


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

    def get_counts(self, pub: int = 0) -> dict[str, int]:
        """Counts of one PUB under Qiskit's keys: see SamplerPubResult.get_counts.

        Raises InvalidInput (`NoCounts`) for an estimator's result, (`NoSuchPub`) for a PUB that is not there.
        """
        return self.sampler_pub(pub).get_counts()

    def get_probabilities(self, pub: int = 0) -> dict[str, float]:
        """Counts divided by shots, under the same keys; the values add up to 1. Raises as get_counts does."""
        entry = self.sampler_pub(pub)
        return {outcome: count / entry.shots for outcome, count in entry.get_counts().items()}

    def sampler_pub(self, pub: int = 0) -> SamplerPubResult:
        """The PUB's entry. Raises as get_counts does."""
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
            "schema": 1,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> JobResult:
        """The reverse of to_dict. Raises ValueError, TypeError, KeyError or AttributeError on other data."""
        if data["schema"] != 1:
            raise ValueError(f"schema {data['schema']!r} is of another version of qtasks")
        program: Program = data["program"]
        if program not in ("sampler", "estimator"):
            raise ValueError(f"there is no program {program!r}")
        kind: type[SamplerPubResult | EstimatorPubResult]
        kind = SamplerPubResult if program == "sampler" else EstimatorPubResult
        pubs = [kind.from_dict(pub) for pub in data["pubs"]]
        return cls(str(data["job_id"]), program, pubs, Provenance.from_dict(data["provenance"]))


def classical_memory(circuit: Any) -> tuple[list[tuple[str, int]], int, list[list[int]] | None]:
    """`registers, num_clbits, clbits` of a `qiskit.QuantumCircuit`, as SamplerPubResult wants them."""
    registers = [(register.name, len(register)) for register in circuit.cregs]
    index = {bit: number for number, bit in enumerate(circuit.clbits)}
    clbits = [[index[bit] for bit in register] for register in circuit.cregs]
    flat = [bit for bits in clbits for bit in bits]
    return registers, len(index), None if flat == list(range(len(index))) else clbits


def _contiguous(counts: Mapping[str, int], width: int, sizes: Sequence[int]) -> dict[str, int]:
    if len(sizes) <= 1:
        return {format(int(key, 16), f"0{width}b"): count for key, count in counts.items()}
    cuts = []
    start = 0
    for size in reversed(sizes):
        cuts.append((start, start + size))
        start += size
    named = {}
    for key, count in counts.items():
        bits = format(int(key, 16), f"0{width}b")
        named[" ".join([bits[first:end] for first, end in cuts])] = count
    return named


def _plain(values: Any) -> Any:
    if isinstance(values, (list, tuple)):
        return [_plain(value) for value in values]
    return None if math.isnan(values) else float(values)


def _values(plain: Any) -> Values:
    if isinstance(plain, list):
        return [_values(value) for value in plain]
    return math.nan if plain is None else float(plain)
