"""The JSON Schemas in docs/ are those of the code, valid, and agree with the models."""

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator
from test_resource_seeds import FRAGMENTS, WHOLE, minimal

from qtasks.resources.schema import json_schemas, main

DOCS = Path(__file__).parents[3] / "docs" / "schemas"
SCHEMAS = json_schemas()


def test_the_schemas_in_docs_are_up_to_date():
    assert main(["--check", str(DOCS)]) == 0


def test_schemas_are_written_and_verified(tmp_path, capsys):
    assert main(["--check", str(tmp_path)]) == 1
    assert main([str(tmp_path)]) == 0
    assert main(["--check", str(tmp_path)]) == 0
    assert {path.stem for path in tmp_path.iterdir()} == set(SCHEMAS)
    (tmp_path / "QiskitJob.json").write_text("{}")
    capsys.readouterr()
    assert main(["--check", str(tmp_path)]) == 1
    assert capsys.readouterr().out == f"{tmp_path / 'QiskitJob.json'}: out of date\n"


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_field_is_described(kind):
    schema = SCHEMAS[kind]
    Draft202012Validator.check_schema(schema)
    parts = [schema, *schema["$defs"].values()]
    fields = [field for part in parts for field in part.get("properties", {}).values()]
    described = [
        field.get("description") or schema["$defs"][field["$ref"].split("/")[-1]]["description"] for field in fields
    ]
    assert all(described)


def test_every_block_of_the_seed_fits_its_schema():
    documents = [yaml.safe_load(block) for block in WHOLE] + [minimal(**yaml.safe_load(block)) for block in FRAGMENTS]
    for document in documents:
        Draft202012Validator(SCHEMAS[document["kind"]]).validate(json.loads(json.dumps(document)))


@pytest.mark.parametrize("execution", [{"shots": 0}, {"shotz": 1}, {"priority": "hgih"}, {"memoryLimit": "8GB"}])
def test_what_the_model_refuses_the_schema_refuses(execution):
    assert not Draft202012Validator(SCHEMAS["QiskitJob"]).is_valid(minimal(execution=execution))
