"""Jobs files: what they hold is kept, what is wrong with them is told, and a crash leaves the old or the new."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from qtasks.client import jobs_file
from qtasks.errors import InvalidInput

SEED = {
    "job_id": "d541c5onsj9s73b1d4lg",
    "experiment_type": "surface_code",
    "backend": "ibm_fez",
    "logical_state": "+",
    "shots": 4096,
    "circuit_hash": "a3f5b2c1d4e6f7g8",
    "transpiled_depth": 409,
    "transpiled_gates": 1170,
    "submission_time": "2025-12-21T20:45:15.675969",
    "api_key_index": 0,
    "git_commit": "abc123def456",
    "status": "submitted",
}


def test_the_seeds_line_is_read_and_written_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "submitted.jsonl"
    text = json.dumps(SEED) + "\n" + json.dumps({**SEED, "job_id": "d541c6", "note": "äöü", "retry_count": 2}) + "\n"
    path.write_text(text)
    entries = jobs_file.read(path)
    assert entries[0] == SEED
    assert json.loads(jobs_file.render(entries[1:])) == {**SEED, "job_id": "d541c6", "note": "äöü", "retry_count": 2}
    assert tuple(SEED) == jobs_file.FIELDS


def test_a_line_without_a_status_was_submitted_and_empty_lines_are_none() -> None:
    assert jobs_file.parse('\n{"job_id": "a"}\n\n', "f") == [{"job_id": "a", "status": "submitted"}]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"job_id": "b", "sta', "it is no JSON (column 17)"),
        ('["b"]', "it is no JSON object"),
        ('{"status": "submitted"}', "job_id is not there, or no text of at most 255 characters"),
        ('{"job_id": "a\\u0000b"}', "job_id is not there, or no text of at most 255 characters"),
        ('{"job_id": 7}', "job_id is not there, or no text of at most 255 characters"),
        (
            '{"job_id": "b", "status": "lost"}',
            'status "lost" is none of submitted, completed, failed, cancelled, error',
        ),
        ('{"job_id": "b", "api_key_index": "0"}', "api_key_index is no whole number"),
        ('{"job_id": "b", "shots": 0}', "shots is no whole number of 1 or more"),
    ],
)
def test_junk_is_told_with_the_number_of_its_line(line: str, problem: str) -> None:
    with pytest.raises(InvalidInput) as error:
        jobs_file.parse(f'{{"job_id": "a"}}\n\n{line}\n', "old.jsonl")
    assert (error.value.message, error.value.reason) == (f"old.jsonl, line 3: {problem}.", "InvalidJobsFile")


def test_what_is_no_text_or_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidInput, match="not a UTF-8 text"):
        jobs_file.read(tmp_path / "binary.jsonl")
    with pytest.raises(InvalidInput, match="cannot be read: No such file"):
        jobs_file.read(tmp_path / "none.jsonl")
    with pytest.raises(InvalidInput, match="cannot be written: No such file"):
        jobs_file.require_writable(tmp_path / "none" / "jobs.jsonl")


def test_a_rewrite_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "jobs.jsonl"
    path.write_text(json.dumps(SEED) + "\n")
    with pytest.raises(TypeError):
        jobs_file.rewrite(path, lambda entries: [*entries, {"job_id": object()}])
    assert jobs_file.read(path) == [SEED]
    assert list(tmp_path.iterdir()) == [path]


def test_a_rewrite_that_changes_nothing_touches_nothing(tmp_path: Path) -> None:
    path = tmp_path / "jobs.jsonl"
    path.write_text(json.dumps(SEED) + "\n")
    path.chmod(0o640)
    before = path.stat()
    jobs_file.rewrite(path, lambda entries: entries)
    assert path.stat() == before
    jobs_file.rewrite(path, lambda entries: [{**entries[0], "status": "completed"}])
    assert path.stat().st_mode == before.st_mode
    assert jobs_file.read(path)[0]["status"] == "completed"


def test_those_who_rewrite_at_once_lose_no_line_and_readers_see_whole_ones(tmp_path: Path) -> None:
    path = tmp_path / "jobs.jsonl"
    names = [[f"{writer}-{number}" for number in range(25)] for writer in range(4)]

    def write(mine: list[str]) -> None:
        for name in mine:
            jobs_file.rewrite(path, lambda entries, name=name: [*entries, {"job_id": name, "status": "submitted"}])  # type: ignore[misc]

    threads = [threading.Thread(target=write, args=(mine,)) for mine in names]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if path.exists():
            jobs_file.read(path)
    for thread in threads:
        thread.join()
    assert sorted(entry["job_id"] for entry in jobs_file.read(path)) == sorted(name for mine in names for name in mine)


def test_a_new_file_takes_the_name_of_none_that_is_there(tmp_path: Path) -> None:
    made = []
    for _ in range(3):
        made.append(jobs_file.name_of_new("collected_results", ".json", tmp_path))
        made[-1].touch()
    assert len(set(made)) == 3
    assert all(path.match("collected_results_????????_??????*.json") for path in made)
