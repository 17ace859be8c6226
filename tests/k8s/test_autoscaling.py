"""Autoscalers: each Deployment by its own queue, and never against a job that runs."""

from __future__ import annotations

from typing import Any

import promql_parser
import pytest
import yaml

from qtasks.lifecycle import Queue
from tests.k8s.objects import K8S, Object, component, main, name_of, of_kind, overlay, own, read

TO_ZERO = {"fetch", "provider", "execution-large", "execution-huge"}


def _scaled() -> dict[str, Object]:
    return {component(each): each for each in of_kind(overlay("production"), "ScaledObject")}


def _hpas() -> dict[str, Object]:
    text = (K8S / "components" / "hpa" / "autoscalers.yaml").read_text()
    return {component(each): each for each in read(text)}


def _queue(what: str) -> Queue:
    args = main(own("production")[what])["args"]
    return Queue(args[args.index("--queues") + 1])


def query(queue: Queue) -> str:
    return f"SELECT COALESCE(SUM(queued + running), 0) FROM autoscaling WHERE queue = '{queue}'"


def test_workers_are_scaled_by_the_work_that_waits_and_runs_in_their_own_queue() -> None:
    workers = {what for what, each in own("production").items() if "--queues" in main(each)["args"]}
    assert set(_scaled()) == workers - {"polling"}
    for what, found in _scaled().items():
        [trigger] = found["spec"]["triggers"]
        assert trigger["type"] == "postgresql"
        assert trigger["metadata"]["query"] == query(_queue(what))
        assert found["spec"]["scaleTargetRef"]["name"] == name_of(own("production")[what])


def test_the_large_and_the_rare_are_scaled_to_zero_and_the_others_are_always_there() -> None:
    assert {what for what, each in _scaled().items() if each["spec"]["minReplicaCount"] == 0} == TO_ZERO


def test_nobody_writes_a_number_of_pods_where_an_autoscaler_does() -> None:
    for what, workload in own("production").items():
        if workload["kind"] == "Deployment":
            assert ("replicas" in workload["spec"]) == (what not in _scaled())


def test_a_large_simulation_has_a_pod_of_its_own() -> None:
    for what in ("execution-large", "execution-huge"):
        assert _scaled()[what]["spec"]["triggers"][0]["metadata"]["targetQueryValue"] == "1"
        assert main(own("production")[what])["args"][-2:] == ["--concurrency", "1"]


def test_the_alternative_without_keda_scales_alike_but_not_from_zero() -> None:
    assert set(_hpas()) == set(_scaled())
    for what, hpa in _hpas().items():
        keda: dict[str, Any] = _scaled()[what]["spec"]
        spec = hpa["spec"]
        assert (spec["minReplicas"], spec["maxReplicas"]) == (max(1, keda["minReplicaCount"]), keda["maxReplicaCount"])
        assert spec["behavior"] == keda["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        [metric] = spec["metrics"]
        assert metric["external"]["metric"]["name"] == "qtasks_queue_jobs"
        assert metric["external"]["metric"]["selector"]["matchLabels"] == {"queue": _queue(what)}
        assert metric["external"]["target"]["averageValue"] == keda["triggers"][0]["metadata"]["targetQueryValue"]


def test_scaling_in_waits_and_goes_slowly_where_jobs_are_long() -> None:
    for what, found in _scaled().items():
        down = found["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
        assert down["stabilizationWindowSeconds"] >= 300
        if what in ("execution-medium", "execution-large", "execution-huge"):
            assert down["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 60}]


def test_prometheus_is_asked_for_the_sum_over_priorities_of_what_any_api_pod_says() -> None:
    values = yaml.safe_load((K8S / "components" / "hpa" / "prometheus-adapter.yaml").read_text())
    [rule] = values["rules"]["external"]
    assert rule["name"] == {"as": "qtasks_queue_jobs"}
    asked = rule["metricsQuery"].replace("<<.LabelMatchers>>", 'namespace="qtasks",queue="execution.large"')
    outer = promql_parser.parse(asked)
    assert isinstance(outer, promql_parser.AggregateExpr)
    assert str(outer.op) == "sum"
    inner = outer.expr
    assert isinstance(inner, promql_parser.AggregateExpr)
    assert str(inner.op) == "max"
    promql_parser.parse(rule["seriesQuery"])


@pytest.mark.system
def test_a_role_that_may_read_the_view_and_nothing_else_is_enough(postgres_url: str) -> None:
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import ProgrammingError

    from qtasks.store import Store

    store = Store(postgres_url)
    role = f"autoscaling_{store.url.database}"
    with store.begin() as tx:
        tx.execute(text(f"CREATE ROLE {role} LOGIN PASSWORD 'asks-only'"))
        tx.execute(text(f"GRANT SELECT ON autoscaling TO {role}"))
    engine = create_engine(store.url.set(username=role, password="asks-only"))
    with engine.connect() as asks:
        for what in _scaled():
            assert asks.execute(text(query(_queue(what)))).scalar_one() == 0
    with engine.connect() as asks, pytest.raises(ProgrammingError, match="permission denied"):
        asks.execute(text("SELECT count(*) FROM jobs"))
    engine.dispose()
    with store.begin() as tx:
        tx.execute(text(f"REVOKE ALL ON autoscaling FROM {role}"))
        tx.execute(text(f"DROP ROLE {role}"))
    store.close()
