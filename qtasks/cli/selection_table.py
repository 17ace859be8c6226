"""The texts of `qtasks explain` and `qtasks estimate`: candidates, their scores, and what these were worked out from.

Pure: documents in, text out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from qtasks.cli import ages
from qtasks.cli.account_table import quantum
from qtasks.cli.backend_table import UNKNOWN, short_device
from qtasks.cli.descriptions import past_estimates
from qtasks.cli.job_table import NOTHING
from qtasks.cli.table import lines_of, table

if TYPE_CHECKING:
    from rich.text import Text

Document = Mapping[str, Any]
Column = tuple[str, Callable[[Document], str]]

CHOSEN = "* "
_WHY_WIDTH = 28
"""Columns that the reasons need at least, for a layout to count as fitting."""
_LEAST = {"DEVICE": 14, "ACCOUNT": 6}


def _score(name: str) -> Callable[[Document], str]:
    def shown(candidate: Document) -> str:
        scores = candidate["scores"]
        return NOTHING_SCORED if scores is None else f"{scores[name]:.2f}"

    return shown


NOTHING_SCORED = "-"


def price(candidate: Document) -> str:
    """What the job is thought to cost there."""
    return UNKNOWN if candidate["cost"] is None else dollars(candidate["cost"])


def dollars(amount: str) -> str:
    """An amount as "$1.60", with more decimals where it has them."""
    from qtasks.resources import Money

    return str(Money(Decimal(amount)))


def wait(candidate: Document) -> str:
    return UNKNOWN if candidate["waitSeconds"] is None else ages.human(candidate["waitSeconds"])


def fidelity(candidate: Document) -> str:
    """The expected fidelity; `~` where the circuit was not compiled for the device."""
    value = candidate["fidelity"]
    guess = "~" if candidate["fidelityBasis"] == "estimated" else ""
    return UNKNOWN if value is None else f"{guess}{value:.3g}"


def why_not(candidate: Document) -> str:
    return candidate["whyNot"]["message"] if candidate["whyNot"] else ""


_DEVICE: Column = ("DEVICE", lambda candidate: candidate["device"])
_SHORT: Column = ("DEVICE", lambda candidate: short_device(candidate["device"]))
_SHORTEST: Column = ("DEVICE", lambda candidate: "/".join(candidate["device"].split("/")[-2:]))
_ACCOUNT: Column = ("ACCOUNT", lambda candidate: candidate["account"] or NOTHING_SCORED)
_TOTAL: Column = ("SCORE", _score("total"))
_FIGURES: tuple[Column, ...] = (("PRICE", price), ("WAIT", wait), ("FIDELITY", fidelity))
_WHY: Column = ("WHY NOT", why_not)


def _parts(*titles: str) -> tuple[Column, ...]:
    names = ("cost", "queueTime", "capability", "availability")
    return tuple((title, _score(name)) for title, name in zip(titles, names, strict=True))


_FULL = _parts("COST", "QUEUE", "CAPABILITY", "AVAILABILITY")
_BRIEF = _parts("COST", "QUEUE", "CAP", "AVAIL")
_LAYOUTS: tuple[tuple[Column, ...], ...] = (
    (_DEVICE, _ACCOUNT, _TOTAL, *_FULL, *_FIGURES, _WHY),
    (_SHORT, _ACCOUNT, _TOTAL, *_BRIEF, *_FIGURES, _WHY),
    (_SHORT, _ACCOUNT, _TOTAL, *_BRIEF, *_FIGURES),
    (_SHORT, _TOTAL, *_BRIEF, *_FIGURES),
    (_SHORTEST, _TOTAL, *_BRIEF, *_FIGURES),
)
"""Where there is no room for the reasons beside the figures, they stand below; the accounts go last."""


def selection_text(selection: Document, *, width: int | None = None) -> Text:
    """The table of a choice, the chosen device marked with `*` and first; what does not fit beside it, below."""
    candidates = selection["candidates"]
    layout = _layout(candidates, width)
    parts = [_table(selection, layout, width)] if candidates else []
    notes = list(_notes(candidates, reasons=_WHY not in layout))
    if notes:
        from rich.text import Text

        parts.append(Text("Notes:", style="bold"))
        parts.append(lines_of(notes, indent=2, width=width))
    return _joined(parts)


def _table(selection: Document, layout: tuple[Column, ...], width: int | None) -> Text:
    rows = [[cell(one) for _, cell in layout] for one in selection["candidates"]]
    if selection["chosen"] is not None:
        rows[0][0] = CHOSEN + rows[0][0]
    titles = [title for title, _ in layout]
    drawn = table(titles, rows, width=width, least=_LEAST, wrap=_WHY in layout, close=True)
    if selection["chosen"] is not None:
        lines = drawn.split("\n")
        lines[1].stylize("green")
        return _joined(list(lines))
    return drawn


def _layout(candidates: Sequence[Document], width: int | None) -> tuple[Column, ...]:
    """The first layout that fits, with room for the reasons where it has them."""
    refused = any(one["whyNot"] for one in candidates)

    def needed(columns: tuple[Column, ...]) -> int:
        cells = [max([len(title), *(len(cell(one)) for one in candidates)]) for title, cell in columns]
        if columns[-1] is _WHY:
            cells[-1] = min(cells[-1], _WHY_WIDTH) if refused else len(_WHY[0])
        return sum(cells) + 2 * (len(columns) - 1) + len(CHOSEN)

    return next((one for one in _LAYOUTS if width is None or needed(one) <= width), _LAYOUTS[-1])


def _notes(candidates: Sequence[Document], *, reasons: bool) -> Iterator[tuple[str, str]]:
    """What is to be known of the figures, by device; with `reasons`, why those that are refused are not used."""
    names = [short_device(one["device"]) for one in candidates]
    for name, one in zip(names, candidates, strict=True):
        said = [*([why_not(one)] if reasons and one["whyNot"] else []), *one["notes"]]
        if said:
            yield name if names.count(name) == 1 else f"{name} ({one['account']})", "; ".join(said)


def weights_text(weights: Document) -> str:
    """The weights of the scores, as shares of their sum: `cost 70 %, queue time 20 %, …`."""
    names = (
        ("cost", "cost"),
        ("queueTime", "queue time"),
        ("capability", "capability"),
        ("availability", "availability"),
    )
    total = sum(float(weights[key]) for key, _ in names)
    shares = ", ".join(f"{name} {100 * float(weights[key]) / total:.3g} %" for key, name in names)
    return f"{shares} ({weights['preset']})" if weights.get("preset") else shares


def _outcome(document: Document) -> list[tuple[str, str]]:
    selection = document["selection"]
    pairs = [
        ("Decision", f"{selection['message']} [{selection['reason']}]"),
        ("Weights", weights_text(document["weights"])),
    ]
    if selection["chosen"] is None:
        again = "It is looked at again: this may change." if selection["heals"] else "Waiting does not change this."
        return [*pairs, ("Hope", again)]
    chosen = selection["candidates"][0]
    most = chosen["upperBoundCost"]
    above = f", at most {dollars(most)}" if most is not None and most != chosen["cost"] else ""
    pairs += [
        ("Cost", f"{price(chosen)}{above}"),
        ("Price", chosen["price"] or NOTHING),
        ("Starts", _starts(chosen)),
    ]
    if chosen["quantumSeconds"] is not None:
        pairs.append(("Quantum time", f"about {quantum(chosen['quantumSeconds'])}"))
    if chosen["calibration"]:
        pairs.append(("Calibration", chosen["calibration"][:12]))
    return pairs


def _starts(chosen: Document) -> str:
    if chosen["waitSeconds"] is None:
        return UNKNOWN
    when = f"in about {wait(chosen)}" if chosen["waitSeconds"] >= 1 else "at once"
    return f"{when}: {chosen['waitIs']}"


def explanation_text(document: Document, *, width: int | None = None) -> Text:
    """Why a job runs where it does, for a person."""
    job, selection = document["job"], document["selection"]
    head = [("Job", f"{job['namespace']}/{job['name']}"), ("Attempt", str(job["attempt"]))]
    if selection["at"]:
        head.append(("Decided", selection["at"]))
    tail = _outcome(document)
    if selection["omitted"]:
        tail.append(("Left out", f"{selection['omitted']} more candidates, which scored less"))
    tail += [
        (f"Attempt {one['attempt']}", f"{one['selection']['message']} [{one['selection']['reason']}]")
        for one in document["earlier"]
    ]
    tail.append(("Past estimates", past_estimates(document["estimates"])))
    return _joined([lines_of(head, width=width), selection_text(selection, width=width), lines_of(tail, width=width)])


def estimate_text(document: Document, *, width: int | None = None) -> Text:
    """What a job would run on, and cost, for a person."""
    job = document["job"]
    name = f"{job['namespace']}/{job['name']}" if job["name"] else f"in namespace {job['namespace']}"
    head = lines_of([("Job", name)], width=width)
    return _joined(
        [head, selection_text(document["selection"], width=width), lines_of(_outcome(document), width=width)]
    )


def _joined(parts: Sequence[Text]) -> Text:
    from rich.text import Text

    return Text("\n").join(parts)
