"""`QiskitBudget`: what the jobs of a namespace may cost."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import Field, model_validator

from qtasks.resources.model import Model, Number, Price, Range, Share, Text
from qtasks.resources.names import Email, LabelKey, LabelValue, Line, Url
from qtasks.resources.problems import nearest, refuse
from qtasks.resources.resource import Resource

ALL = "*"
"""Every namespace, in a selector."""

_AnyNamespace = Annotated[
    str, Text(r"^(\*|[a-z0-9]([-a-z0-9]*[a-z0-9])?)$", 63, 'the name of a namespace, or "*" for all of them')
]


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


class BudgetSelector(Model):
    """Which jobs a budget is for: those that fit all that is said here."""

    namespaces: tuple[_AnyNamespace, ...] | None = None
    """Namespaces of the jobs, "*" for all; the budget's own when absent."""
    cost_centers: tuple[Line, ...] | None = None
    """Cost centres (budget.costCenter) of the jobs; any, or none, when absent."""
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict)
    """Labels that the jobs carry, all of them."""

    @model_validator(mode="after")
    def _selects_something(self) -> Self:
        for field, chosen in (("namespaces", self.namespaces), ("costCenters", self.cost_centers)):
            if chosen is not None and not chosen:
                refuse(field, "[]", "an empty list selects no job; leave it out")
        return self

    def covers(self, own: str, *, namespace: str, cost_center: str | None, labels: Mapping[str, str]) -> bool:
        """Whether a job falls under a budget of the namespace `own`."""
        namespaces = (own,) if self.namespaces is None else self.namespaces
        return (
            (namespace in namespaces or ALL in namespaces)
            and (self.cost_centers is None or cost_center in self.cost_centers)
            and all(labels.get(key) == value for key, value in self.labels.items())
        )


class BudgetSpec(Model):
    """A limit on what jobs cost together."""

    limit: Price | None = None
    """Most that may be spent in one period, in US dollars; no limit in money when absent."""
    quantum_seconds: Annotated[Number, Range(0, 10**12)] | None = None
    """Most quantum time that may be used in one period, in seconds; no limit in time when absent."""
    period: Period
    """After which time the budget starts anew; total never does."""
    time_zone: Line = "UTC"
    """IANA name of the time zone whose midnights begin the days, such as Europe/Berlin."""
    selector: BudgetSelector = Field(default_factory=BudgetSelector)
    """Which jobs it is for; all of its own namespace when absent."""
    alert_thresholds: tuple[Annotated[Number, Range(0, 100)], ...] = ()
    """Percentages of the limit at which an alert is sent, 0 to 100."""
    notification_email: Email | None = None
    """Whom alerts are sent to."""
    webhook: Url | None = None
    """Address that alerts are posted to, as JSON."""

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.limit is None and self.quantum_seconds is None:
            refuse("limit", None, "required: limit, quantumSeconds, or both")
        return self

    @model_validator(mode="after")
    def _time_zone_is_known(self) -> Self:
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            like = nearest(self.time_zone, available_timezones())
            meant = f'; did you mean "{like}"?' if like else ""
            refuse("timeZone", self.time_zone, f'"{self.time_zone}" is not the IANA name of a time zone{meant}')
        return self


class QiskitBudget(Resource):
    """What the jobs of a namespace may cost."""

    kind: Literal["QiskitBudget"] = "QiskitBudget"
    """Kind of resource."""
    spec: BudgetSpec
    """The limit."""

    def spans_namespaces(self, namespace: str | None = None) -> bool:
        """Whether it is for jobs of other namespaces than the one it is kept in (`namespace`; its own metadata's when
        absent): only an administrator may keep such a budget."""
        chosen = self.spec.selector.namespaces
        return chosen is not None and set(chosen) != {namespace or self.metadata.namespace}
