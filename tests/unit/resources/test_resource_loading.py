"""Resources come from YAML, JSON, files and mappings; broken and hostile text is refused with its place."""

import json
import subprocess
import sys

import pytest

from qtasks.errors import InvalidInput
from qtasks.resources import dump, load, load_text, parse, to_yaml

JOB = """\
apiVersion: quantum.io/v1
kind: QiskitJob
metadata:
  name: one
spec:
  circuit:
    source: inline
    code: |
      line one

      line two
"""


def message(text) -> str:
    with pytest.raises(InvalidInput) as refused:
        load(text)
    assert refused.value.reason == "InvalidResource"
    return refused.value.message


def test_text_json_mapping_and_file_give_the_same(tmp_path):
    [job] = load(JOB)
    as_json = json.dumps(dump(job))
    file = tmp_path / "job.yaml"
    file.write_text(JOB)
    assert [job] == load(as_json) == load(dump(job)) == load(file) == load(str(file)) == load_text(JOB)


def test_several_documents_and_empty_ones():
    assert [job.metadata.name for job in load(f"---\n{JOB}---\n---\n{JOB.replace('one', 'two')}---\n")] == [
        "one",
        "two",
    ]


def test_what_get_prints_can_be_applied():
    [job] = load(JOB)
    printed = dump(job) | {"status": {"phase": "Completed"}}
    printed["metadata"] |= {"uid": "1234", "creationTimestamp": "2025-11-17T00:00:00Z", "resourceVersion": "7"}
    assert parse(printed) == job
    assert load({"apiVersion": "v1", "kind": "List", "items": [printed, printed]}) == [job, job]


def test_text_of_several_lines_is_written_as_a_block():
    assert to_yaml(*load(JOB)) == JOB


def test_a_date_stays_text():
    [job] = load(JOB.replace("  name: one", "  name: one\n  annotations: {day: 2025-11-17}"))
    assert job.metadata.annotations == {"day": "2025-11-17"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there is no resource in it"),
        ("---\n---\n", "there is no resource in it"),
        ("- 1\n", "a resource is a mapping with apiVersion, kind, metadata and spec"),
        ("kind: [", "line 2, column 1: did not find expected node content"),
        ("a: 1\nb: 2\na: 3\n", 'line 3, column 1: the key "a" is there twice'),
        ('{"a": 1,\n "a": 2}', 'line 2, column 2: the key "a" is there twice'),
        ("a: &a {b: 1}\nc: {<<: *a}\n", r"line 2, column 5: merge keys (<<) are not supported"),
        ("? [a]\n: b\n", "line 1, column 3: a key must be text"),
        ("a: !!python/object:os.system {}\n", "line 1, column 4: tags (!) are not supported"),
        ("a: !!int ''\n", "line 1, column 4: tags (!) are not supported"),
        ("a: !!map {}\n", "line 1, column 4: tags (!) are not supported"),
        ("a: 0x_\n", "this is not YAML: invalid literal"),
        ("a: \x00\n", "this is not YAML: "),
        ("[" * 100_000, "line 1, column 65: nested more than 64 deep"),
        ('{"a":' * 100_000, "nested more than 64 deep"),
        ("- " * 10_000 + "a", "nested more than 64 deep"),
        ("a: " + "9" * 5000 + "\n", "this is not YAML: Exceeds the limit"),
        ("spec: {}\n", "kind: required: QiskitJob, QiskitSession, QiskitBudget, QiskitBackend"),
        ("kind: QiskitJob\n", "apiVersion: required: quantum.io/v1"),
        ("kind: qiskitjob\n", 'did you mean "QiskitJob"?'),
        (JOB.replace("io/v1", "io/v2"), 'apiVersion: "quantum.io/v2" is not allowed: quantum.io/v1; did you mean'),
        (JOB.replace("metadata", "metadat"), 'metadat: unknown field; did you mean "metadata"?'),
        (JOB.replace("  name: one", "  1: one"), "metadata[1]: 1 is not allowed: text as a key (put it in quotes)"),
        ("no-such-file.yaml", "no-such-file.yaml cannot be read: No such file or directory"),
    ],
)
def test_broken_text_is_refused(text, said):
    assert said in message(text)


def test_a_bomb_of_aliases_is_refused_at_once():
    levels = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30))
    assert message(f"kind: QiskitJob\napiVersion: quantum.io/v1\na0: &a0 x\n{levels}\n").count("unknown field") == 30


def test_a_file_that_is_no_text_is_refused(tmp_path):
    file = tmp_path / "job.yaml"
    file.write_bytes(b"\xff\xfe\x00")
    assert message(file) == f"{file} is not a UTF-8 text"


def test_text_from_elsewhere_never_opens_a_file(tmp_path):
    file = tmp_path / "job.yaml"
    file.write_text(JOB)
    with pytest.raises(InvalidInput, match="a resource is a mapping"):
        load_text(str(file))


def test_the_problems_of_all_documents_are_told_apart():
    bad = JOB.replace("source: inline", "source: inlin")
    lines = message(f"{JOB}---\n{bad}---\n{bad}").splitlines()
    assert [line[:37] for line in lines] == [
        'document 2: spec.circuit.source: "inl',
        'document 3: spec.circuit.source: "inl',
    ]


def test_reading_resources_does_not_import_qiskit():
    code = "import sys, qtasks.resources; sys.exit('qiskit' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
