"""What goes into the sandbox and what comes out, and the schema that a child's answers must fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from qtasks.circuits.analysis import Analysis
from qtasks.circuits.errors import MESSAGE_CHARACTERS, CircuitError, plain
from qtasks.circuits.python import notes as source_notes


@dataclass(frozen=True, slots=True)
class Source:
    """One circuit to be checked. `format` None: look at the bytes. `parameters` are bound by name, in the sandbox."""

    id: str
    format: str | None
    data: bytes
    parameters: Mapping[str, float] | None = None
    measured: bool = True
    """Refuse a circuit without a measurement (`NothingMeasured`); False for an estimator's."""
    bound: bool = True
    """Refuse a circuit with unbound parameters (`UnboundParameters`); False where the PUB carries their values."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one source may use. Bytes of memory are beyond what the warm process already maps."""

    wall_seconds: float = 30.0
    cpu_seconds: float | None = None
    """CPU time; None: as much as the wall clock allows."""
    memory_bytes: int = 2 * 2**30
    input_bytes: int = 8 * 2**20
    output_bytes: int = 64 * 2**20
    """Largest canonical QPY."""
    operations: int = 10_000_000
    """Most operations after unrolling every definition."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A circuit that passed: canonical QPY, what it is made of, and its fingerprint, all made outside the user's code.

    `output` is what a Python source printed, `notes` are sentences on what it tries to reach and will not find. Both
    are the user's text: show them as such.
    """

    id: str
    qpy: bytes
    analysis: Analysis
    fingerprint: str
    output: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """A circuit that did not pass: `reason` is a CamelCase code, `line` counts from 1, `text` is that line.

    `message`, `text`, `output` and `notes` may be the user's own words.
    """

    id: str
    reason: str
    message: str
    hint: str = ""
    line: int | None = None
    column: int | None = None
    text: str | None = None
    output: str = ""
    notes: tuple[str, ...] = ()

    def error(self) -> CircuitError:
        """The same as an exception."""
        return CircuitError(
            self.message, reason=self.reason, hint=self.hint, line=self.line, column=self.column, text=self.text
        )


REASONS = {
    "InvalidCircuit": "the circuit cannot be read, or is wrong",
    "InvalidSyntax": "the Python source is not Python",
    "ImportUnavailable": "the Python source imports what is not there",
    "SourceError": "the Python source raised an exception",
    "NoCircuit": "the Python source makes no circuit",
    "AmbiguousCircuit": "the Python source makes several circuits and chooses none",
    "MissingArguments": "the Python source's function needs arguments that have no value",
    "UnboundParameters": "parameters have no value",
    "UnknownParameters": "values are given for parameters that the circuit does not have",
    "InvalidParameter": "a value or an angle is not a finite number",
    "InvalidName": "a name contains what cannot be kept, or is endless",
    "ReservedName": "a gate of the circuit's own has the name of a standard one",
    "NothingMeasured": "the circuit has no measurement",
    "UnsupportedFormat": "the format is not one of python, qasm2, qasm3, qpy",
    "TooLarge": "the input, the circuit or its unrolled form is over a limit",
    "ValidationTimeout": "the wall clock or the CPU time ran out",
    "SandboxMemory": "the memory ran out",
    "SandboxCrashed": "the process that read it died, or answered nonsense",
}
"""Every reason a circuit is refused with."""


_Message = Annotated[str, Field(max_length=MESSAGE_CHARACTERS), AfterValidator(plain)]
_Line = Annotated[str, Field(max_length=1000), AfterValidator(plain)]
_Output = Annotated[str, Field(max_length=70_000), AfterValidator(plain)]
_Note = Annotated[str, Field(max_length=source_notes.CHARACTERS), AfterValidator(plain)]


class _Problem(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    reason: str
    message: _Message = ""
    hint: _Message = ""
    line: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    column: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    text: _Line | None = None


class _Answer(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    id: int
    output: _Output = ""
    notes: Annotated[list[_Note], Field(max_length=source_notes.MOST + 1)] = []


class Good(_Answer):
    ok: Literal[True]
    analysis: Analysis | None = None
    fingerprint: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None


class Bad(_Answer):
    ok: Literal[False]
    error: _Problem


_ADAPTER: TypeAdapter[Good | Bad] = TypeAdapter(Annotated[Good | Bad, Field(discriminator="ok")])

_OWN_WORDS = {
    "SandboxMemory": ("The circuit needs more memory than the sandbox gives.", "Make it smaller, or submit it as QPY."),
    "ValidationTimeout": ("The circuit was not ready in time.", "Make it faster, or raise timeouts.validation."),
    "SandboxCrashed": ("The process that read the circuit died.", "Check the source for code that crashes Python."),
}


def parse(header: bytes) -> Good | Bad | None:
    """A child's answer; None when it is not one."""
    try:
        answer = _ADAPTER.validate_json(header)
    except (ValidationError, RecursionError):
        return None
    if isinstance(answer, Bad) and answer.error.reason not in REASONS:
        return None
    return answer


def rejected(id: str, reason: str, output: str = "", message: str = "") -> Rejected:  # noqa: A002
    """A refusal in the sandbox's own words."""
    words, hint = _OWN_WORDS[reason]
    return Rejected(id, reason, message or words, hint, output=output)


def refused(id: str, problem: _Problem, output: str, notes: tuple[str, ...] = ()) -> Rejected:  # noqa: A002
    """A refusal in the child's words."""
    if problem.reason in _OWN_WORDS:
        return replace(rejected(id, problem.reason, output), notes=notes)
    data: dict[str, Any] = problem.model_dump()
    return Rejected(id, **data, output=output, notes=notes)
