"""What a sampler gave of one PUB: counts of a circuit, or of each point of an array of its values.

A plain frozen dataclass, as all results are; nothing here imports Qiskit or NumPy until a Qiskit object is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import Any

from qtasks.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class SamplerPubResult:
    """Counts of one circuit, or of one circuit with each element of an array of values (a "point").

    `counts` is joint over the whole classical memory, in Aer's form: `{"0x2": 498, …}`, where bit 0 of the number is
    clbit 0. `registers` are (name, size) in circuit order, `num_clbits` the size of the memory in bits. `clbits` has,
    for each register, the clbits it is made of (its bit 0 first); None when the registers lie one after another from
    clbit 0 and leave none over, as in nearly every circuit. `classical_memory(circuit)` gives these three. `shots`
    were run; their order is not kept.

    With a `shape` other than () there are counts of this form for each point, `shots` of them, in `points` in C order,
    and none in `counts`.
    """

    registers: Sequence[tuple[str, int]]
    num_clbits: int
    shots: int
    counts: Mapping[str, int]
    clbits: Sequence[Sequence[int]] | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    shape: tuple[int, ...] = ()
    points: Sequence[Mapping[str, int]] = ()

    def get_counts(self, point: int | Sequence[int] | None = None) -> dict[str, int]:
        """Counts under Qiskit's keys: registers apart by spaces, the last register leftmost, bit 0 of each rightmost.
        `point`: the index of one in `shape`. Raises InvalidInput (`SeveralPoints`) where there are several and none is
        named, (`NoSuchPoint`) for one that is not there.

        This is what `qiskit.result.Result.get_counts` prints, with two exceptions, where Qiskit cuts the
        memory at the wrong places (2.6: bits of one register under another's name, and outcomes that overwrite each
        other). Registers that share clbits each show their own, true bits. Clbits of no register ("loose") are
        one more group, leftmost, the highest clbit first, so that the counts still add up to the shots; a
        circuit without registers has that group alone, as in Qiskit. Empty when nothing was measured.
        """
        return self._named(self.joint_counts(point))

    def each(self) -> Iterator[tuple[tuple[int, ...], dict[str, int]]]:
        """The index of each point and its counts, as get_counts gives them, in C order; of the shape () the one point
        ()."""
        if not self.shape:
            yield (), self.get_counts()
        else:
            for index, counts in zip(product(*map(range, self.shape)), self.points, strict=True):
                yield index, self._named(counts)

    def joint_counts(self, point: int | Sequence[int] | None = None) -> Mapping[str, int]:
        """The counts of a point over the whole classical memory, in Aer's form. Raises as get_counts does."""
        index = () if point is None else (point,) if isinstance(point, int) else tuple(point)
        if self.shape and point is None:
            raise InvalidInput(
                f"The PUB has counts for each of {len(self.points)} points, of shape {self.shape}.",
                reason="SeveralPoints",
                hint=f"Name one: get_counts(point={(0,) * len(self.shape)}).",
            )
        if len(index) != len(self.shape) or not all(
            -length <= number < length for number, length in zip(index, self.shape, strict=True)
        ):
            raise InvalidInput(f"There is no point {index}: the PUB has the shape {self.shape}.", reason="NoSuchPoint")
        if not self.shape:
            return self.counts
        place = 0
        for number, length in zip(index, self.shape, strict=True):
            place = place * length + number % length
        return self.points[place]

    def _named(self, joint: Mapping[str, int]) -> dict[str, int]:
        """Counts over the whole memory under Qiskit's keys."""
        groups = self._groups()
        if groups is None:
            return _contiguous(joint, self.num_clbits, [size for _, size in self.registers])
        counts: dict[str, int] = {}
        for key, count in joint.items():
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
        if self.shape:
            plain |= {"points": self.points, "shape": self.shape}
        return plain

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SamplerPubResult:
        """The reverse of to_dict. Raises ValueError, TypeError or KeyError on what cannot have been written by it."""
        counts = _counted(data["counts"])
        shape = tuple(int(length) for length in data.get("shape", ()))
        points = tuple(_counted(point) for point in data.get("points", ()))
        shots, width = int(data["shots"]), int(data["num_clbits"])
        registers = [(str(name), int(size)) for name, size in data["registers"]]
        clbits = None if data.get("clbits") is None else [[int(bit) for bit in bits] for bits in data["clbits"]]
        for each in (counts, *points):
            if each and sum(each.values()) != shots:
                raise ValueError(f"{sum(each.values())} counts of {shots} shots")
            if any(count < 0 for count in each.values()) or any(int(key, 16) >> width for key in each):
                raise ValueError("a count is negative or its outcome wider than the memory")
        if any(length < 1 for length in shape) or len(points) != (prod(shape) if shape else 0):
            raise ValueError("the points do not fill the shape")
        if clbits is None and registers and sum(size for _, size in registers) != width:
            raise ValueError("the registers do not fill the memory")
        if clbits is not None and (
            [len(bits) for bits in clbits] != [size for _, size in registers]
            or not all(0 <= bit < width for bits in clbits for bit in bits)
        ):
            raise ValueError("the clbits do not fit the registers")
        return cls(registers, width, shots, counts, clbits, dict(data["metadata"]), shape, points)

    def to_primitive(self) -> Any:
        """`qiskit.primitives.SamplerPubResult`: one BitArray of the PUB's shape per register.

        All registers share one order of the shots (that of the outcomes as numbers), so correlations between
        registers hold; the order in which they were run is not kept. Loose clbits are in no register and so, as in
        Qiskit, not in it. A circuit that measured nothing gives zeros. Raises InvalidInput (`RegisterNameTaken`)
        for a register that Qiskit's DataBin cannot hold (`shape`, `size`, `keys`, …).
        """
        import numpy as np
        from qiskit.primitives import BitArray, DataBin
        from qiskit.primitives import SamplerPubResult as QiskitSamplerPubResult

        width = (self.num_clbits + 7) // 8
        # The points one after another: each has all of its shots, so the rows are as many for every point.
        outcomes = [
            (int(key, 16), count)
            for counts in (self.points if self.shape else (self.counts,))
            for key, count in sorted((counts or {"0x0": self.shots}).items(), key=lambda item: int(item[0], 16))
        ]
        repeats = np.array([count for _, count in outcomes], dtype=np.int64)
        memory = np.frombuffer(b"".join(number.to_bytes(width, "little") for number, _ in outcomes), dtype=np.uint8)
        bits = np.unpackbits(memory.reshape(len(outcomes), width), axis=1, bitorder="little")
        arrays = {}
        for (name, size), clbits in zip(self.registers, self._clbits_of_registers(), strict=True):
            # BitArray: most significant byte first, padded at the front.
            packed = np.packbits(bits[:, list(clbits)], axis=1, bitorder="little")[:, ::-1]
            rows = np.repeat(packed, repeats, axis=0)
            arrays[name] = BitArray(rows.reshape(*self.shape, self.shots, packed.shape[1]), size)
        try:
            data = DataBin(**arrays, shape=self.shape)
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


def _counted(data: Any) -> dict[str, int]:
    return {str(key): int(count) for key, count in data.items()}
