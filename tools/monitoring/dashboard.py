"""The dashboard as Grafana imports it."""

from __future__ import annotations

from typing import Any

from tools.monitoring.panels import ROWS, Panel

_SOURCE = {"type": "prometheus", "uid": "${source}"}
_WIDTH, _HEIGHT = 24, 8


def dashboard() -> dict[str, Any]:
    """All rows, three panels side by side; what is current in small ones."""
    shown: list[dict[str, Any]] = []
    y = 0
    for title, panels in ROWS:
        shown.append(_row(len(shown) + 1, title, y))
        y += 1
        small = panels[0].kind == "stat"
        across, height = (len(panels), 5) if small else (3 if len(panels) % 3 == 0 else 2, _HEIGHT)
        for place, panel in enumerate(panels):
            width = _WIDTH // across
            at = {"x": place % across * width, "y": y + place // across * height, "w": width, "h": height}
            shown.append(_panel(len(shown) + 1, panel, at))
        y += -(-len(panels) // across) * height
    return {
        "title": "qtasks",
        "uid": "qtasks",
        "tags": ["qtasks"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [_choose_source(), _choose_namespace()]},
        "panels": shown,
    }


def _choose_source() -> dict[str, Any]:
    return {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus", "refresh": 1}


def _choose_namespace() -> dict[str, Any]:
    return {
        "name": "namespace",
        "label": "Namespace",
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": "label_values(qtasks_jobs, namespace)", "refId": "namespaces"},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def _row(number: int, title: str, y: int) -> dict[str, Any]:
    at = {"x": 0, "y": y, "w": _WIDTH, "h": 1}
    return {"id": number, "type": "row", "title": title, "gridPos": at, "collapsed": False, "panels": []}


def _panel(number: int, panel: Panel, at: dict[str, int]) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + place), "datasource": _SOURCE, "expr": expression, "legendFormat": legend}
        for place, (expression, legend) in enumerate(panel.curves)
    ]
    defaults: dict[str, Any] = {"unit": panel.unit, "min": 0} if panel.kind != "stat" else {"unit": panel.unit}
    options: dict[str, Any] = {}
    if panel.kind == "timeseries":
        stacking = {"mode": "normal" if panel.stacked else "none", "group": "A"}
        defaults["custom"] = {"fillOpacity": 25 if panel.stacked else 5, "lineWidth": 1, "stacking": stacking}
        options = {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}}
    else:
        options = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "datasource": _SOURCE,
        "gridPos": at,
        "targets": targets,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
    }
