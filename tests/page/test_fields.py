"""From the form to a submission, and from what is wrong to the field that it is about."""

from __future__ import annotations

from pathlib import Path

import pytest

from qtasks.api.page.views.fields import Fields, by_field
from qtasks.errors import Conflict, Forbidden, InvalidInput, QTasksError
from qtasks.settings import Settings

SETTINGS = Settings()
QASM = "OPENQASM 3.0;\nqubit q;\n"


def test_what_is_typed_in_becomes_a_job() -> None:
    fields = Fields(
        code=QASM,
        shots="2048",
        priority="high",
        seed="7",
        name="bell",
        namespace="lab",
        labels="a=b, c=d",
        max_cost="$5",
    )
    submission = fields.submission(None, SETTINGS)
    spec, metadata = submission.template.resource["spec"], submission.template.resource["metadata"]
    assert (submission.format, submission.data) == ("qasm3", QASM.encode())
    assert (spec["execution"]["shots"], spec["execution"]["seedSimulator"]) == (2048, 7)
    assert (metadata["name"], metadata["labels"], spec["budget"]) == ("bell", {"a": "b", "c": "d"}, {"maxCost": "$5"})


def test_line_ends_of_a_browser_are_those_of_the_file() -> None:
    assert Fields.of({"code": "a\r\nb\r\n", "more": "x"}).code == "a\nb\n"


def test_a_line_that_looks_like_a_path_is_never_read_from_the_servers_disk(tmp_path: Path) -> None:
    secret = tmp_path / "secret.py"
    secret.write_text("password = 1")
    assert Fields(code=str(secret)).submission(None, SETTINGS).data == str(secret).encode()


def test_a_file_is_taken_for_the_circuit() -> None:
    assert Fields(code="  ").submission(QASM.encode(), SETTINGS).data == QASM.encode()


def _refused(fields: Fields, file: bytes | None = None) -> QTasksError:
    with pytest.raises(QTasksError) as raised:
        fields.submission(file, SETTINGS)
    return raised.value


@pytest.mark.parametrize(
    ("fields", "at", "says"),
    [
        (Fields(code=QASM, shots="0"), "shots", "1 to 100000"),
        (Fields(code=QASM, shots="many"), "shots", "1 to 100000"),
        (Fields(code=QASM, name="Bad Name"), "name", "lower-case letters"),
        (Fields(code=QASM, namespace="a.b"), "namespace", "lower-case letters"),
        (Fields(code=QASM, labels="team"), "labels", "key=value"),
        (Fields(code=QASM, labels="t/e/a/m=a"), "labels", "DNS prefix"),
        (Fields(code=QASM, priority="fast"), "priority", "urgent"),
        (Fields(code=QASM, backend="ibm"), "backend", "ibm_quantum"),
        (Fields(code=QASM, seed="-1"), "seed", "0 to"),
        (Fields(code=QASM, max_cost="much"), "max_cost", ""),
        (Fields(code=""), "code", "no circuit"),
        (Fields(code="OPENQASM 9.0;"), "code", "OpenQASM 9"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(fields: Fields, at: str, says: str) -> None:
    errors = by_field(_refused(fields))
    assert list(errors) == [at]
    assert says in errors[at]


def test_all_that_is_wrong_is_said_at_once() -> None:
    assert set(by_field(_refused(Fields(code=QASM, shots="0", name="Bad Name")))) == {"shots", "name"}


def test_a_text_and_a_file_are_one_too_many() -> None:
    assert list(by_field(_refused(Fields(code=QASM), b"x"))) == ["file"]


def test_a_circuit_that_is_too_large_is_refused_at_the_circuit() -> None:
    with pytest.raises(InvalidInput) as raised:
        Fields(code="x" * 100).submission(None, Settings(max_input_bytes=10))
    assert list(by_field(raised.value)) == ["code"]


def test_errors_of_the_queue_have_their_fields_too() -> None:
    assert list(by_field(Conflict("It is there.", reason="JobExists"))) == ["name"]
    assert list(by_field(Forbidden("No.", reason="UrgentNotAllowed"))) == ["priority"]
    assert by_field(InvalidInput("What?", reason="Novel", hint="Ask.")) == {"": "What? Ask."}


def test_a_form_sent_twice_is_one_job_and_a_changed_one_another() -> None:
    fields = Fields(code=QASM)
    assert fields.key("once", None) == fields.key("once", None)
    assert fields.key("once", None) != fields.key("again", None)
    assert fields.key("once", None) != Fields(code=QASM, shots="7").key("once", None)
    assert fields.key("once", b"1") != fields.key("once", b"2")
    assert len(fields.key("once", None)) <= 255
