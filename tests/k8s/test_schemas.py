"""Every object is one that the three newest versions of Kubernetes take, with no field that they do not know."""

from __future__ import annotations

import copy

import jsonschema
import pytest
from kubernetes_validate.utils import all_versions, major_minor

from tests.k8s.charts import released, values_file
from tests.k8s.objects import K8S, OVERLAYS, Object, overlay, read
from tests.k8s.schemas import VERSIONS, check

pytestmark = pytest.mark.system

every_version = pytest.mark.parametrize("version", VERSIONS)

ALTERNATIVES = ("--set", "autoscaling=hpa,externalSecrets.enabled=true,ingress.enabled=true")


def test_these_are_the_newest_versions() -> None:
    known = list(dict.fromkeys(major_minor(version) for version in all_versions()))
    assert tuple(known[-3:]) == VERSIONS


@every_version
@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlays_objects_are_valid(name: str, version: str) -> None:
    for found in overlay(name):
        check(found, version)


@every_version
@pytest.mark.parametrize("name", OVERLAYS)
def test_the_charts_objects_are_valid(name: str, version: str) -> None:
    for found in released(*values_file(name)):
        check(found, version)
    for found in released(*values_file(name), *ALTERNATIVES):
        check(found, version)


@every_version
def test_what_is_in_no_overlay_is_valid(version: str) -> None:
    files = [*(K8S / "examples").glob("*.yaml"), *(K8S / "crds").glob("*.yaml")]
    files += [K8S / "components" / "hpa" / "autoscalers.yaml"]
    files += [K8S / "components" / "external-secrets" / "external-secrets.yaml"]
    found = [each for path in files for each in read(path.read_text())]
    assert {"Ingress", "HTTPRoute", "HorizontalPodAutoscaler", "ExternalSecret", "CustomResourceDefinition"} == {
        each["kind"] for each in found
    }
    for each in found:
        check(each, version)


def _changed(kind: str, *path: str, value: object) -> Object:
    found = copy.deepcopy(next(each for each in overlay("production") if each["kind"] == kind))
    inner = found
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return found


@pytest.mark.parametrize(
    "wrong",
    [
        _changed("Deployment", "spec", "template", "spec", "securityContexts", value={}),
        _changed("Deployment", "spec", "template", "spec", "terminationGracePeriodSeconds", value="90"),
        _changed("NetworkPolicy", "spec", "podSelector", value=None) | {"spec": {"policyTypes": "Egress"}},
        _changed("ScaledObject", "spec", "cooldown", value=300),
        _changed("ScaledObject", "spec", "triggers", value=[]),
        _changed("TriggerAuthentication", "spec", "secretTargetRef", value=[{"name": "qtasks"}]),
    ],
)
def test_a_wrong_object_is_found(wrong: Object) -> None:
    for version in VERSIONS:
        with pytest.raises(jsonschema.ValidationError):
            check(wrong, version)


def test_a_kind_that_nobody_knows_is_found() -> None:
    with pytest.raises(KeyError):
        check({"apiVersion": "example.com/v1", "kind": "Unknown", "metadata": {}, "spec": {}}, VERSIONS[-1])
