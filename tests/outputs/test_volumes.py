"""What only volumes do: nothing is written outside of one, nor where none is mounted."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qtasks.errors import InvalidInput, NotFound, Unavailable
from qtasks.results.outputs.protocol import Delivery
from qtasks.results.outputs.pvc import VolumeOutput


def deliver(root: Path, path: str | None, *, make_claims: bool = True, claim: str = "claim") -> str:
    return VolumeOutput(root, make_claims=make_claims).deliver(Delivery("lab", "job-1", claim, path), b"result")


def test_a_file_is_made_with_the_folders_above_it(tmp_path: Path) -> None:
    where = deliver(tmp_path, "/results/2026/bell.json")
    assert (tmp_path / "lab/claim/results/2026/bell.json").read_bytes() == b"result"
    assert where.startswith("claim lab/claim, results/2026/bell.json (")
    deliver(tmp_path, None)
    assert (tmp_path / "lab/claim/job-1.json").read_bytes() == b"result"
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 2


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text("ab./\\~\0", min_size=1, max_size=10))
def test_nothing_is_ever_written_outside_the_volume(tmp_path: Path, path: str) -> None:
    root = tmp_path / "in" / "volumes"
    try:
        deliver(root, path)
    except InvalidInput as error:
        assert error.reason == "InvalidOutput"
    assert all(found.is_relative_to(root / "lab" / "claim") for found in tmp_path.rglob("*") if found.is_file())


@pytest.mark.parametrize("link", ["lab", "lab/claim", "lab/claim/results"])
def test_a_link_on_the_way_is_not_followed(tmp_path: Path, link: str) -> None:
    root, outside = tmp_path / "volumes", tmp_path / "outside"
    outside.mkdir()
    (root / link).parent.mkdir(parents=True)
    (root / link).symlink_to(outside)
    with pytest.raises(InvalidInput) as caught:
        deliver(root, "results/deep/bell.json")
    assert caught.value.reason == "InvalidOutput"
    assert list(outside.iterdir()) == []


def test_a_link_in_place_of_the_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "lab/claim").mkdir(parents=True)
    (tmp_path / "lab/claim/bell.json").symlink_to(tmp_path / "precious")
    deliver(tmp_path, "bell.json")
    assert (tmp_path / "precious").read_text() == "precious"


def test_a_claim_that_is_not_mounted_is_not_made_where_claims_are_mounted(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        deliver(tmp_path, "bell.json", make_claims=False)
    assert caught.value.reason == "ClaimNotMounted"
    assert "QTASKS_VOLUMES_DIR" in caught.value.hint
    (tmp_path / "lab/claim").mkdir(parents=True)
    deliver(tmp_path, "bell.json", make_claims=False)
    with pytest.raises(InvalidInput):
        deliver(tmp_path, "bell.json", claim="../claim")


def test_a_volume_that_is_away_may_come_back(tmp_path: Path) -> None:
    root = tmp_path / "volumes"
    root.symlink_to(tmp_path / "mount")
    with pytest.raises(Unavailable):
        deliver(root, "bell.json")
    (tmp_path / "mount").mkdir()
    deliver(root, "bell.json")
    assert (tmp_path / "mount/lab/claim/bell.json").exists()
