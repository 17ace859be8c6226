"""What a row says in the fourth seed's words."""

from __future__ import annotations

from typing import Any

import pytest

from qtasks.client import collected
from qtasks.client.jobs_file import FIELDS, Status
from tests.unit.results.examples import BELL

from .rows import JOB_ID, row

COMPILED = {"depth": 409, "gates": {"cz": 170, "sx": 1000, "barrier": 3}}


@pytest.mark.parametrize(
    ("phase", "state", "word", "status"),
    [
        ("Pending", None, "QUEUED", "submitted"),
        ("Scheduling", None, "QUEUED", "submitted"),
        ("Running", None, "QUEUED", "submitted"),
        ("Running", "intended", "QUEUED", "submitted"),
        ("Running", "queued", "QUEUED", "submitted"),
        ("Running", "running", "RUNNING", "submitted"),
        ("Retrying", "failed", "QUEUED", "submitted"),
        ("Completed", "done", "DONE", "completed"),
        ("Failed", "lost", "ERROR", "failed"),
        ("Cancelled", "cancelling", "CANCELLED", "cancelled"),
    ],
)
def test_states_have_the_words_of_the_provider(phase: str, state: str | None, word: str, status: str) -> None:
    found = row(phase, provider_state=state)
    there = collected.collected_of(found, [])
    assert (collected.word(collected.status_of(found), running=there.running), there.line["status"]) == (word, status)


def test_a_simulation_runs_when_its_phase_says_so() -> None:
    assert collected.collected_of(row("Running", account=None), []).running
    assert (collected.word(Status.ERROR), collected.word(Status.ERROR, running=True)) == ("ERROR", "ERROR")


def test_a_line_has_the_seeds_fields_first_and_null_for_what_is_not_known_yet() -> None:
    line = collected.line_of(row("Pending", account=None, backend=None), ["lab-open"])
    assert tuple(line)[:12] == FIELDS
    assert (line["job_id"], line["qtasks_job_id"], line["backend"]) == (JOB_ID, JOB_ID, "ibm_quantum")
    assert (line["experiment_type"], line["logical_state"]) == ("surface_code", "+")
    unknown = ("circuit_hash", "transpiled_depth", "transpiled_gates", "api_key_index", "git_commit")
    assert [line[name] for name in unknown] == [None] * 5


def test_a_line_is_filled_in_when_more_is_known() -> None:
    early = collected.line_of(row("Pending", account=None, backend=None), ["other", "lab-open"])
    there = row(
        provider_job_id="d541c5",
        provider_device="ibm_fez",
        provider_state="queued",
        provider_compiled=COMPILED,
        fingerprint="f" * 64,
    )
    line = collected.merged(early, collected.line_of(there, ["other", "lab-open"]))
    assert (line["job_id"], line["qtasks_job_id"], line["backend"]) == ("d541c5", JOB_ID, "ibm_fez")
    assert (line["transpiled_depth"], line["transpiled_gates"], line["api_key_index"]) == (409, 1170, 1)
    assert line["circuit_hash"] == "f" * 64
    assert tuple(line) == tuple(early)


def test_what_the_submitter_wrote_stays() -> None:
    written: dict[str, Any] = {
        "job_id": "d541c5",
        "submission_time": "2025-12-21T20:45:15.675969",
        "shots": 100,
        "experiment_type": "deployment",
        "circuit_hash": "a3f5",
        "status": "submitted",
        "retry_count": 2,
    }
    adopted = row("Failed", provider_job_id="d541c5", message="Backend went offline.", shots=1024)
    line = collected.merged(written, collected.line_of(adopted, []))
    assert written.items() - line.items() == {("status", "submitted")}
    assert (line["status"], line["error"]) == ("failed", "Backend went offline.")
    assert line["completion_time"] == "2026-11-20T12:00:00.000000Z"


def test_an_entry_of_the_results_has_counts_or_says_why_not() -> None:
    done = row("Completed", provider_quantum_seconds=2.5, cost_micros=1_600_000, provider_job_id="d541c5")
    entry = collected.entry_of(collected.line_of(done, []), collected.collected_of(done, []), BELL)
    assert (entry["counts"], entry["error"]) == (BELL.get_counts(), None)
    assert (entry["quantum_seconds"], entry["cost"]) == (2.5, "$1.60")
    assert entry["provenance"] == BELL.provenance.to_dict()
    waiting = collected.entry_of(collected.line_of(row(), []), collected.collected_of(row(), []), None)
    assert (waiting["counts"], waiting["completion_time"], waiting["provenance"]) == (None, None, None)
    assert collected.document([entry, waiting])["summary"] == {
        "total": 2,
        "completed": 1,
        "failed": 0,
        "cancelled": 0,
        "error": 0,
        "pending": 1,
    }
