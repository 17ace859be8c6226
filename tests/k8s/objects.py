"""The objects of the overlays as they were rendered, and what the tests ask of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import yaml

from tools.rendered import K8S, OVERLAYS, rendered

Object = dict[str, Any]

NAMESPACE = "qtasks"
PRODUCTION = ("production", "gpu")
"""Overlays of which the servers and Secrets are somewhere else."""
SECRETS_OF_PRODUCTION = {
    "qtasks": {"database-url", "broker-url", "flower-auth", "aws-credentials"},
    "qtasks-autoscaling": {"connection"},
}
"""What whoever installs it has to make, and its keys (docs/kubernetes.md)."""

__all__ = ["K8S", "NAMESPACE", "OVERLAYS", "PRODUCTION", "SECRETS_OF_PRODUCTION", "Object", "rendered"]


def read(text: str) -> list[Object]:
    """The objects of a stream of YAML."""
    return [found for found in yaml.load_all(text, Loader=yaml.CSafeLoader) if found]


@cache
def overlay(name: str) -> tuple[Object, ...]:
    """The objects of an overlay; they are shared, and not to be changed."""
    return tuple(read(rendered(name).read_text()))


def of_kind(objects: tuple[Object, ...], *kinds: str) -> list[Object]:
    return [each for each in objects if each["kind"] in kinds]


def name_of(found: Object) -> str:
    return str(found["metadata"]["name"])


def component(found: Object) -> str:
    """What a workload is of qtasks, such as `execution-small`; empty for the servers of dev."""
    labels = found["metadata"].get("labels", {})
    return labels.get("app.kubernetes.io/component", "") if labels.get("app.kubernetes.io/name") == "qtasks" else ""


def workloads(name: str) -> list[Object]:
    """The Deployments and Jobs of an overlay."""
    return of_kind(overlay(name), "Deployment", "Job")


def own(name: str) -> dict[str, Object]:
    """Those of qtasks itself, by component."""
    return {component(each): each for each in workloads(name) if component(each)}


def pod(workload: Object) -> Object:
    return dict(workload["spec"]["template"]["spec"])


def containers(workload: Object) -> list[Object]:
    return [*pod(workload).get("initContainers", ()), *pod(workload)["containers"]]


def main(workload: Object) -> Object:
    """The container that is the component."""
    return next(each for each in pod(workload)["containers"] if each["name"] == "qtasks")


def sandbox(workload: Object) -> Object | None:
    return next((each for each in containers(workload) if each["name"] == "sandbox"), None)


def environment(container: Object) -> dict[str, str]:
    """The variables that a container is given as they are."""
    return {each["name"]: each["value"] for each in container.get("env", ()) if "value" in each}


def secrets_of(workload: Object) -> Iterator[tuple[str, str, bool]]:
    """Name, key and whether it may be absent, of every key of a Secret that a pod takes."""
    for volume in pod(workload).get("volumes", ()):
        if secret := volume.get("secret"):
            for item in secret["items"]:
                yield secret["secretName"], item["key"], secret.get("optional", False)
        for source in volume.get("projected", {}).get("sources", ()):
            if secret := source.get("secret"):
                for item in secret["items"]:
                    yield secret["name"], item["key"], secret.get("optional", False)
    for container in containers(workload):
        for each in container.get("env", ()):
            if reference := each.get("valueFrom", {}).get("secretKeyRef"):
                yield reference["name"], reference["key"], reference.get("optional", False)
