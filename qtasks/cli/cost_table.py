"""What `qtasks costs` shows: a table with bars, a document, or CSV. Pure: groups of costs in, text out."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from qtasks.cli.account_table import quantum
from qtasks.cli.job_table import NOTHING
from qtasks.cli.table import table

if TYPE_CHECKING:
    from rich.text import Text

Group = Mapping[str, Any]

TOTAL = "<total>"
_LABEL = "label:"
_CHART = "SPENT █ RESERVED ▒"
_LONGEST_BAR = 40
_LEAST_KEY = 10
_GAP = 2
_SEVERAL = ("backend", "account", "month")
"""Where attempts of one job may count in several groups, so that jobs cannot be added up."""


def micros(amount: Decimal) -> int:
    """US dollars as micro-dollars, exact."""
    return int(amount.scaleb(6))


def key_of(by: str, group: Group) -> str:
    """What the jobs of a group have in common, in words; of a job its name where there still is one."""
    if by == "job" and group.get("name"):
        return str(group["name"])
    key = group[by.removeprefix(_LABEL)]
    return NOTHING if key is None else str(key)


def total(by: str, groups: Sequence[Group]) -> dict[str, Any]:
    """What the groups come to, in micro-dollars and seconds; `jobs` is None where they cannot be added up."""
    return {
        "spent": sum(micros(group["spent"]) for group in groups),
        "reserved": sum(micros(group["reserved"]) for group in groups),
        "quantumSeconds": round(sum(group["quantumSeconds"] for group in groups), 6),
        "jobs": None if by in _SEVERAL else sum(group["jobs"] for group in groups),
        "unpriced": sum(group["unpriced"] for group in groups),
    }


def cost_table(by: str, groups: Sequence[Group], *, width: int | None = None) -> Text:
    """A line for each group, with a bar of what is spent and reserved, and one for all together. Amounts are exact, and
    have as many decimals as the one that needs most."""
    all_of = total(by, groups)
    unpriced = ("UNPRICED",) if all_of["unpriced"] else ()
    spent = _amounts([*(micros(group["spent"]) for group in groups), all_of["spent"]])
    reserved = _amounts([*(micros(group["reserved"]) for group in groups), all_of["reserved"]])
    jobs = _right([*(str(group["jobs"]) for group in groups), "" if all_of["jobs"] is None else str(all_of["jobs"])])
    time = _right([*(quantum(group["quantumSeconds"]) for group in groups), quantum(all_of["quantumSeconds"])])
    missing = _right([*(str(group["unpriced"]) for group in groups), str(all_of["unpriced"])])
    keys = [*(key_of(by, group) for group in groups), TOTAL]
    titles = [by.removeprefix(_LABEL).upper(), "SPENT", "RESERVED", "QUANTUM", "JOBS", *unpriced, _CHART]
    columns: list[Sequence[str]] = [keys, spent, reserved, time, jobs, *([missing] if unpriced else [])]
    taken = sum(max(map(len, [title, *cells])) + _GAP for title, cells in zip(titles, columns, strict=False))
    room = _LONGEST_BAR if width is None else min(_LONGEST_BAR, max(len(_CHART), width - taken))
    bars = [*_bars(groups, room), ""]
    rows = list(zip(*columns, bars, strict=True))
    return table(titles, rows, width=width, least={titles[0]: _LEAST_KEY}, close=True)


def _bars(groups: Sequence[Group], room: int) -> Iterable[str]:
    """A bar for each group, the longest of all of them `room` long; some is never shown as none."""
    longest = max((micros(group["spent"]) + micros(group["reserved"]) for group in groups), default=0)
    for group in groups:
        spent, reserved = micros(group["spent"]), micros(group["reserved"])
        both = max(1, round(room * (spent + reserved) / longest)) if spent + reserved > 0 else 0
        solid = round(both * spent / (spent + reserved)) if both else 0
        if spent and reserved and both > 1:
            solid = min(max(solid, 1), both - 1)
        yield "█" * solid + "▒" * (both - solid)


def _amounts(amounts: Sequence[int]) -> list[str]:
    """Micro-dollars as dollars below each other, their points in one column."""
    decimals = max(len(f"{abs(amount) % 10**6:06d}".rstrip("0")) for amount in amounts)
    return _right(
        [f"{'-' if amount < 0 else ''}${Decimal(abs(amount)).scaleb(-6):,.{max(2, decimals)}f}" for amount in amounts]
    )


def _right(cells: Sequence[str]) -> list[str]:
    longest = max(map(len, cells))
    return [cell.rjust(longest) for cell in cells]


def document(
    by: str,
    groups: Sequence[Group],
    *,
    namespace: str | None,
    since: str | None,
    until: str | None,
    discrepancies: Sequence[str] = (),
) -> dict[str, Any]:
    """The costs as plain JSON data: amounts as whole micro-dollars, and as decimal text in US dollars."""
    name = by.removeprefix(_LABEL)
    all_of = total(by, groups)
    return {
        "kind": "Costs",
        "by": by,
        "namespace": namespace,
        "since": since,
        "until": until,
        "currency": "USD",
        "groups": [
            {
                "key": group[name],
                **({"name": group["name"]} if "name" in group and by == "job" else {}),
                **_money(micros(group["spent"]), micros(group["reserved"])),
                **{key: group[key] for key in ("quantumSeconds", "jobs", "unpriced")},
            }
            for group in groups
        ],
        "total": {**all_of, **_money(all_of["spent"], all_of["reserved"])},
        "discrepancies": list(discrepancies),
    }


def _money(spent: int, reserved: int) -> dict[str, Any]:
    return {
        "spent": _plain(spent),
        "reserved": _plain(reserved),
        "spentMicros": spent,
        "reservedMicros": reserved,
    }


def _plain(amount: int) -> str:
    return f"{Decimal(amount).scaleb(-6):.6f}"


def csv_text(by: str, groups: Sequence[Group]) -> str:
    """The groups as CSV (RFC 4180 with plain line ends), amounts in US dollars with all six decimals; no line of
    totals."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = ["name"] if by == "job" else []
    key = by.removeprefix(_LABEL)
    writer.writerow([key, *names, "spent_usd", "reserved_usd", "quantum_seconds", "jobs", "unpriced"])
    for group in groups:
        money = _money(micros(group["spent"]), micros(group["reserved"]))
        more = [group["name"]] if names else []
        rest = [group["quantumSeconds"], group["jobs"], group["unpriced"]]
        writer.writerow([group[key], *more, money["spent"], money["reserved"], *rest])
    return out.getvalue()
