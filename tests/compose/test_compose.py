"""compose.yaml: valid, complete, and every container held to what it needs."""

from __future__ import annotations

import re
from graphlib import TopologicalSorter

import pytest
import yaml

from qtasks.lifecycle import Queue
from qtasks.settings import Settings
from tests.compose.document import (
    ONCE,
    ROOT,
    document,
    referenced_files,
    seconds,
    services,
    target_of,
    text,
    variables,
)
from tests.images.dockerfile import TARGETS, inherited

EACH = pytest.mark.parametrize("name", list(services()))


def test_the_file_is_what_the_specification_allows() -> None:
    from compose_spec import PyCompose

    PyCompose.from_yaml(yaml.safe_dump(document())).validate()
    misspelt = document() | {"services": services() | {"api": services()["api"] | {"depend_on": {}}}}
    with pytest.raises(ValueError, match="depend_on"):
        PyCompose.from_yaml(yaml.safe_dump(misspelt))


@EACH
def test_what_a_service_refers_to_exists(name: str) -> None:
    whole, service = document(), services()[name]
    for kind in ("secrets", "configs"):
        named = {one if isinstance(one, str) else one["source"] for one in service.get(kind, ())}
        assert named <= whole[kind].keys()
    volumes = [one if isinstance(one, str) else f"{one['source']}:" for one in service.get("volumes", ())]
    assert {v.split(":")[0] for v in volumes if not v.startswith(("./", "/"))} <= whole["volumes"].keys()
    assert set(service.get("networks", ())) <= whole["networks"].keys()
    assert set(service.get("depends_on", ())) <= whole["services"].keys()


def test_nothing_is_declared_that_nobody_uses() -> None:
    whole = document()
    for kind in ("secrets", "configs", "volumes", "networks"):
        used = {
            re.split(":", one, maxsplit=1)[0] if isinstance(one, str) else one["source"]
            for service in whole["services"].values()
            for one in service.get(kind, ())
        }
        assert set(whole[kind]) <= used


@EACH
def test_a_container_may_do_what_it_needs_and_no_more(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged")
    user, _, _ = service["user"].partition(":")
    assert int(user) > 0
    limits = service["deploy"]["resources"]["limits"]
    assert limits.keys() == {"cpus", "memory", "pids"}
    assert all(mount.partition(":")[2] for mount in service.get("tmpfs", ())), (
        "a tmpfs without a size takes half of RAM"
    )
    assert service["logging"]["options"]["max-size"]


@EACH
def test_a_container_that_stays_says_whether_it_is_well_and_starts_again(name: str) -> None:
    service = services()[name]
    if name in ONCE:
        assert service["restart"] == "no"
        assert service["healthcheck"] == {"disable": True}
        return
    assert service["restart"] == "unless-stopped"
    assert "stop_grace_period" in service
    if "healthcheck" in service:
        assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    else:
        target = target_of(service)
        assert target is not None
        assert "HEALTHCHECK" in [word for word, _ in inherited(target)]


def test_parts_start_in_an_order_by_health() -> None:
    found = services()
    graph: dict[str, set[str]] = {}
    for name, service in found.items():
        graph[name] = set(service.get("depends_on", ()))
        for other, how in service.get("depends_on", {}).items():
            once = other in ONCE
            assert how["condition"] == ("service_completed_successfully" if once else "service_healthy")
            assert "profiles" not in found[other] or found[other]["profiles"] == service["profiles"]
    order = list(TopologicalSorter(graph).static_order())
    assert order.index("postgres") < order.index("migrate") < order.index("validation") < len(order)
    for name, service in found.items():
        if target_of(service) and name not in {*ONCE, "sandbox"}:
            assert {"migrate", "redis"} <= graph[name], f"{name} needs both"


def test_ports_are_published_on_loopback_alone() -> None:
    ports = {name: service["ports"] for name, service in services().items() if "ports" in service}
    assert ports.keys() == {"api", "flower", "prometheus", "grafana"}
    assert all(port.startswith("127.0.0.1:") for published in ports.values() for port in published)


def test_only_fetching_providers_and_polling_have_a_way_out() -> None:
    whole = document()
    assert whole["networks"]["backend"]["internal"] is True
    assert whole["networks"]["front"]["driver_opts"]["com.docker.network.bridge.enable_ip_masquerade"] == "false"
    out = {name for name, service in services().items() if "outside" in service.get("networks", ())}
    assert out == {"fetch", "provider", "polling"}
    assert all("networks" in service for name, service in services().items() if name != "sandbox")


def test_the_sandbox_has_a_user_a_socket_and_nothing_else() -> None:
    sandbox = services()["sandbox"]
    assert (sandbox["network_mode"], sandbox["user"]) == ("none", "10002:10002")
    assert not {"networks", "secrets", "configs", "environment", "env_file", "group_add"} & sandbox.keys()
    users = {name for name, service in services().items() if "sandbox:/run/sandbox" in service.get("volumes", ())}
    assert users == {"sandbox", "validation", "fetch"}
    for name in ("validation", "fetch"):
        service = services()[name]
        assert service["group_add"] == ["10002"]
        assert service["environment"]["QTASKS_SANDBOX_SOCKET"] == "/run/sandbox/socket"
        assert service["depends_on"]["sandbox"] == {"condition": "service_healthy"}


def test_every_queue_has_a_worker() -> None:
    consumed = []
    for service in services().values():
        command = service.get("command", [])
        if target_of(service) == "worker" and "--queues" in command:
            consumed += command[command.index("--queues") + 1].split(",")
    assert sorted(consumed) == sorted(queue.value for queue in Queue)


def test_every_image_is_run_with_settings_that_exist() -> None:
    found = services()
    assert {target for service in found.values() if (target := target_of(service))} == set(TARGETS)
    for service in found.values():
        for name, value in service.get("environment", {}).items():
            assert value is not None, "Compose would take it from whoever starts it"
            if name.startswith("QTASKS_"):
                setting = name.removeprefix("QTASKS_").lower()
                assert {setting, setting.removesuffix("_file")} & Settings.model_fields.keys(), name
        if target := target_of(service):
            assert service["build"] == {"context": ".", "target": target}


def test_workers_have_the_time_to_end_what_runs() -> None:
    for service in services().values():
        if target_of(service) in ("worker", "worker-gpu") and "environment" in service:
            allowed = float(service["environment"]["QTASKS_STOP_SECONDS"])
            assert seconds(service["stop_grace_period"]) == allowed + 20


def test_no_secret_is_in_the_file_or_in_an_environment() -> None:
    for name, service in services().items():
        for variable, value in service.get("environment", {}).items():
            if re.search("PASSWORD|TOKEN|SECRET|DATABASE_URL|BROKER_URL|AUTH|CREDENTIALS", variable) and value:
                assert str(value).startswith(("/run/", "--auth-")), f"{name}: {variable}"
    assert not re.search(r"://[^/\s]*:[^/\s]*@", text())


def test_every_variable_is_explained_with_its_default() -> None:
    example = (ROOT / ".env.example").read_text()
    explained = dict(re.findall(r"^([A-Z0-9_]+)=(.*)$", example, re.MULTILINE))
    assert explained == variables()
    for block in example.strip().split("\n\n"):
        assert block.startswith("#")


def test_what_is_mounted_is_in_the_checkout() -> None:
    assert [path for path in referenced_files() if not path.is_file()] == []


def test_prometheus_asks_the_services_that_answer() -> None:
    config = yaml.safe_load((ROOT / "compose" / "prometheus.yml").read_text())
    asked = {
        (name, found["port"])
        for job in config["scrape_configs"]
        for found in job["dns_sd_configs"]
        for name in found["names"]
    }
    answering = {"worker": 9464, "worker-gpu": 9464, "beat": 9464, "api": 8000}
    expected = {
        (name, answering[target])
        for name, service in services().items()
        if (target := target_of(service)) in answering and name not in {*ONCE, "sandbox"}
    }
    assert asked == expected


def test_the_file_of_accounts_is_valid() -> None:
    from qtasks.config import load_config

    assert not load_config(ROOT / "compose" / "config.yaml").accounts
