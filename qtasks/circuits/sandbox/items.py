"""The items of one request, as the client keeps them: what is asked of a child, and what it may answer. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from qtasks.circuits.errors import CircuitError
from qtasks.circuits.formats import FORMATS, PYTHON, QPY, detect
from qtasks.circuits.sandbox import answers
from qtasks.circuits.sandbox.answers import Bad, Checked, Good, Limits, Rejected, Source


@dataclass(slots=True)
class Item:
    """A source on its way: with an answer, or with the QPY that a second child has still to verify."""

    source: Source
    format: str
    data: bytes
    analyse: bool
    answer: Checked | Rejected | None = None
    source_format: str = ""
    """The format of the source itself; `format` is of what is read next."""
    qpy: bytes = field(default=b"")
    output: str = ""
    notes: tuple[str, ...] = ()

    def verify(self) -> None:
        """From here on it is the first child's QPY that is read, and what is found in it is the answer."""
        self.format, self.data, self.analyse = QPY, self.qpy, True


def item(source: Source, limits: Limits) -> Item:
    made = Item(source, "", source.data, False)
    if len(source.data) > limits.input_bytes:
        made.answer = Rejected(
            source.id,
            "TooLarge",
            f"The circuit is {len(source.data):,} bytes long; {limits.input_bytes:,} are allowed.",
            "Submit it as QPY, or split it.",
        )
        return made
    try:
        made.format = source.format or detect(source.data)
    except CircuitError as error:
        made.answer = Rejected(source.id, **error.as_data())
        return made
    if made.format not in FORMATS:
        made.answer = Rejected(
            source.id,
            "UnsupportedFormat",
            f"The format {made.format[:40]!r} is not known.",
            f"One of: {', '.join(FORMATS)}.",
        )
    made.source_format = made.format
    made.analyse = made.format not in (PYTHON, QPY)
    return made


def wanted(index: int, item: Item) -> dict[str, object]:
    first = item.data is item.source.data
    return {
        "id": index,
        "format": item.format,
        "size": len(item.data),
        "parameters": dict(item.source.parameters or {}) if first else {},
        "analyse": item.analyse,
        "measured": item.source.measured,
        "bound": item.source.bound,
    }


def take(item: Item, index: int, header: bytes, qpy: bytes) -> bool:
    """Puts a child's answer into its item; False when the answer is not what a child of ours would say."""
    answer = answers.parse(header)
    if answer is None or answer.id != index:
        return False
    output = item.output or answer.output
    item.notes = item.notes or tuple(answer.notes)
    if isinstance(answer, Bad):
        item.answer = answers.refused(item.source.id, answer.error, output, item.notes)
        return True
    return _good(item, answer, qpy, output)


def _good(item: Item, answer: Good, qpy: bytes, output: str) -> bool:
    if not qpy.startswith(b"QISKIT"):
        return False
    item.output = output
    if not item.analyse:
        item.qpy = qpy
        return True
    if answer.analysis is None or answer.fingerprint is None:
        return False
    item.answer = Checked(item.source.id, qpy, answer.analysis, answer.fingerprint, output, item.notes)
    return True
