"""From resources of a cluster to jobs of qtasks."""

from __future__ import annotations

from typing import Any

from qtasks.operator.translation import changed_fields, is_of, job_document, other_name, resource_document
from qtasks.resources import parse
from qtasks.results.outputs.owner import Owner

UID = "200ba867-42ce-4d5e-ba60-d84e2368e1e1"


def resource(**metadata: Any) -> dict[str, Any]:
    given = {"name": "bell", "namespace": "lab", "uid": UID, "generation": 1, "resourceVersion": "7", **metadata}
    spec = {"circuit": {"source": "inline", "code": "OPENQASM 2.0;"}}
    return {"apiVersion": "quantum.io/v1", "kind": "QiskitJob", "metadata": given, "spec": spec, "status": {}}


def test_labels_and_annotations_go_along_and_those_of_tools_do_not() -> None:
    noted = {"owner": "alice@example.com", "kubectl.kubernetes.io/last-applied-configuration": "{…}"}
    found = job_document(resource(labels={"algorithm": "grover"}, annotations=noted, managedFields=[{}]))
    assert found["metadata"] == {
        "name": "bell",
        "namespace": "lab",
        "labels": {"algorithm": "grover", "quantum.io/managed-by": "qtasks-operator"},
        "annotations": {
            "owner": "alice@example.com",
            "quantum.io/owner-name": "bell",
            "quantum.io/owner-uid": UID,
        },
    }
    assert parse(found).metadata.name == "bell"


def test_a_forged_owner_is_overwritten() -> None:
    forged = {"quantum.io/owner-name": "theirs", "quantum.io/owner-uid": "another"}
    assert Owner.of(job_document(resource(annotations=forged))) == Owner("bell", UID)


def test_who_owns_a_result_is_known_of_the_operators_jobs_alone() -> None:
    assert Owner.of(resource_document(resource())) is None
    assert Owner("bell", UID).reference == {
        "apiVersion": "quantum.io/v1",
        "kind": "QiskitJob",
        "name": "bell",
        "uid": UID,
    }


def test_a_job_is_told_by_its_uid_namespace_and_label() -> None:
    mine = job_document(resource())
    assert is_of(mine, resource())
    assert not is_of(mine, resource(uid="another"))
    assert not is_of(mine, resource(namespace="theirs"))
    without = {**mine, "metadata": {**mine["metadata"], "labels": {}}}
    assert not is_of(without, resource())


def test_another_name_is_always_the_same_and_fits() -> None:
    assert other_name(resource()) == "bell-200ba867"
    longest = other_name(resource(name="a" * 253))
    assert len(longest) == 253
    assert longest.endswith("a-200ba867")
    assert other_name(resource(name="a" * 243 + "." + "b" * 9)) == "a" * 243 + "-200ba867"
    parse(job_document(resource(), name=longest))


def test_the_fields_in_which_specs_differ_are_named() -> None:
    old = {"execution": {"shots": 1, "priority": "low"}, "circuit": {"code": "a"}, "debug": True}
    new = {"execution": {"shots": 2, "priority": "low"}, "circuit": {"code": "a"}, "output": {"location": "x"}}
    assert changed_fields(old, new) == ["spec.execution.shots", "spec.debug", "spec.output"]
    assert changed_fields(old, dict(old)) == []
