"""The chart, rendered by Helm, and objects in a form in which those of two makers can be compared."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.k8s.objects import K8S, NAMESPACE, Object, read

CHART = K8S / "chart"
_HELM = Path(sys.executable).with_name("helm")


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Helm, which asks for no cluster."""
    return subprocess.run([str(_HELM), *arguments], check=False, capture_output=True, text=True, timeout=60)


@cache
def released(*arguments: str) -> tuple[Object, ...]:
    """The objects of a release in the namespace qtasks; they are shared, and not to be changed."""
    done = helm("template", "qtasks", str(CHART), "--namespace", NAMESPACE, *arguments)
    assert done.returncode == 0, done.stderr
    return tuple(read(done.stdout))


def values_file(name: str) -> tuple[str, ...]:
    """The arguments for one of the chart's values files; none for production, whose values are the default."""
    return () if name == "production" else ("--values", str(CHART / "values" / f"{name}.yaml"))


def comparable(objects: tuple[Object, ...]) -> dict[tuple[str, ...], Object]:
    """Objects by their identity, without Helm's labels, and with lists in which order says nothing in one order."""
    found = {}
    for each in objects:
        made = copy.deepcopy(each)
        metadata = made["metadata"]
        for field in ("labels", "annotations"):
            kept = {k: v for k, v in metadata.pop(field, {}).items() if not k.startswith("helm.sh/")}
            if kept:
                metadata[field] = kept
        if made["kind"] == "ConfigMap":
            made["data"] = {k: _parsed(k, v) for k, v in made["data"].items()}
        identity = (made["apiVersion"], made["kind"], metadata.get("namespace", ""), metadata["name"])
        assert identity not in found, f"{identity} is there twice"
        found[identity] = _ordered(made)
    return found


def _parsed(name: str, text: str) -> Any:
    """What a file of a ConfigMap says: comments and line breaks are its writer's."""
    return yaml.safe_load(text) if name.endswith((".yaml", ".json")) else text


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        made = {key: _ordered(each) for key, each in value.items()}
        if made.get("operator") == "In":
            made["values"] = sorted(made["values"])
        return made
    if isinstance(value, list):
        made_list = [_ordered(each) for each in value]
        if made_list and all(
            isinstance(each, dict) and {"name", "mountPath", "secretKey"} & set(each) for each in made_list
        ):
            made_list.sort(key=lambda each: json.dumps(each, sort_keys=True))
        return made_list
    return value
