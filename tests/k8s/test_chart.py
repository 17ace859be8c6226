"""The chart is the overlays again: a second description of the same objects, compared one by one."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.k8s.charts import CHART, comparable, helm, released, values_file
from tests.k8s.objects import K8S, NAMESPACE, OVERLAYS, name_of, of_kind, overlay, pod, read

pytestmark = pytest.mark.system

_NAMESPACE_OBJECT = ("v1", "Namespace", "", NAMESPACE)
"""Made by whoever installs the chart, as Helm has it."""


def test_helm_finds_nothing_to_complain_about() -> None:
    for name in OVERLAYS:
        done = helm("lint", "--strict", str(CHART), *values_file(name))
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_charts_objects_are_the_overlays(name: str) -> None:
    wanted, found = comparable(overlay(name)), comparable(released(*values_file(name)))
    assert wanted.pop(_NAMESPACE_OBJECT)
    assert sorted(found) == sorted(wanted)
    for identity, each in wanted.items():
        assert found[identity] == each


@pytest.mark.parametrize(
    ("value", "kind", "file"),
    [
        ("autoscaling=hpa", "HorizontalPodAutoscaler", K8S / "components" / "hpa" / "autoscalers.yaml"),
        (
            "externalSecrets.enabled=true",
            "ExternalSecret",
            K8S / "components" / "external-secrets" / "external-secrets.yaml",
        ),
        ("ingress.enabled=true", "Ingress", K8S / "examples" / "ingress.yaml"),
    ],
)
def test_the_charts_alternatives_are_the_components(value: str, kind: str, file: Any) -> None:
    wanted = comparable(tuple(read(file.read_text())))
    assert comparable(tuple(of_kind(released("--set", value), kind))) == wanted


def test_with_hpa_there_is_nothing_of_keda() -> None:
    assert of_kind(released("--set", "autoscaling=hpa"), "ScaledObject", "TriggerAuthentication") == []


def test_without_an_autoscaler_the_number_of_pods_is_written() -> None:
    found = of_kind(released("--set", "autoscaling=none"), "Deployment")
    assert all("replicas" in each["spec"] for each in found)


def test_every_namespace_that_is_served_has_its_roles_and_accounts_are_of_the_release() -> None:
    done = helm("template", "qtasks", str(CHART), "--namespace", "quantum", "--set", "servedNamespaces={lab,theory}")
    found = tuple(read(done.stdout))
    bindings = of_kind(found, "RoleBinding")
    assert {each["metadata"]["namespace"] for each in bindings} == {"lab", "theory"}
    assert {subject["namespace"] for each in bindings for subject in each["subjects"]} == {"quantum"}
    assert {each["metadata"]["namespace"] for each in of_kind(found, "Deployment", "ScaledObject")} == {"quantum"}


def test_a_registry_and_its_password_are_in_every_pod() -> None:
    found = released("--set", "image.registry=registry.example,image.tag=2.0.1,image.pullSecrets[0].name=pull")
    for workload in of_kind(found, "Deployment", "Job"):
        assert pod(workload)["imagePullSecrets"] == [{"name": "pull"}]
        for container in (*pod(workload).get("initContainers", ()), *pod(workload)["containers"]):
            assert container["image"].startswith("registry.example/qtasks/")
            assert container["image"].endswith(":2.0.1")


def test_a_component_can_be_left_out() -> None:
    found = released("--set", "components.flower.enabled=false")
    assert [name_of(each) for each in found if name_of(each).startswith("qtasks-flower")] == []


@pytest.mark.parametrize(
    "wrong",
    [
        "autoscaling=list-length",
        "replicas=3",
        "servedNamespaces=null",
        "components.api.needs.everything=true",
        "components.unknown.image=worker",
        "components.execution-huge.image=mine",
        "settings.QTASKS_DATABASE_URL=postgresql://me:secret@host/db",
        "settings.HOME=/tmp",
        "networkPolicies.redis.to=null",
        "objectStore.url=/var/objects",
    ],
)
def test_values_that_cannot_be_right_are_refused(wrong: str) -> None:
    done = helm("template", "qtasks", str(CHART), "--set", wrong)
    assert done.returncode != 0
    assert "schema" in done.stderr


def test_every_value_is_known_to_the_schema() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert set(values) == set(schema["properties"]) - {"global"}


def test_a_class_that_is_left_out_of_the_config_is_not_in_it() -> None:
    [config] = of_kind(released(*values_file("dev")), "ConfigMap")
    assert set(yaml.safe_load(config["data"]["config.yaml"])["workers"]) == {"small"}
