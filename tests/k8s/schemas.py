"""Schemas by which objects are checked: Kubernetes' own, and for resources of others what their documentation says."""

from __future__ import annotations

from functools import cache
from typing import Any

import jsonschema
import referencing
from kubernetes_validate.utils import schema_contents

from tests.k8s.objects import Object

VERSIONS = ("1.35", "1.36", "1.37")
"""The three newest that kubernetes_validate knows."""

_FOLDER = "kubernetes-json-schema/v{version}.0-local-strict"


def _closed(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


_TEXT, _COUNT = {"type": "string", "minLength": 1}, {"type": "integer", "minimum": 0}
_NAMED = _closed(["name"], name=_TEXT)
_BEHAVIOR = _closed(
    [],
    scaleDown=_closed(
        [],
        stabilizationWindowSeconds={"type": "integer", "minimum": 0, "maximum": 3600},
        policies={
            "type": "array",
            "items": _closed(
                ["type", "value", "periodSeconds"],
                type={"enum": ["Pods", "Percent"]},
                value={"type": "integer", "minimum": 1},
                periodSeconds={"type": "integer", "minimum": 1, "maximum": 1800},
            ),
        },
    ),
)
_STORE = _closed(["name"], kind={"enum": ["SecretStore", "ClusterSecretStore"]}, name=_TEXT)

_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_PROMETHEUS_TIME = {"type": "string", "pattern": "^([0-9]+(ms|s|m|h|d))+$"}
_SELECTOR = _closed(
    ["matchLabels"],
    matchLabels=_TEXTS,
    matchExpressions={
        "type": "array",
        "items": _closed(
            ["key", "operator", "values"],
            key=_TEXT,
            operator={"enum": ["In", "NotIn"]},
            values={"type": "array", "items": _TEXT},
        ),
    },
)
_ENDPOINTS = {
    "type": "array",
    "minItems": 1,
    "items": _closed(
        ["port"],
        port=_TEXT,
        path=_TEXT,
        interval=_PROMETHEUS_TIME,
        scrapeTimeout=_PROMETHEUS_TIME,
        honorLabels={"type": "boolean"},
    ),
}

OTHERS: dict[tuple[str, str], dict[str, Any]] = {
    ("keda.sh/v1alpha1", "ScaledObject"): _closed(
        ["scaleTargetRef", "triggers"],
        scaleTargetRef=_closed(["name"], apiVersion=_TEXT, kind=_TEXT, name=_TEXT),
        pollingInterval=_COUNT,
        cooldownPeriod=_COUNT,
        minReplicaCount=_COUNT,
        maxReplicaCount={"type": "integer", "minimum": 1},
        advanced=_closed([], horizontalPodAutoscalerConfig=_closed([], behavior=_BEHAVIOR)),
        triggers={
            "type": "array",
            "minItems": 1,
            "items": _closed(
                ["type", "metadata"],
                type={"const": "postgresql"},
                metricType={"enum": ["AverageValue", "Value"]},
                authenticationRef=_NAMED,
                # KEDA takes text alone here, numbers too.
                metadata=_closed(["query", "targetQueryValue"], query=_TEXT, targetQueryValue=_TEXT),
            ),
        },
    ),
    ("keda.sh/v1alpha1", "TriggerAuthentication"): _closed(
        ["secretTargetRef"],
        secretTargetRef={
            "type": "array",
            "items": _closed(["parameter", "name", "key"], parameter={"const": "connection"}, name=_TEXT, key=_TEXT),
        },
    ),
    ("external-secrets.io/v1", "ExternalSecret"): _closed(
        ["secretStoreRef", "target", "data"],
        refreshInterval={"type": "string", "pattern": "^[0-9]+[smh]$"},
        secretStoreRef=_STORE,
        target=_closed(["name"], name=_TEXT, creationPolicy={"enum": ["Owner", "Orphan", "Merge", "None"]}),
        data={
            "type": "array",
            "items": _closed(["secretKey", "remoteRef"], secretKey=_TEXT, remoteRef=_closed(["key"], key=_TEXT)),
        },
    ),
    ("monitoring.coreos.com/v1", "ServiceMonitor"): _closed(
        ["selector", "endpoints"], selector=_SELECTOR, endpoints=_ENDPOINTS
    ),
    ("monitoring.coreos.com/v1", "PodMonitor"): _closed(
        ["selector", "podMetricsEndpoints"], selector=_SELECTOR, podMetricsEndpoints=_ENDPOINTS
    ),
    ("monitoring.coreos.com/v1", "PrometheusRule"): _closed(
        ["groups"],
        groups={
            "type": "array",
            "items": _closed(
                ["name", "rules"],
                name=_TEXT,
                interval=_PROMETHEUS_TIME,
                rules={
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["expr"],
                        "properties": {
                            "alert": _TEXT,
                            "record": _TEXT,
                            "expr": _TEXT,
                            "for": _PROMETHEUS_TIME,
                            "labels": _TEXTS,
                            "annotations": _TEXTS,
                        },
                        "additionalProperties": False,
                    },
                },
            ),
        },
    ),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): _closed(
        ["parentRefs", "rules"],
        parentRefs={"type": "array", "items": _closed(["name"], name=_TEXT, namespace=_TEXT, sectionName=_TEXT)},
        hostnames={"type": "array", "items": _TEXT},
        rules={
            "type": "array",
            "items": _closed(
                ["backendRefs"],
                matches={
                    "type": "array",
                    "items": _closed(
                        [], path=_closed(["type", "value"], type={"enum": ["Exact", "PathPrefix"]}, value=_TEXT)
                    ),
                },
                backendRefs={"type": "array", "items": _closed(["name", "port"], name=_TEXT, port=_COUNT)},
                timeouts=_closed([], request={"type": "string", "pattern": "^([0-9]{1,5}(h|m|s|ms)){1,4}$"}),
            ),
        },
    ),
}
"""By apiVersion and kind: the schema of `spec`, with the fields that are used here and no others."""


def check(found: Object, version: str) -> None:
    """Raises jsonschema.ValidationError where an object is not what a version of Kubernetes takes, unknown fields
    included, and KeyError for a kind of others that has no schema here."""
    other = OTHERS.get((found["apiVersion"], found["kind"]))
    if other is not None:
        assert set(found) <= {"apiVersion", "kind", "metadata", "spec"}
        jsonschema.Draft202012Validator(other).validate(found["spec"])
        return
    _validator(version, found["apiVersion"], found["kind"]).validate(found)


@cache
def _validator(version: str, api_version: str, kind: str) -> jsonschema.Draft202012Validator:
    group, _, of_group = api_version.rpartition("/")
    name = "-".join(filter(None, [kind.lower(), group.partition(".")[0], of_group]))
    try:
        schema = schema_contents(f"{_FOLDER.format(version=version)}/{name}.json", version)
    except FileNotFoundError:
        raise KeyError(f"no schema for {api_version} {kind}") from None
    return jsonschema.Draft202012Validator(schema, registry=_definitions(version))


@cache
def _definitions(version: str) -> Any:
    """The definitions that a version's schemas share: they are large, and read once."""
    contents = schema_contents(f"{_FOLDER.format(version=version)}/_definitions.json", version)
    return referencing.Resource.from_contents(contents) @ referencing.Registry()
