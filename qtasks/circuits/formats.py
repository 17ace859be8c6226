"""The formats a circuit comes in: telling them apart, reading each one, and writing the canonical one (QPY).

Reading is for the sandbox: `qiskit.qpy.load` resolves names that stand in the file, and both QPY and OpenQASM may be
made to explode. The one reader outside it is `load_canonical`, for bytes that the sandbox wrote.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qtasks.circuits.errors import CircuitError, line_of, say
from qtasks.circuits.gates import home_module

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

PYTHON, QASM2, QASM3, QPY = "python", "qasm2", "qasm3", "qpy"
FORMATS = (PYTHON, QASM2, QASM3, QPY)
PUBS = "pubs"
"""Several circuits with their values, as `circuits.pubs` reads them; no format of a circuit."""

# One version for all writers, so that the same circuit gives the same bytes whichever worker wrote it. 18 is the newest
# that the oldest supported Qiskit (2.6) writes, and from 17 on it is written in Rust: 12 µs for a Bell pair, not 37.
QPY_VERSION = 18

_MAGIC = b"QISKIT"
_MAGIC_BASE64 = base64.b64encode(_MAGIC)
_SKIPPED = re.compile(r"\ufeff?(?:\s+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_HEADER = re.compile(r"OPENQASM\s+(\d+)(?:\.\d+)?\s*;")
_INCLUDE = re.compile(r'include\s+"(qelib1|stdgates)\.inc"')
_PLACE_QASM2 = re.compile(r"^[^\n:]*:(\d+),(\d+): (.*)$", re.DOTALL)
_PLACE_QASM3 = re.compile(r"^(?:L)?(\d+)(?:,|:C)(\d+):\s*(.*)$", re.DOTALL)


def detect(data: bytes) -> str:
    """The format of a circuit's bytes: `qpy` by its magic, `qasm2` or `qasm3` by its header, otherwise `python`.

    A header may follow comments. Raises CircuitError (`UnsupportedFormat`) for another version of OpenQASM.
    """
    if data.startswith((_MAGIC, _MAGIC_BASE64)):
        return QPY
    head = data[:65536].decode("utf-8", "replace")
    start = _SKIPPED.match(head).end()  # type: ignore[union-attr]  # it matches the empty string
    if header := _HEADER.match(head, start):
        if header[1] not in "23":
            raise CircuitError(
                f"OpenQASM {header[1]} is not supported.",
                reason="UnsupportedFormat",
                hint="Use OpenQASM 2.0 or 3.0.",
                line=head.count("\n", 0, start) + 1,
                text=header[0],
            )
        return QASM2 if header[1] == "2" else QASM3
    if include := _INCLUDE.match(head, start):
        return QASM2 if include[1] == "qelib1" else QASM3
    return PYTHON


def text_of(data: bytes) -> str:
    """The text of a source. Raises CircuitError (`UnsupportedFormat`) when it is not UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CircuitError(
            f"The circuit is neither QPY nor UTF-8 text: byte {error.start} cannot be read.",
            reason="UnsupportedFormat",
            hint="Send Python, OpenQASM 2, OpenQASM 3 or QPY.",
        ) from None


def read(data: bytes, format: str) -> QuantumCircuit:  # noqa: A002 - the word used everywhere for it
    """The circuit in bytes of `qasm2`, `qasm3` or `qpy`. Sandbox only.

    Raises CircuitError with line, column and the line's text where the parser gives them.
    """
    if format == QASM2:
        return _read_qasm2(text_of(data))
    if format == QASM3:
        return _read_qasm3(text_of(data))
    if format == QPY:
        return _read_qpy(data)
    raise CircuitError(
        f"The format {format[:40]!r} is not known.", reason="UnsupportedFormat", hint=f"One of: {', '.join(FORMATS)}."
    )


def _read_qasm2(source: str) -> QuantumCircuit:
    from qiskit import qasm2

    try:
        # No include path: `include "/etc/passwd"` must find nothing. "qelib1.inc" is built in.
        return qasm2.loads(source, include_path=(), custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS, strict=False)
    except qasm2.QASM2Error as error:
        hint = "Declare it with qreg, creg or gate before this line." if "not defined" in error.message else ""
        raise _located(error.message, _PLACE_QASM2, source, hint) from None


def _read_qasm3(source: str) -> QuantumCircuit:
    from openqasm3.parser import QASM3ParsingError
    from qiskit import qasm3

    # `loads_experimental` is faster but refuses control flow, `input` and custom-gate modifiers that `loads` reads.
    try:
        return qasm3.loads(source)
    except qasm3.QASM3Error as error:
        raise _located(error.message, _PLACE_QASM3, source, "") from None
    except QASM3ParsingError as error:
        raise _qasm3_syntax(error, source) from None
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        # openqasm3 meets some malformed sources with an exception of its own internals.
        raise CircuitError(f"The OpenQASM 3 source cannot be read: {type(error).__name__}: {error}") from None


def _located(message: str, place: re.Pattern[str], source: str, hint: str) -> CircuitError:
    if found := place.match(message):
        line, column = int(found[1]), int(found[2])
        return CircuitError(found[3], line=line, column=column, text=line_of(source, line), hint=hint)
    return CircuitError(message, hint=hint)


def _qasm3_syntax(error: BaseException, source: str) -> CircuitError:
    """openqasm3's own message is often empty; the token it stumbled over stands in an exception further down."""
    if str(error):
        return _located(str(error), _PLACE_QASM3, source, "")
    below: BaseException | None = error
    while below is not None:
        token: Any = getattr(below, "offendingToken", None) or next(
            (t for a in below.args if (t := getattr(a, "offendingToken", None)) is not None), None
        )
        if token is not None:
            line, column = int(token.line), int(token.column)
            what = "the end of the file" if token.type == -1 else repr(str(token.text)[:80])
            return CircuitError(f"{what} was not expected here", line=line, column=column, text=line_of(source, line))
        below = below.__cause__ or below.__context__
    return CircuitError("The OpenQASM 3 source has a syntax error.")


def _read_qpy(data: bytes) -> QuantumCircuit:
    if data.startswith(_MAGIC_BASE64):
        try:
            data = base64.b64decode(b"".join(data.split()), validate=True)
        except binascii.Error as error:
            raise CircuitError(f"The base64 of the QPY data is broken: {error}.") from None
    try:
        circuit = load_canonical(data)
    except CircuitError:
        raise
    except MemoryError:
        raise
    except BaseException as error:  # a panic in Qiskit's Rust is a BaseException
        raise CircuitError(
            f"The QPY data cannot be read: {type(error).__name__}: {say(error)}",
            hint="Write it with qiskit.qpy.dump, and send the file as it is.",
        ) from None
    _check_classes(circuit)
    return circuit


def load_canonical(data: bytes) -> QuantumCircuit:
    """The one circuit in QPY bytes that `dump` wrote. **Never for bytes from outside**: see the top of this file.

    Raises CircuitError when the data does not hold exactly one circuit.
    """
    from qiskit import QuantumCircuit

    programs = load_all(data)
    if len(programs) != 1 or type(programs[0]) is not QuantumCircuit:
        raise CircuitError(
            f"The QPY data holds {len(programs)} programs, and must hold exactly one circuit.",
            hint="Submit each circuit as its own job, or run them as PUBs of one: qtasks.primitives.SamplerV2.",
        )
    return programs[0]


def load_all(data: bytes) -> list[QuantumCircuit]:
    """The circuits in QPY bytes that `dump` or `dump_all` wrote. **Never for bytes from outside.**"""
    from qiskit import qpy

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a file by a newer Qiskit; what it cannot read is an error anyway
        programs: list[QuantumCircuit] = qpy.load(io.BytesIO(data))
    return programs


def _check_classes(circuit: QuantumCircuit, depth: int = 0) -> None:
    """Refuses what qpy.load resolved to something that is no instruction, and nesting beyond all use."""
    from qiskit.circuit import Operation

    if depth > 64:
        raise CircuitError("The circuit nests blocks more than 64 deep.", reason="TooLarge")
    for instruction in circuit.data:
        if instruction.is_standard_gate():
            continue
        operation = instruction.operation
        if not isinstance(operation, Operation) or not home_module(operation).startswith("qiskit."):
            raise CircuitError(
                f"The QPY data names {type(operation).__name__!r}, which is not an instruction of Qiskit."
            )
        for block in getattr(operation, "blocks", ()):
            _check_classes(block, depth + 1)


def dump(circuit: QuantumCircuit) -> bytes:
    """The circuit as canonical QPY: one program, one fixed version, the name kept, the metadata dropped.

    Gates with a definition of their own get random names inside QPY, so equal circuits may have different bytes:
    compare fingerprints instead. Qiskit 2.6's QPY loses the unit of a delay that is not in `dt`.
    """
    from qiskit import qpy

    metadata, circuit.metadata = circuit.metadata, {}
    try:
        out = io.BytesIO()
        qpy.dump(circuit, out, version=QPY_VERSION)
        return out.getvalue()
    finally:
        circuit.metadata = metadata


def dump_all(circuits: Sequence[QuantumCircuit]) -> bytes:
    """Several circuits as one file of QPY, their metadata kept."""
    from qiskit import qpy

    out = io.BytesIO()
    qpy.dump(list(circuits), out, version=QPY_VERSION)
    return out.getvalue()
