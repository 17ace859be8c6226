"""What a user hands over to run several circuits as one job: circuits, and the PUBs that say how each is run. Pure."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qtasks.circuits.formats import QASM2, QASM3, QPY
from qtasks.circuits.pubs import shapes
from qtasks.circuits.pubs.reading import Place, finite, invalid, read
from qtasks.circuits.pubs.shapes import Shape

SAMPLER, ESTIMATOR = "sampler", "estimator"
MAX_CIRCUITS = 200
MAX_RUNS = 10_000
MAX_SHOTS = 100_000
MAX_VALUES = 100_000
"""Expectation values of one job."""
MAX_TERMS = 2_000_000
"""Terms that the expectation values of one job add up, each as often as it is used."""
MAX_DIMENSIONS = 16
MAX_PARAMETERS = 100_000
_FORMATS = (QPY, QASM2, QASM3)
_LETTERS = frozenset("IXYZ")


@dataclass(frozen=True, slots=True)
class Given:
    """A circuit as it was handed over."""

    format: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Observables:
    """An array of observables, in C order: each a sum of Paulis, by label (the last letter is qubit 0), with real
    weights."""

    terms: tuple[Mapping[str, float], ...]
    shape: Shape


@dataclass(frozen=True, slots=True)
class Pub:
    """How one circuit is run: with each row of values, for so many shots; observables are an estimator's."""

    circuit: int
    parameters: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]
    """A row for each element of an array of shape `shape`, in C order."""
    shape: Shape
    shots: int
    """Of one run: of each row, and, for an estimator, of each basis that is measured."""
    observables: Observables | None = None
    precision: float | None = None
    """The standard error that `shots` follow from, where one was asked for."""


@dataclass(frozen=True, slots=True)
class Container:
    """The payload of a job of several circuits."""

    program: str
    circuits: tuple[Given, ...]
    pubs: tuple[Pub, ...]


def parse(data: bytes, *, program: str, shots: int) -> Container:
    """The container in JSON text. `program`: `sampler` or `estimator`; `shots`: of PUBs that name none.

    Raises InvalidInput: `InvalidPubs` with the path of what is wrong, and `UnsupportedFormat`, `InvalidParameter`,
    `InvalidObservable`, `InvalidPrecision`, `ShapesDiffer`, `TooManyRuns`, `TooManyTerms`.
    """
    fields = read(data, "The payload").fields(("circuits", "pubs"))
    circuits = tuple(
        _circuit(place) for place in _named(fields["circuits"], "circuits").each(least=1, most=MAX_CIRCUITS)
    )
    places = _named(fields["pubs"], "pubs").each(least=1, most=MAX_RUNS)
    pubs = tuple(_pub(place, len(circuits), program, shots) for place in places)
    if sum(shapes.size(pub.shape) for pub in pubs) > MAX_RUNS:
        raise too_many_runs(sum(shapes.size(pub.shape) for pub in pubs))
    _check_work(pubs)
    unused = set(range(len(circuits))) - {pub.circuit for pub in pubs}
    if unused:
        raise invalid(f"circuits[{min(unused)}] belongs to no PUB.")
    return Container(program, circuits, pubs)


def too_many_runs(number: int) -> Exception:
    return invalid(
        f"The job has {number:,} runs (points times measured bases); at most {MAX_RUNS:,} are taken.",
        reason="TooManyRuns",
        hint="Spread the PUBs over several jobs.",
    )


def _check_work(pubs: Sequence[Pub]) -> None:
    """What adding up the expectation values takes must be bounded: their number is a product of two shapes."""
    values = terms = 0
    for pub in pubs:
        if pub.observables is not None:
            whole = shapes.size(shapes.broadcast(pub.shape, pub.observables.shape) or ())
            values += whole
            terms += whole // len(pub.observables.terms) * sum(map(len, pub.observables.terms))
    if values > MAX_VALUES or terms > MAX_TERMS:
        raise invalid(
            f"The job has {values:,} expectation values of {terms:,} terms together; at most {MAX_VALUES:,} and "
            f"{MAX_TERMS:,} are taken.",
            reason="TooManyTerms",
            hint="Spread the observables or the values over several jobs.",
        )


def _named(place: Place, name: str) -> Place:
    return Place(place.value, name)


def _circuit(place: Place) -> Given:
    fields = place.fields(("format", "code"))
    fmt, code = fields["format"].text(), fields["code"].text()
    if fmt not in _FORMATS:
        raise invalid(
            f"{place.path}.format is {fmt[:40]!r}.", reason="UnsupportedFormat", hint=f"One of: {', '.join(_FORMATS)}."
        )
    if fmt != QPY:
        return Given(fmt, code.encode("utf-8", "surrogatepass"))
    try:
        return Given(fmt, base64.b64decode(code, validate=True))
    except (binascii.Error, ValueError):
        raise invalid(f"{place.path}.code is not base64.", hint="QPY goes into JSON as base64 text.") from None


def _pub(place: Place, circuits: int, program: str, shots: int) -> Pub:
    if program == SAMPLER:
        fields = place.fields(("circuit", "parameters", "values", "shape"), ("shots",))
    else:
        fields = place.fields(("circuit", "observables", "parameters", "values", "shape"), ("precision",))
    shape = _shape(fields["shape"])
    names = tuple(name.text() for name in fields["parameters"].each(most=MAX_PARAMETERS))
    if len(set(names)) < len(names):
        raise invalid(f"{place.path}.parameters names a parameter twice.")
    precision = None
    if "precision" in fields:
        precision, shots = _precision(fields["precision"])
    elif "shots" in fields:
        shots = fields["shots"].integer(1, MAX_SHOTS)
    observables = _observables(fields["observables"], shape) if program == ESTIMATOR else None
    return Pub(
        circuit=fields["circuit"].integer(0, circuits - 1),
        parameters=names,
        values=_values(fields["values"], len(names), shape),
        shape=shape,
        shots=shots,
        observables=observables,
        precision=precision,
    )


def _shape(place: Place) -> Shape:
    return tuple(length.integer(1, MAX_VALUES) for length in place.each(most=MAX_DIMENSIONS))


def _values(place: Place, columns: int, shape: Shape) -> tuple[tuple[float, ...], ...]:
    wanted = shapes.size(shape)
    if wanted > MAX_RUNS:
        raise too_many_runs(wanted)
    rows = place.each()
    if len(rows) != wanted:
        raise invalid(f"{place.path} has {len(rows):,} rows; shape {list(shape)} has {wanted:,} elements.")
    found = []
    for row in rows:
        numbers = row.list()
        if len(numbers) != columns:
            raise invalid(f"{row.path} has {len(numbers):,} numbers for {columns:,} parameters.")
        found.append(tuple(finite(number, row.path) for number in numbers))
    return tuple(found)


def _precision(place: Place) -> tuple[float, int]:
    """The precision, and the shots that it takes, as Qiskit's BackendEstimatorV2 counts them."""
    precision = place.number()
    least = 1 / math.sqrt(MAX_SHOTS)
    if precision < least / 2 or (shots := math.ceil(1.0 / precision**2)) > MAX_SHOTS:
        raise invalid(
            f"{place.path} is {precision:g}; it must be at least {least:.6f}, which takes {MAX_SHOTS:,} shots.",
            reason="InvalidPrecision",
            hint="Ask for a larger standard error.",
        )
    return precision, shots


def _observables(place: Place, shape: Shape) -> Observables:
    fields = place.fields(("terms", "shape"))
    own = _shape(fields["shape"])
    terms = fields["terms"].each(least=1)
    if len(terms) != shapes.size(own):
        raise invalid(
            f"{fields['terms'].path} has {len(terms):,} observables; shape {list(own)} has {shapes.size(own):,}."
        )
    found = Observables(tuple(_sum(term) for term in terms), own)
    if shapes.broadcast(shape, own) is None:
        raise invalid(
            f"{place.path}: the shapes {list(own)} of the observables and {list(shape)} of the values do not fit.",
            reason="ShapesDiffer",
            hint="They must broadcast, as NumPy's do: equal, or 1, from the last dimension on.",
        )
    width = {len(label) for term in found.terms for label in term}
    if len(width) > 1:
        raise invalid(
            f"{place.path} has labels of {min(width)} and of {max(width)} letters.",
            reason="InvalidObservable",
            hint="Every label has a letter for each qubit of the circuit.",
        )
    return found


def _sum(place: Place) -> Mapping[str, float]:
    found = {}
    for label, weight in place.items():
        if not label or not _LETTERS.issuperset(label):
            raise invalid(
                f"{place.path} has the label {label[:60]!r}.",
                reason="InvalidObservable",
                hint="A label is made of I, X, Y and Z, one letter for each qubit.",
            )
        found[label] = weight.number()
    if not found:
        raise invalid(f"{place.path} has no term.", reason="InvalidObservable", hint="Give 0 as the identity times 0.")
    return found
