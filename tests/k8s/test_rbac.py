"""What the service accounts may do: the least, in the namespaces that are served, and nothing in the whole cluster."""

from __future__ import annotations

import pytest

from tests.k8s.objects import NAMESPACE, OVERLAYS, environment, main, name_of, of_kind, overlay, own

KINDS = ["qiskitjobs", "qiskitbackends", "qiskitbudgets", "qiskitsessions"]
MAY = {
    "qtasks-operator": {
        *(("quantum.io", kind, verb) for kind in KINDS for verb in ("get", "list", "watch", "patch")),
        *(("quantum.io", f"{kind}/status", "patch") for kind in KINDS),
        ("", "events", "create"),
    },
    "qtasks-fetch": {("", "configmaps", "get"), ("", "secrets", "get")},
    "qtasks-provider": {("", "secrets", "get")},
    "qtasks-polling": {("", "configmaps", "create"), ("", "configmaps", "patch"), ("", "secrets", "get")},
}

every_overlay = pytest.mark.parametrize("name", OVERLAYS)


@every_overlay
def test_roles_allow_this_and_nothing_else(name: str) -> None:
    assert of_kind(overlay(name), "ClusterRole", "ClusterRoleBinding") == []
    may = {}
    for role in of_kind(overlay(name), "Role"):
        assert role["metadata"]["namespace"] == "default"
        may[name_of(role)] = {
            (group, resource, verb)
            for rule in role["rules"]
            for group in rule["apiGroups"]
            for resource in rule["resources"]
            for verb in rule["verbs"]
        }
    assert may == MAY


@every_overlay
def test_each_role_is_given_to_its_own_account(name: str) -> None:
    bound = {}
    for binding in of_kind(overlay(name), "RoleBinding"):
        assert binding["metadata"]["namespace"] == "default"
        assert binding["roleRef"]["kind"] == "Role"
        [subject] = binding["subjects"]
        assert (subject["kind"], subject["namespace"]) == ("ServiceAccount", NAMESPACE)
        bound[binding["roleRef"]["name"]] = subject["name"]
    assert bound == {role: role for role in MAY}


@every_overlay
def test_the_operator_watches_the_namespaces_in_which_it_may(name: str) -> None:
    served = {each["metadata"]["namespace"] for each in of_kind(overlay(name), "RoleBinding")}
    watched = environment(main(own(name)["operator"]))["QTASKS_OPERATOR_NAMESPACES"]
    assert set(watched.split(",")) == served


@every_overlay
def test_no_account_mounts_its_token_by_itself(name: str) -> None:
    for account in of_kind(overlay(name), "ServiceAccount"):
        assert account["automountServiceAccountToken"] is False
