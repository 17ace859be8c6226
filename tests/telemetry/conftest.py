"""What these tests ask running processes for."""

from __future__ import annotations

from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families


def probe(port: int, path: str, *, seconds: float = 5.0) -> tuple[int, dict[str, Any]]:
    """Status and checks of a probe; status 0 while nobody answers."""
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}{path}", timeout=seconds)
    except httpx.TransportError:
        return 0, {}
    return answer.status_code, answer.json()["checks"]


def scrape(port: int, **options: Any) -> dict[tuple[str, ...], float]:
    """What Prometheus reads there: values by name and the labels' values, in the order of the labels' names."""
    answer = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10, **options)
    assert answer.status_code == 200, answer.text
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
