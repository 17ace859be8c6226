"""The definitions are what Kubernetes takes, and say what the models do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from qtasks.operator.crds import definitions
from qtasks.operator.crds.__main__ import main
from qtasks.resources import KINDS, parse
from qtasks.resources.schema import json_schemas
from tests.operator.structural_rules import problems
from tests.support.kubernetes.schemas import Schema, pruned

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted([*(ROOT / "examples").glob("*.yaml"), *(ROOT / "examples" / "kubernetes").glob("*.yaml")])
DEFINITIONS = definitions()
BY_KIND = {definition["spec"]["names"]["kind"]: definition for definition in DEFINITIONS.values()}


def schema_of(definition: Mapping[str, Any]) -> dict[str, Any]:
    return dict(definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"])


def resources(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document["kind"] in KINDS]


@pytest.mark.parametrize("plural", DEFINITIONS)
def test_a_schema_is_structural(plural: str) -> None:
    assert list(problems(schema_of(DEFINITIONS[plural]))) == []


def test_the_rules_are_those_of_kubernetes() -> None:
    wrong = {
        "type": "object",
        "properties": {
            "a": {"$ref": "#/x"},
            "b": {"type": "object", "properties": {"c": {"type": "string"}}, "additionalProperties": False},
            "d": {"type": "array"},
            "e": {"type": "string", "pattern": "(?=x)"},
        },
        "oneOf": [{"properties": {"a": {"type": "string"}, "z": {"enum": [1]}}, "type": "object"}],
    }
    assert sorted(set(problems(wrong))) == [
        ".a: $ref is not allowed",
        ".a: there is no type",
        ".b: additionalProperties is a schema",
        ".b: properties and additionalProperties exclude each other",
        ".d: an array without items",
        ".e: a pattern that Go does not read",
        ".oneOf.a: type is not allowed inside",
        ".oneOf: type is not allowed inside",
        ".oneOf: z is not declared outside",
    ]


@pytest.mark.parametrize("plural", DEFINITIONS)
def test_every_column_leads_to_a_field(plural: str) -> None:
    (version,) = DEFINITIONS[plural]["spec"]["versions"]
    for column in version["additionalPrinterColumns"]:
        path = column["jsonPath"].partition("[")[0].strip(".").split(".")
        found = schema_of(DEFINITIONS[plural])
        if path[0] != "metadata":
            for part in path:
                found = found["properties"][part]


def test_kubectl_get_shows_what_qtasks_get_jobs_does() -> None:
    (version,) = DEFINITIONS["qiskitjobs"]["spec"]["versions"]
    columns = version["additionalPrinterColumns"]
    narrow = [column["name"] for column in columns if "priority" not in column]
    assert narrow == ["Phase", "Backend", "Priority", "Shots", "Cost", "Age"]
    wide = {column["name"].upper() for column in columns if "priority" in column}
    assert wide >= {"POSITION", "ACCOUNT", "DEVICE", "PROVIDER-ID", "STATE", "ID", "ATTEMPT", "MESSAGE"}


def fields(schema: Mapping[str, Any], definitions: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """The paths of all fields of a model's JSON Schema."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    for name, inner in schema.get("properties", {}).items():
        yield f"{path}.{name}"
        yield from fields(inner, definitions, f"{path}.{name}")


@pytest.mark.parametrize("kind", KINDS)
def test_no_field_of_a_model_is_pruned(kind: str) -> None:
    model = json_schemas()[kind]
    spec = schema_of(BY_KIND[kind])["properties"]["spec"]
    assert set(fields(model["properties"]["spec"], model["$defs"])) == set(fields(spec, {}))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_an_example_is_taken_as_it_is(path: Path) -> None:
    for document in resources(path):
        schema = Schema(BY_KIND[document["kind"]])
        assert pruned(document, schema.structural) == document
        assert schema.problem(document) is None
        assert parse(document).kind == document["kind"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"execution": {"shots": 0}}, "spec.execution.shots: 0 is less than the minimum of 1"),
        ({"execution": {"priority": "asap"}}, "spec.execution.priority: 'asap' is not one of"),
        ({"budget": {"maxCost": "ten dollars"}}, "spec.budget.maxCost: 'ten dollars' does not match"),
        ({"budget": {"maxCost": 10.5}}, "spec.budget.maxCost: 10.5 is not valid under any of the given schemas"),
        ({"circuit": {"source": "inline"}}, "spec.circuit: "),
        ({"circuit": {"source": "url", "code": "x"}}, "spec.circuit: "),
        ({"execution": {"parameters": {"theta": "a"}}}, "spec.execution.parameters.theta: 'a' is not of type 'number'"),
    ],
)
def test_what_is_wrong_is_refused_by_the_api_server_already(change: dict[str, Any], said: str) -> None:
    spec = {"circuit": {"source": "inline", "code": "OPENQASM 2.0;"}, **change}
    document = {"apiVersion": "quantum.io/v1", "kind": "QiskitJob", "metadata": {"name": "x"}, "spec": spec}
    assert said in (Schema(BY_KIND["QiskitJob"]).problem(document) or "nothing")


def test_an_amount_may_be_text_or_a_whole_number() -> None:
    schema = Schema(BY_KIND["QiskitBudget"])
    for limit in ("$1000.00", "1000", 1000):
        spec = {"limit": limit, "period": "monthly"}
        assert schema.problem({"kind": "QiskitBudget", "metadata": {"name": "x"}, "spec": spec}) is None


def test_no_default_is_written_into_anybodys_resource() -> None:
    shots = schema_of(BY_KIND["QiskitJob"])["properties"]["spec"]["properties"]["execution"]["properties"]["shots"]
    assert shots["description"] == "Number of times the circuit is executed, 1 to 100000. Default: 1024."
    for definition in DEFINITIONS.values():
        assert '"default":' not in json.dumps(definition)


def test_files_that_differ_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 0
    capsys.readouterr()
    assert main(["--check", str(tmp_path)]) == 0
    assert capsys.readouterr().out == ""
    (tmp_path / "qiskitjobs.yaml").write_text("kind: another")
    assert main(["--check", str(tmp_path)]) == 1
    assert "qiskitjobs.yaml: out of date" in capsys.readouterr().out


@pytest.mark.system
@pytest.mark.parametrize("version", ["1.35", "1.36", "1.37"])
def test_the_newest_kubernetes_knows_every_word_of_it(version: str) -> None:
    from kubernetes_validate import validate

    others = [
        document
        for path in EXAMPLES
        for document in yaml.safe_load_all(path.read_text())
        if not document["apiVersion"].startswith("quantum.io")
    ]
    assert {document["kind"] for document in others} >= {"ConfigMap", "ValidatingAdmissionPolicy"}
    for document in (*DEFINITIONS.values(), *others):
        validate(document, version, strict=True)
