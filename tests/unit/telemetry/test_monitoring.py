"""Alert rules, dashboard and runbook ask for what there is, and belong together."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from qtasks.cli.app import app
from qtasks.lifecycle import Phase
from qtasks.telemetry import metrics
from qtasks.telemetry.metric import Kind, Metric
from tools.monitoring import manifests
from tools.monitoring.alerts import ALERTS, Alert

ROOT = Path(__file__).parents[3]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
_BY_TARGET = {"instance"}
"""Labels that Prometheus gives to whatever it scrapes."""
_OPEN = {"route", "status", "namespace"}
"""Labels whose values are not listed."""


def _samples() -> dict[str, tuple[Metric, set[str]]]:
    """Every name that can be asked for, with its metric and labels."""
    found = {}
    for each in metrics.ALL:
        labels = set(each.labels) | _BY_TARGET
        if each.kind is Kind.HISTOGRAM:
            found[f"{each.name}_bucket"] = (each, labels | {"le"})
            found[f"{each.name}_sum"] = found[f"{each.name}_count"] = (each, labels)
        else:
            found[each.name] = (each, labels)
    return found


SAMPLES = _samples()


def _panels() -> list[tuple[str, str]]:
    dashboard = json.loads(manifests.files()["dashboard.json"])
    return [(panel["title"], target["expr"]) for panel in dashboard["panels"] for target in panel.get("targets", [])]


ASKED = [(alert.name, alert.expression) for alert in ALERTS] + _panels()


def _parts(node: Any) -> Iterator[Any]:
    yield node
    for name in ("lhs", "rhs", "expr", "vector_selector", "args"):
        inside = getattr(node, name, None)
        for one in inside if isinstance(inside, list) else [inside]:
            if one is not None:
                yield from _parts(one)


def _selectors(node: Any) -> list[Any]:
    return [part for part in _parts(node) if isinstance(part, promql_parser.VectorSelector)]


def _parsed(expression: str) -> Any:
    return promql_parser.parse(expression.replace("$__rate_interval", "5m"))


@pytest.mark.parametrize(("where", "expression"), ASKED, ids=[f"{n}-{where}" for n, (where, _) in enumerate(ASKED)])
def test_every_expression_asks_for_metrics_and_labels_that_there_are(where: str, expression: str) -> None:
    parsed = _parsed(expression)
    assert _selectors(parsed)
    for selector in _selectors(parsed):
        assert selector.name in SAMPLES, selector.name
        metric, labels = SAMPLES[selector.name]
        for matcher in selector.matchers.matchers:
            assert matcher.name in labels, (selector.name, matcher.name)
            if matcher.name not in _OPEN:
                for value in matcher.value.split("|"):
                    assert value in _values(metric, matcher.name), (selector.name, value)
    for part in _parts(parsed):
        if isinstance(part, promql_parser.AggregateExpr) and part.modifier is not None:
            there = set().union(*(SAMPLES[selector.name][1] for selector in _selectors(part.expr)))
            assert set(part.modifier.labels) <= there, expression


def _values(metric: Metric, label: str) -> set[str]:
    if label == "phase":
        return {phase.value for phase in Phase}
    return set(re.findall(r"\w+", metric.labels[label]))


def test_every_metric_is_watched_somewhere() -> None:
    asked = {SAMPLES[selector.name][0] for _, each in ASKED for selector in _selectors(_parsed(each))}
    assert not {each.name for each in metrics.ALL if each not in asked}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_every_alert_has_a_section_in_the_runbook(alert: Alert) -> None:
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", RUNBOOK, re.M | re.S))
    text = sections[alert.name]
    for part in ("**Means.**", "**Look.**", "**Do.**"):
        assert part in text
    rule = next(rule for rule in _rules() if rule["alert"] == alert.name)
    assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{alert.name.lower()}"
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}


def _rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((ROOT / "k8s" / "monitoring" / "rules.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_the_runbook_has_no_section_that_no_alert_leads_to() -> None:
    assert re.findall(r"^## (\w+)", RUNBOOK, re.M) == [alert.name for alert in ALERTS]


def test_the_runbook_names_alerts_metrics_and_commands_that_there_are() -> None:
    assert set(re.findall(r"`(Qtasks\w+)`", RUNBOOK)) <= {alert.name for alert in ALERTS}
    assert set(re.findall(r"`(qtasks_\w+)", RUNBOOK)) <= set(SAMPLES)
    commands = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    commands |= {group.name for group in app.registered_groups if group.name}
    assert set(re.findall(r"`qtasks (\w+)", RUNBOOK)) <= commands


def test_prometheus_and_its_operator_are_given_the_same_rules() -> None:
    files = {name: yaml.safe_load(text) for name, text in manifests.files().items() if name.endswith("rule.yaml")}
    files["rules.yaml"] = yaml.safe_load(manifests.files()["rules.yaml"])
    assert files["prometheusrule.yaml"]["spec"] == files["rules.yaml"]


def test_panels_lie_side_by_side_and_never_on_one_another() -> None:
    taken: set[tuple[int, int]] = set()
    dashboard = json.loads(manifests.files()["dashboard.json"])
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
