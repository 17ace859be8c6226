"""Counting: nothing until asked, together in a folder, and no less when processes die."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from qtasks.telemetry import exposition, metric, metrics

_DIES = """
import os, signal, sys
from pathlib import Path
from qtasks.telemetry import metric, metrics

metric.switch_on(Path(sys.argv[1]))
metrics.STAGE_JOBS.count(3, stage="execution")
metrics.STAGE_SECONDS.observe(0.2, stage="execution")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def counting() -> Iterator[None]:
    """This process counts, by itself."""
    metric.switch_on()
    yield
    metric.switch_off()


def _lines(name: str) -> list[str]:
    return [line for line in exposition.text().decode().splitlines() if line.startswith(name)]


def test_nothing_is_counted_where_nobody_asked_for_metrics() -> None:
    assert metric.registry() is None
    metrics.RETRIES.count(reason="X")
    metrics.STAGE_SECONDS.observe(1.0, stage="execution")
    assert exposition.text() == b""


def test_a_process_by_itself_counts_and_measures(counting: None) -> None:
    metrics.RETRIES.count(reason="ProviderUnavailable")
    metrics.RETRIES.count(2, reason="ProviderUnavailable")
    metrics.WAIT_SECONDS.observe(0.02, priority="urgent")
    assert _lines("qtasks_retries_total") == ['qtasks_retries_total{reason="ProviderUnavailable"} 3.0']
    assert 'qtasks_wait_seconds_bucket{le="0.05",priority="urgent"} 1.0' in _lines("qtasks_wait_seconds_bucket")
    assert not _lines("qtasks_retries_created")


def test_a_label_that_takes_any_value_becomes_other_in_the_end(counting: None) -> None:
    for number in range(300):
        metrics.FAILURES.count(reason=f"Reason{number}")
    lines = _lines("qtasks_failures_total")
    assert len(lines) == 201
    assert 'qtasks_failures_total{reason="other"} 100.0' in lines


def test_a_label_that_a_metric_lacks_is_refused(counting: None) -> None:
    with pytest.raises(KeyError):
        metrics.FAILURES.count(cause="X")


def test_what_killed_processes_counted_is_kept_in_one_file_of_each_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    processes = [subprocess.Popen([sys.executable, "-c", _DIES, str(tmp_path)]) for _ in range(2)]
    for process in processes:
        assert process.wait(20) == -9
    assert len(list(tmp_path.glob("counter_*.db"))) == 2
    for _ in range(2):
        assert _lines("qtasks_stage_jobs_total") == ['qtasks_stage_jobs_total{stage="execution"} 6.0']
        assert _lines("qtasks_stage_seconds_count") == ['qtasks_stage_seconds_count{stage="execution"} 2.0']
        assert 'qtasks_stage_seconds_bucket{le="0.25",stage="execution"} 2.0' in _lines("qtasks_stage_seconds_bucket")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["counter_0.db", "histogram_0.db", "lock"]


def test_gauges_are_shown_as_they_are_read() -> None:
    values = [({"state": "wanted"}, 2.0), ({"state": "alive"}, 1.0)]
    shown = exposition.text([(metrics.POOL_PROCESSES, values)]).decode()
    assert 'qtasks_pool_processes{state="alive"} 1.0' in shown
    assert "# TYPE qtasks_pool_processes gauge" in shown


def test_every_metric_is_named_by_prometheus_rules() -> None:
    assert len({each.name for each in metrics.ALL}) == len(metrics.ALL) > 30
    for each in metrics.ALL:
        assert each.name.startswith("qtasks_")
        assert each.name.endswith("_total") == (each.kind is metric.Kind.COUNTER), each.name
        assert bool(each.buckets) == (each.kind is metric.Kind.HISTOGRAM), each.name
        assert each.meaning.endswith("."), each.name
