"""A circuit's classical memory, kept in a comment of the program that Braket is sent. Pure.

Braket reports one bit for each measured qubit, and takes one register of them at most. A result holds the program that
was run, so the comment is all that is needed to put the bits back where the circuit has them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

_MARK = "// qtasks "
_MEASUREMENT = re.compile(r"^b\[(\d+)\] = measure (?:q\[(\d+)\]|\$(\d+));$", re.MULTILINE)


@dataclass(frozen=True)
class Memory:
    """`registers`, `num_clbits`, `clbits`: as `results.classical_memory` gives them. `measured`: which qubit of the
    program each measured clbit is read from. `width`: qubits that the program uses."""

    registers: Sequence[tuple[str, int]]
    num_clbits: int
    clbits: Sequence[Sequence[int]] | None
    measured: dict[int, int]
    width: int


def measured_qubits(source: str) -> list[int]:
    """The qubits that a program of the Braket SDK measures, in the order of its one register, `b`."""
    found = {int(bit): int(virtual or physical) for bit, virtual, physical in _MEASUREMENT.findall(source)}
    return [found[bit] for bit in sorted(found)]


def write(source: str, memory: Memory) -> str:
    """The program with the comment after its first line, which must stay the first."""
    plain = {
        "clbits": memory.clbits,
        "measured": [[clbit, qubit] for clbit, qubit in memory.measured.items()],
        "num_clbits": memory.num_clbits,
        "registers": memory.registers,
        "width": memory.width,
    }
    first, _, rest = source.partition("\n")
    return f"{first}\n{_MARK}{json.dumps(plain, sort_keys=True, separators=(',', ':'))}\n{rest}"


def read(source: str) -> Memory:
    """The memory of a program that `write` wrote. Raises ValueError for any other."""
    line = next((line for line in source.splitlines() if line.startswith(_MARK)), None)
    if line is None:
        raise ValueError("the program has no comment of qtasks")
    try:
        plain = json.loads(line.removeprefix(_MARK))
        return Memory(
            [(str(name), int(size)) for name, size in plain["registers"]],
            int(plain["num_clbits"]),
            plain["clbits"],
            {int(clbit): int(qubit) for clbit, qubit in plain["measured"]},
            int(plain["width"]),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"the comment of qtasks lacks {error}") from None
