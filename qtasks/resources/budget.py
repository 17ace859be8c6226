"""`QiskitBudget`: what the jobs of a namespace may cost."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from qtasks.resources.model import Model, Number, Price, Range, Share
from qtasks.resources.names import Email, Line
from qtasks.resources.resource import Resource


class Period(StrEnum):
    """After which time a budget starts anew."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    YEARLY = "yearly"
    TOTAL = "total"


class JobBudget(Model):
    """What one job may cost."""

    max_cost: Price | None = None
    """Most that the job may cost, in US dollars; no limit of its own when absent."""
    cost_center: Line | None = None
    """Whom the cost is attributed to."""
    alert_threshold: Share | None = None
    """Share of maxCost at which an alert is sent, 0 to 1; none when absent."""


class BudgetSpec(Model):
    """A limit on what jobs cost together."""

    limit: Price
    """Most that may be spent in one period, in US dollars."""
    period: Period
    """After which time the budget starts anew; total never does."""
    alert_thresholds: tuple[Annotated[Number, Range(0, 100)], ...] = ()
    """Percentages of the limit at which an alert is sent, 0 to 100."""
    notification_email: Email | None = None
    """Whom alerts are sent to."""


class QiskitBudget(Resource):
    """What the jobs of a namespace may cost."""

    kind: Literal["QiskitBudget"] = "QiskitBudget"
    """Kind of resource."""
    spec: BudgetSpec
    """The limit."""
