"""What objects name is there, and is what they take it for."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from qtasks.lifecycle import Queue
from qtasks.settings import Settings
from tests.k8s.objects import (
    K8S,
    NAMESPACE,
    OVERLAYS,
    PRODUCTION,
    SECRETS_OF_PRODUCTION,
    Object,
    component,
    containers,
    environment,
    main,
    name_of,
    of_kind,
    overlay,
    own,
    pod,
    secrets_of,
    workloads,
)

every_overlay = pytest.mark.parametrize("name", OVERLAYS)

WITHOUT_BUDGET = {
    "beat": "one pod: a budget would either not guard it or keep its node from being drained",
    "flower": "one pod, and nothing waits for it",
    "operator": "one pod, as beat: what changed meanwhile it sees when it is back",
    "redis": "of dev",
    "postgres": "of dev",
    "objects": "of dev",
}


def _names(name: str, kind: str) -> set[str]:
    return {name_of(each) for each in of_kind(overlay(name), kind)}


def _matches(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def _labels(workload: Object) -> dict[str, str]:
    return dict(workload["spec"]["template"]["metadata"]["labels"])


@every_overlay
def test_there_are_the_components_of_qtasks(name: str) -> None:
    wanted = {
        "api",
        "beat",
        "flower",
        "operator",
        "validation",
        "fetch",
        "scheduling",
        "provider",
        "polling",
        "migrate",
    }
    wanted |= {"execution-small"} if name == "dev" else {f"execution-{s}" for s in ("small", "medium", "large", "huge")}
    assert set(own(name)) == wanted
    for what, workload in own(name).items():
        assert name_of(workload) == f"qtasks-{what}"
        assert workload["metadata"]["namespace"] == NAMESPACE


@every_overlay
def test_service_accounts_priorities_volumes_and_config_maps_are_there(name: str) -> None:
    for workload in workloads(name):
        if component(workload):
            assert pod(workload)["serviceAccountName"] in _names(name, "ServiceAccount")
            assert pod(workload)["priorityClassName"] in _names(name, "PriorityClass")
        for volume in pod(workload)["volumes"]:
            if config := volume.get("configMap"):
                assert config["name"] in _names(name, "ConfigMap")
            if claim := volume.get("persistentVolumeClaim"):
                assert claim["claimName"] in _names(name, "PersistentVolumeClaim")
        for container in containers(workload):
            mounted = {mount["name"] for mount in container.get("volumeMounts", ())}
            assert mounted <= {volume["name"] for volume in pod(workload)["volumes"]}


@every_overlay
def test_every_volume_is_mounted_somewhere(name: str) -> None:
    for workload in workloads(name):
        mounted = {mount["name"] for each in containers(workload) for mount in each.get("volumeMounts", ())}
        assert {volume["name"] for volume in pod(workload)["volumes"]} == mounted


@every_overlay
def test_every_key_of_a_secret_that_pods_take_is_there(name: str) -> None:
    if name in PRODUCTION:
        assert of_kind(overlay(name), "Secret") == []
        there = SECRETS_OF_PRODUCTION
    else:
        there = {name_of(each): set(each["stringData"]) for each in of_kind(overlay(name), "Secret")}
    taken = {(n, key) for each in workloads(name) for n, key, absent in secrets_of(each) if not absent}
    assert taken <= {(secret, key) for secret, keys in there.items() for key in keys}


@every_overlay
def test_nobody_holds_a_secret_that_it_does_not_need(name: str) -> None:
    services = {"database-url", "broker-url", "aws-credentials"}
    needed = {"operator": services | {"operator-token"}}
    needed |= {"beat": {"broker-url"}, "flower": {"broker-url", "flower-auth"}, "migrate": {"database-url"}}
    for what, workload in own(name).items():
        held = {key for _, key, _ in secrets_of(workload)}
        assert held == needed.get(what, services)


@every_overlay
def test_selectors_find_the_pods_that_they_are_for(name: str) -> None:
    for workload in of_kind(overlay(name), "Deployment"):
        assert workload["spec"]["selector"]["matchLabels"] == _labels(workload)
    for service in of_kind(overlay(name), "Service"):
        found = [each for each in workloads(name) if _matches(service["spec"]["selector"], _labels(each))]
        assert [name_of(each) for each in found] == [name_of(service)]
        [served] = found
        ports = {port["name"] for each in pod(served)["containers"] for port in each.get("ports", ())}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


@pytest.mark.parametrize("name", PRODUCTION)
def test_prometheus_finds_what_it_is_to_ask(name: str) -> None:
    [of_services], [of_pods] = of_kind(overlay(name), "ServiceMonitor"), of_kind(overlay(name), "PodMonitor")
    wanted = of_services["spec"]["selector"]["matchLabels"]
    [service] = [each for each in of_kind(overlay(name), "Service") if _matches(wanted, each["metadata"]["labels"])]
    assert {each["port"] for each in of_services["spec"]["endpoints"]} <= {p["name"] for p in service["spec"]["ports"]}
    [left_out] = of_pods["spec"]["selector"]["matchExpressions"]
    asked = {what: each for what, each in own(name).items() if what not in left_out["values"]}
    assert {"beat", "polling", "validation"} <= set(asked)
    for each in asked.values():
        assert {port["name"] for port in main(each)["ports"]} == {"metrics"}
    assert {of_services["metadata"]["namespace"], of_pods["metadata"]["namespace"]} == {NAMESPACE}


@every_overlay
def test_every_deployment_has_a_disruption_budget_or_a_reason(name: str) -> None:
    for workload in of_kind(overlay(name), "Deployment"):
        found = [
            budget
            for budget in of_kind(overlay(name), "PodDisruptionBudget")
            if _matches(budget["spec"]["selector"]["matchLabels"], _labels(workload))
        ]
        assert len(found) == (0 if name_of(workload).removeprefix("qtasks-") in WITHOUT_BUDGET else 1)
        assert all(budget["spec"]["maxUnavailable"] == 1 for budget in found)
    budgets = of_kind(overlay(name), "PodDisruptionBudget")
    assert len(budgets) == len(_names(name, "Deployment")) - len(
        [each for each in _names(name, "Deployment") if each.removeprefix("qtasks-") in WITHOUT_BUDGET]
    )


@every_overlay
def test_beat_and_the_operator_are_one_and_the_api_is_always_there(name: str) -> None:
    for what in ("beat", "operator"):
        spec = own(name)[what]["spec"]
        assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert own(name)["api"]["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


@every_overlay
def test_images_are_of_this_version(name: str) -> None:
    project = tomllib.loads((K8S.parent / "pyproject.toml").read_text())["project"]
    stages = {line.split()[3] for line in _dockerfile() if line.startswith("FROM ") and " AS " in line}
    for workload in own(name).values():
        for container in containers(workload):
            image, _, tag = container["image"].partition(":")
            assert tag == project["version"]
            assert image.removeprefix("qtasks/") in stages
    chart = yaml.safe_load((K8S / "chart" / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (project["version"], project["version"])


def _dockerfile() -> list[str]:
    return Path(K8S.parent / "Dockerfile").read_text().splitlines()


@every_overlay
def test_every_variable_is_a_setting(name: str) -> None:
    known = {f"QTASKS_{setting.upper()}" for setting in Settings.model_fields}
    for workload in own(name).values():
        for container in containers(workload):
            given = {each for each in environment(container) if each.startswith("QTASKS_")}
            assert {each if each in known else each.removesuffix("_FILE") for each in given} <= known


@every_overlay
def test_every_command_is_one_that_qtasks_knows(name: str) -> None:
    import typer

    from qtasks.cli.app import app

    command = typer.main.get_command(app)
    for workload in own(name).values():
        for container in containers(workload):
            if arguments := container.get("args"):
                _parse(command, list(arguments))


def _parse(command: Any, arguments: list[str]) -> None:
    """Read arguments as the command line does, and run nothing."""
    context = command.make_context(command.name or "qtasks", arguments)
    if rest := getattr(context, "_protected_args", None):
        found = command.get_command(context, rest[0])
        assert found is not None, f"there is no command {rest[0]}"
        _parse(found, [*rest[1:], *context.args])


@every_overlay
def test_every_queue_is_worked_at(name: str) -> None:
    worked = []
    for workload in own(name).values():
        args = main(workload)["args"]
        if "--queues" in args:
            worked += args[args.index("--queues") + 1].split(",")
    assert sorted(worked) == sorted(Queue)


@every_overlay
def test_files_of_settings_are_mounted_where_they_are_looked_for(name: str) -> None:
    for workload in own(name).values():
        keys = {key for _, key, _ in secrets_of(workload)}
        for container in containers(workload):
            for variable, path in environment(container).items():
                if path.startswith("/run/secrets/qtasks/"):
                    assert path.removeprefix("/run/secrets/qtasks/") in keys, variable
                    assert any(mount["mountPath"] == "/run/secrets/qtasks" for mount in container["volumeMounts"])
