"""What the manifests grant each service account, in the form in which a cluster tells what an account may do."""

from __future__ import annotations

from pathlib import Path

import yaml

K8S = Path(__file__).parents[2] / "k8s"
SERVED = "default"
"""The namespace whose jobs are served."""

Rules = set[tuple[str, str]]
"""Pairs of a resource, with its group, and a verb: `("qiskitjobs.quantum.io/status", "patch")`."""

_ROLES = list(yaml.safe_load_all((K8S / "served-namespace/rbac.yaml").read_text()))


def granted(account: str) -> Rules:
    """In each namespace that is served."""
    return {
        (named(resource, group), verb)
        for role in _ROLES
        if role["kind"] == "Role" and role["metadata"]["name"] == account
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def named(resource: str, group: str) -> str:
    kind, slash, part = resource.partition("/")
    return f"{kind}.{group}".rstrip(".") + slash + part
