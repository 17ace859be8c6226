"""Provenance tells the truth about times, versions and commits."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from qtasks.results import Provenance, git_commit, timestamp, versions

from .examples import PROVENANCE

A, B = "a" * 40, "b" * 40


def repository(folder: Path, head: str) -> Path:
    git = folder / ".git"
    (git / "refs/heads").mkdir(parents=True)
    (git / "HEAD").write_text(head + "\n")
    return git


def test_every_field_survives_a_round_trip() -> None:
    assert Provenance.from_dict(PROVENANCE.to_dict()) == PROVENANCE
    assert set(PROVENANCE.to_dict()) == {field.name for field in fields(Provenance)}
    bare = Provenance(circuit_hash="h", backend="b")
    assert Provenance.from_dict(bare.to_dict()) == bare
    assert Provenance.from_dict({"circuit_hash": "h", "backend": "b"}) == bare


def test_times_are_utc_with_a_z() -> None:
    there = timezone(timedelta(hours=2))
    assert timestamp(datetime(2026, 1, 2, 1, 30, tzinfo=there)) == "2026-01-01T23:30:00.000000Z"
    assert datetime.fromisoformat(timestamp(datetime(2026, 1, 1, tzinfo=UTC))) == datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="time zone"):
        timestamp(datetime(2026, 1, 1))


def test_versions_name_what_ran() -> None:
    import platform

    import qiskit
    import qiskit_aer

    found = versions()
    assert found["python"] == platform.python_version()
    assert found["qiskit"] == qiskit.__version__
    assert found["qiskit_aer"] == qiskit_aer.__version__
    assert "qtasks" in found


def test_the_commit_is_that_of_the_branch_that_is_checked_out(tmp_path: Path) -> None:
    git = repository(tmp_path, "ref: refs/heads/main")
    assert git_commit(tmp_path) is None
    (git / "refs/heads/main").write_text(A + "\n")
    (tmp_path / "deep/er").mkdir(parents=True)
    assert git_commit(tmp_path / "deep/er") == A
    (git / "refs/heads/main").write_text(B + "\n")
    assert git_commit(tmp_path) == B


def test_a_detached_head_is_its_own_commit(tmp_path: Path) -> None:
    repository(tmp_path, A)
    assert git_commit(tmp_path) == A


def test_a_packed_branch_is_found_and_a_loose_one_comes_first(tmp_path: Path) -> None:
    git = repository(tmp_path, "ref: refs/heads/main")
    (git / "packed-refs").write_text(f"# pack-refs with: peeled\n{B} refs/heads/main-2\n{A} refs/heads/main\n^{B}\n")
    assert git_commit(tmp_path) == A
    (git / "refs/heads/main").write_text(B)
    assert git_commit(tmp_path) == B


def test_a_worktree_has_its_own_head_and_the_repositorys_branches(tmp_path: Path) -> None:
    git = repository(tmp_path / "main", "ref: refs/heads/main")
    (git / "refs/heads/main").write_text(A)
    (git / "refs/heads/other").write_text(B)
    (git / "worktrees/w").mkdir(parents=True)
    (git / "worktrees/w/HEAD").write_text("ref: refs/heads/other\n")
    (git / "worktrees/w/commondir").write_text("../..\n")
    (tmp_path / "w").mkdir()
    (tmp_path / "w/.git").write_text(f"gitdir: {git / 'worktrees/w'}\n")
    assert git_commit(tmp_path / "w") == B


def test_what_is_no_repository_has_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    assert git_commit() is None
    (tmp_path / ".git/HEAD").write_text("ref: ../../etc/passwd")
    assert git_commit() is None
    (tmp_path / ".git/HEAD").write_text("no commit at all")
    assert git_commit() is None
    (tmp_path / ".git/HEAD").write_bytes(b"\xff\xfe")
    assert git_commit() is None


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_git_itself_says_the_same(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}

    def git(*arguments: str) -> str:
        author = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        command = ["git", *author, "-C", str(tmp_path), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.strip()

    git("init", "-q")
    assert git_commit(tmp_path) is None
    git("commit", "-q", "--allow-empty", "-m", "one")
    assert git_commit(tmp_path) == git("rev-parse", "HEAD")
    git("pack-refs", "--all")
    assert git_commit(tmp_path) == git("rev-parse", "HEAD")
    git("commit", "-q", "--allow-empty", "-m", "two")
    assert git_commit(tmp_path) == git("rev-parse", "HEAD")
    git("worktree", "add", "-q", str(tmp_path / "other"), "HEAD~1")
    assert git_commit(tmp_path / "other") == git("rev-parse", "HEAD~1")
