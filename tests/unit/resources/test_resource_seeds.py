"""Every YAML block of the seed document loads, and comes back as it was written."""

import re
from pathlib import Path

import pytest
import yaml

from qtasks.errors import InvalidInput
from qtasks.resources import Quantity, dump, load, parse, to_yaml

SEED = (Path(__file__).parent / "data" / "quantum_jobs.md").read_text(encoding="utf-8")
EXAMPLE = Path(__file__).parents[3] / "examples" / "bell.yaml"
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", SEED, re.DOTALL | re.MULTILINE)
WHOLE = [block for block in BLOCKS if "kind: Qiskit" in block]
CLAIM = next(block for block in BLOCKS if "kind: PersistentVolumeClaim" in block)
PRESETS = next(block for block in BLOCKS if block.count("backendSelection:") == 3)
# One block of the seed shows three alternatives under one key, apart from each other by an empty line.
FRAGMENTS = [block for block in BLOCKS if block not in (*WHOLE, CLAIM, PRESETS)] + PRESETS.split("\n\n")


def first_line(block: str) -> str:
    return " ".join(block.split())[:60]


def minimal(**parts) -> dict:
    circuit = {"source": "inline", "code": "qc = 1"}
    metadata = parts.pop("metadata", {"name": "fragment"})
    spec = {"circuit": circuit} | parts.pop("spec", {}) | parts
    return {"apiVersion": "quantum.io/v1", "kind": "QiskitJob", "metadata": metadata, "spec": spec}


def test_the_seed_has_all_its_blocks():
    assert (len(WHOLE), len(FRAGMENTS)) == (4, 29)


@pytest.mark.parametrize("block", WHOLE, ids=first_line)
def test_a_whole_document_comes_back_as_it_was_written(block):
    [resource] = load(block)
    assert dump(resource) == yaml.safe_load(block)
    assert load(to_yaml(resource)) == [resource]
    assert parse(dump(resource)) == resource


@pytest.mark.parametrize("block", FRAGMENTS, ids=first_line)
def test_a_fragment_set_into_a_minimal_job_comes_back_as_it_was_written(block):
    document = minimal(**yaml.safe_load(block))
    resource = parse(document)
    assert dump(resource) == document
    assert load(to_yaml(resource)) == [resource]


def test_all_whole_documents_load_from_one_text():
    resources = load("---\n".join(WHOLE))
    assert [resource.kind for resource in resources] == ["QiskitJob", "QiskitSession", "QiskitBudget", "QiskitJob"]
    assert load(to_yaml(*resources)) == resources


def test_the_example_is_the_quick_example_of_the_seed():
    assert EXAMPLE.read_text(encoding="utf-8") == WHOLE[0]
    assert load(EXAMPLE) == load(str(EXAMPLE)) == load(WHOLE[0])


def test_a_volume_claim_is_refused_and_the_four_kinds_are_named():
    with pytest.raises(InvalidInput) as refused:
        load(CLAIM)
    assert refused.value.message == (
        'kind: "PersistentVolumeClaim" is not allowed: QiskitJob, QiskitSession, QiskitBudget, QiskitBackend'
    )


def test_three_alternatives_under_one_key_are_refused_with_the_line():
    with pytest.raises(InvalidInput, match=r'line 6, column 1: the key "backendSelection" is there twice'):
        load(PRESETS)


def test_the_values_of_the_seed_are_read():
    [job] = load(WHOLE[-1])
    assert job.spec.execution.priority == "high"
    assert job.spec.budget.max_cost.micros == 50_000_000
    assert job.spec.resources.limits.memory == Quantity("32Gi")
    assert job.spec.retry_policy.backoff.maximum.seconds == 600
    assert job.spec.retry_policy.backoff.multiplier == 2
    assert job.spec.credentials.secret_ref.name == "ibm-quantum-credentials"
    assert job.spec.session.max_time.seconds == 3600
