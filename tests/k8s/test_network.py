"""Who reaches whom: what the NetworkPolicies allow together, pod by pod."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from tests.k8s.objects import NAMESPACE, OVERLAYS, Object, name_of, of_kind, overlay, own

WORKERS = {
    "validation",
    "fetch",
    "scheduling",
    "execution-small",
    "execution-medium",
    "execution-large",
    "execution-huge",
    "provider",
    "polling",
}
TO = {
    "to-dns": {"migrate", "api", "beat", "flower", "operator"} | WORKERS,
    "to-redis": {"api", "beat", "flower", "operator"} | WORKERS,
    "to-postgres": {"migrate", "api", "operator"} | WORKERS,
    "to-objects": {"api", "operator"} | WORKERS,
    "to-api-server": {"operator", "fetch", "provider", "polling"},
    "fetch-to-internet": {"fetch"},
    "provider-to-internet": {"provider"},
    "polling-to-internet": {"polling"},
}
"""The matrix: what may be reached, and by which components. Whatever is not here is reached by nobody."""

every_overlay = pytest.mark.parametrize("name", OVERLAYS)


def _policies(name: str, direction: str) -> dict[str, Object]:
    found = of_kind(overlay(name), "NetworkPolicy")
    return {name_of(each).removeprefix("qtasks-"): each for each in found if direction in each["spec"]["policyTypes"]}


def _selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    for each in selector.get("matchExpressions", ()):
        assert each["operator"] == "In"
        if labels.get(each["key"]) not in each["values"]:
            return False
    return True


def _labels(workload: Object) -> dict[str, str]:
    return dict(workload["spec"]["template"]["metadata"]["labels"])


@every_overlay
def test_nothing_comes_in_or_goes_out_unless_it_is_said(name: str) -> None:
    deny = _policies(name, "Egress")["default-deny"]["spec"]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for policy in of_kind(overlay(name), "NetworkPolicy"):
        assert policy["metadata"]["namespace"] == NAMESPACE
        for rule in (*policy["spec"].get("ingress", ()), *policy["spec"].get("egress", ())):
            assert rule.get("from") or rule.get("to"), "a rule without peers is for everybody"
            assert rule["ports"]
            assert {} not in [*rule.get("from", ()), *rule.get("to", ())]


@every_overlay
def test_each_component_goes_where_it_has_to_and_nowhere_else(name: str) -> None:
    reached: dict[str, set[str]] = {policy: set() for policy in TO}
    for policy, found in _policies(name, "Egress").items():
        if policy == "default-deny":
            continue
        for what, workload in own(name).items():
            if _selects(found["spec"]["podSelector"], _labels(workload)):
                reached[policy].add(what)
    there = set(own(name))
    assert reached == {policy: who & there for policy, who in TO.items()}


@every_overlay
def test_the_internet_is_what_no_private_network_answers_at(name: str) -> None:
    inside = [
        "10.1.2.3",
        "172.20.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.100.100.200",
        "127.0.0.1",
        "224.0.0.1",
        "fd00:ec2::254",
        "fe80::1",
        "::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:0a00:0001::1",
    ]
    outside = ["93.184.215.14", "8.8.8.8", "2606:2800:220:1::1"]
    for policy in ("fetch-to-internet", "provider-to-internet", "polling-to-internet"):
        [rule] = _policies(name, "Egress")[policy]["spec"]["egress"]
        blocks = [peer["ipBlock"] for peer in rule["to"]]
        assert [address for address in inside if _reaches(blocks, address)] == []
        assert [address for address in outside if not _reaches(blocks, address)] == []


def _reaches(blocks: list[dict[str, Any]], address: str) -> bool:
    found = ipaddress.ip_address(address)
    return any(
        found in ipaddress.ip_network(block["cidr"])
        and not any(found in ipaddress.ip_network(cut) for cut in block.get("except", ()))
        for block in blocks
    )


@pytest.mark.parametrize("name", ["production", "gpu"])
def test_production_names_addresses_and_no_network_of_everybody(name: str) -> None:
    for policy in ("to-redis", "to-postgres", "to-objects", "to-api-server"):
        [rule] = _policies(name, "Egress")[policy]["spec"]["egress"]
        for peer in rule["to"]:
            assert ipaddress.ip_network(peer["ipBlock"]["cidr"]).prefixlen >= 24


@every_overlay
def test_only_the_ingress_controller_and_prometheus_come_in(name: str) -> None:
    comes: dict[str, set[tuple[str, int]]] = {what: set() for what in own(name)}
    for policy in _policies(name, "Ingress").values():
        for what, workload in own(name).items():
            if not _selects(policy["spec"]["podSelector"], _labels(workload)):
                continue
            for rule in policy["spec"].get("ingress", ()):
                for peer in rule["from"]:
                    labels = peer["namespaceSelector"]["matchLabels"]
                    ports = {each["port"] for each in rule["ports"]}
                    comes[what] |= {(labels["kubernetes.io/metadata.name"], port) for port in ports}
    prometheus = {("monitoring", 8000), ("monitoring", 9464)}
    for what, found in comes.items():
        extra = {"api": {("ingress-nginx", 8000)}, "flower": {("ingress-nginx", 5555)}}.get(what, set())
        assert found == prometheus | extra


def test_the_servers_of_dev_are_reached_by_qtasks_alone() -> None:
    for server, port in (("redis", 6379), ("postgres", 5432), ("objects", 8333)):
        [rule] = _policies("dev", "Ingress")[f"{server}-ingress"]["spec"]["ingress"]
        assert rule["from"] == [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "qtasks"}}}]
        assert [each["port"] for each in rule["ports"]] == [port]
