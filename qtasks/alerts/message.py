"""What an alert says: a sentence, a text for people, and JSON for programs. Pure."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from qtasks.resources import Money
from qtasks.resources.periods import shown
from qtasks.results import timestamp
from qtasks.store.alerts import Alert, JobCost, Standing


def sentence(alert: Alert) -> str:
    """The alert in one line."""
    about, budget = alert.about, f"{alert.namespace}/{alert.budget}"
    if isinstance(about, JobCost):
        cost, most = (Money.from_micros(micros) for micros in (about.cost_micros, about.max_micros))
        return (
            f"Job {alert.namespace}/{about.name} has cost {cost}, {_number(alert.percent)} % of its maxCost of {most}."
        )
    return (
        f"Budget {budget} has reached {_number(alert.threshold)} % of its limit: {_number(alert.percent)} % are used."
    )


def subject(alert: Alert) -> str:
    """The alert in few words."""
    about = alert.about
    what = (
        f"Job {alert.namespace}/{about.name}"
        if isinstance(about, JobCost)
        else f"Budget {alert.namespace}/{alert.budget}"
    )
    return f"[qtasks] {what}: {_number(alert.percent)} %"


def text(alert: Alert) -> str:
    """The alert for people, with what happens next."""
    about = alert.about
    rows, following = _job(alert, about) if isinstance(about, JobCost) else _budget(alert, about)
    width = max(map(len, rows)) + 3
    table = "\n".join(f"{name + ':':<{width}}{value}" for name, value in rows.items())
    return f"{sentence(alert)}\n\n{table}\n\n{following}\n"


def _budget(alert: Alert, about: Standing) -> tuple[dict[str, str], str]:
    rows = {"Budget": f"{alert.namespace}/{alert.budget}", "Period": _period(about)}
    if about.limit_micros is not None:
        rows["Limit"] = str(Money.from_micros(about.limit_micros))
    rows["Spent"] = str(Money.from_micros(about.settled_micros))
    rows["Reserved"] = f"{Money.from_micros(about.reserved_micros)}, for jobs under way"
    if about.limit_quantum is not None:
        rows["Quantum time limit"] = _seconds(about.limit_quantum)
    if about.limit_quantum is not None or about.settled_quantum or about.reserved_quantum:
        rows["Quantum time used"] = _seconds(about.settled_quantum)
        rows["Quantum time reserved"] = _seconds(about.reserved_quantum)
    rows["Used"] = f"{_number(alert.percent)} % of the limit, spent and reserved together"
    rows["Told at"] = shown(alert.at, about.time_zone)
    turns = "" if about.end is None else f"the period turns, {shown(_moment(about.end), about.time_zone)}, or until "
    if alert.percent >= 100:
        what = f"No further job that it is for is started until {turns}the limit is raised. Those under way go on."
    else:
        what = f"Jobs go on. One that passes the limit waits until {turns}the limit is raised."
    return rows, what


def _job(alert: Alert, about: JobCost) -> tuple[dict[str, str], str]:
    rows = {
        "Job": f"{alert.namespace}/{about.name}",
        "Budget": f"{alert.namespace}/{alert.budget}",
        "Cost": str(Money.from_micros(about.cost_micros)),
        "maxCost": str(Money.from_micros(about.max_micros)),
        "Told at": f"{_number(alert.threshold)} % (alertThreshold), {shown(alert.at, 'UTC')}",
    }
    return rows, "A job that passes its maxCost while it runs is cancelled, and billed for what it used."


def payload(alert: Alert) -> bytes:
    """The alert for programs, as UTF-8 JSON in the form of Standard Webhooks: type, timestamp, data."""
    about = alert.about
    common = {
        "id": alert.id,
        "namespace": alert.namespace,
        "budget": alert.budget,
        "threshold": alert.threshold,
        "percent": round(alert.percent, 2),
        "message": sentence(alert),
    }
    data = {**common, **(_job_data(about) if isinstance(about, JobCost) else _budget_data(about))}
    kind = "job.threshold" if isinstance(about, JobCost) else "budget.threshold"
    return json.dumps({"type": kind, "timestamp": timestamp(alert.at), "data": data}).encode()


def _budget_data(about: Standing) -> dict[str, Any]:
    limit, quantum = about.limit_micros, about.limit_quantum
    start, end = (None if at is None else timestamp(_moment(at)) for at in (about.start, about.end))
    return {
        "period": {"name": about.period, "start": start, "end": end, "timeZone": about.time_zone},
        "limit": None if limit is None else str(Money.from_micros(limit)),
        "spent": str(Money.from_micros(about.settled_micros)),
        "reserved": str(Money.from_micros(about.reserved_micros)),
        "quantumSeconds": {
            "limit": None if quantum is None else quantum / 1e6,
            "used": about.settled_quantum / 1e6,
            "reserved": about.reserved_quantum / 1e6,
        },
    }


def _job_data(about: JobCost) -> dict[str, Any]:
    cost, most = (str(Money.from_micros(micros)) for micros in (about.cost_micros, about.max_micros))
    return {"job": about.name, "cost": cost, "maxCost": most}


def _period(about: Standing) -> str:
    if about.start is None or about.end is None:
        return about.period
    start, end = (shown(_moment(at), about.time_zone) for at in (about.start, about.end))
    return f"{about.period}, {start} to {end}"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _number(value: float) -> str:
    """Cut, not rounded: 99.999 is not yet 100."""
    return f"{int(value * 100 + 1e-6) / 100:g}" if value < 1e6 else f"{value:.3g}"


def _seconds(micros: int) -> str:
    return f"{micros / 1e6:g} s"
