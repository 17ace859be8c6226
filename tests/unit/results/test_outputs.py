"""A copy of a result lands where its job's output says, and nowhere else."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from qtasks.errors import Forbidden, InvalidInput, Unavailable
from qtasks.results import JobResult, SamplerPubResult, outputs
from qtasks.results.formats import render
from qtasks.results.outputs import Delivery, Means
from qtasks.settings import Settings

from .examples import BELL, with_pubs


@dataclass(frozen=True)
class Spec:
    type: str = "configmap"
    location: str = "my-results"
    format: str = "json"


def deliver(spec: Spec, namespace: str, result: JobResult, settings: Settings) -> str:
    job = Delivery(namespace, result.job_id, spec.location, name="bell", format=spec.format, date="2026-01-02")
    return outputs.deliver(spec.type, job, render(result, spec.format), Means(settings))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "configmaps"


@pytest.fixture
def settings(folder: Path) -> Settings:
    return Settings(configmaps_dir=folder)


def test_a_configmap_is_a_folder_with_the_key_results(folder: Path, settings: Settings) -> None:
    where = deliver(Spec(), "default", BELL, settings)
    assert json.loads((folder / "default/my-results/results").read_text())["counts"] == {"00": 510, "11": 514}
    assert "default/my-results" in where
    assert str(folder / "default/my-results/results") in where
    assert [path.name for path in folder.rglob("*") if path.is_file()] == ["results"]


def test_other_keys_of_the_configmap_stay(folder: Path, settings: Settings) -> None:
    (folder / "default/my-results").mkdir(parents=True)
    (folder / "default/my-results/circuit.py").write_text("x")
    deliver(Spec(), "default", BELL, settings)
    assert (folder / "default/my-results/circuit.py").read_text() == "x"


def test_an_output_of_no_known_type_is_refused(settings: Settings) -> None:
    with pytest.raises(InvalidInput) as caught:
        deliver(Spec(type="mail"), "default", BELL, settings)
    assert caught.value.reason == "InvalidOutput"
    assert "configmap, pvc, s3, gcs" in caught.value.hint


def test_a_result_larger_than_a_configmap_is_refused(folder: Path, settings: Settings) -> None:
    counts = {hex(number): 1 for number in range(30_000)}
    large = with_pubs(SamplerPubResult([("meas", 60)], 60, 30_000, counts))
    with pytest.raises(InvalidInput) as caught:
        deliver(Spec(format="csv"), "default", large, settings)
    assert caught.value.reason == "ConfigMapTooLarge"
    assert "qtasks results job-1" in str(caught.value)
    assert not folder.exists()


@pytest.mark.parametrize("name", ["", "..", ".", "/etc", "a/b", "Upper", "a_b", "-a", "a-", "a..b", "a\n", "x" * 254])
def test_a_name_that_kubernetes_would_refuse_is_refused(name: str, folder: Path, settings: Settings) -> None:
    with pytest.raises(InvalidInput) as caught:
        deliver(Spec(location=name), "default", BELL, settings)
    assert caught.value.reason == "InvalidOutput"
    with pytest.raises(InvalidInput):
        deliver(Spec(), name, BELL, settings)
    assert not folder.exists()


def test_other_keys_count_towards_what_a_configmap_holds(folder: Path, settings: Settings) -> None:
    (folder / "default/my-results").mkdir(parents=True)
    (folder / "default/my-results/circuit.py").write_bytes(b"x" * 2**20)
    with pytest.raises(InvalidInput, match="1,048,576 bytes of other keys") as caught:
        deliver(Spec(), "default", BELL, settings)
    assert caught.value.reason == "ConfigMapTooLarge"
    assert "pvc, s3 or gcs" in caught.value.hint


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text("ab./\\-~\0%", max_size=8), st.text("ab./\\-~\0%", max_size=8))
def test_nothing_is_ever_written_outside_the_folder(tmp_path: Path, namespace: str, name: str) -> None:
    folder = tmp_path / "in" / "configmaps"
    try:
        deliver(Spec(location=name), namespace, BELL, Settings(configmaps_dir=folder))
    except InvalidInput as error:
        assert error.reason == "InvalidOutput"
    else:
        assert (folder / namespace / name / "results").is_file()
    assert all(path.is_relative_to(folder) for path in tmp_path.rglob("*") if path.is_file())


@pytest.mark.parametrize("link", ["default", "default/my-results"])
def test_a_link_in_place_of_a_folder_is_not_followed(
    link: str, tmp_path: Path, folder: Path, settings: Settings
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (folder / link).parent.mkdir(parents=True)
    (folder / link).symlink_to(outside)
    with pytest.raises(InvalidInput) as caught:
        deliver(Spec(), "default", BELL, settings)
    assert caught.value.reason == "InvalidOutput"
    assert list(outside.iterdir()) == []


def test_a_link_in_place_of_the_key_is_replaced_and_not_followed(
    tmp_path: Path, folder: Path, settings: Settings
) -> None:
    (tmp_path / "precious").write_text("precious")
    (folder / "default/my-results").mkdir(parents=True)
    (folder / "default/my-results/results").symlink_to(tmp_path / "precious")
    deliver(Spec(), "default", BELL, settings)
    assert (tmp_path / "precious").read_text() == "precious"
    assert not (folder / "default/my-results/results").is_symlink()


def test_deliveries_at_once_leave_one_whole_result(folder: Path, settings: Settings) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: deliver(Spec(), "default", BELL, settings), range(40)))
    assert [path.name for path in (folder / "default/my-results").iterdir()] == ["results"]
    assert json.loads((folder / "default/my-results/results").read_text())["job_id"] == "job-1"


def test_a_folder_that_is_a_file_is_unavailable_or_refused(folder: Path, settings: Settings) -> None:
    folder.write_text("a file")
    with pytest.raises((InvalidInput, Unavailable, Forbidden)) as caught:
        deliver(Spec(), "default", BELL, settings)
    assert str(folder) in caught.value.message
