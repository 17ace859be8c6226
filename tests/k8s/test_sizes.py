"""The sizes of the execution classes: the seeds' table, the workers' settings, and what scheduling is told."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from qtasks.config import Config
from qtasks.lifecycle import SIMULATION
from qtasks.resources import Quantity
from tests.k8s.objects import OVERLAYS, Object, containers, environment, main, name_of, of_kind, overlay, own

CLASSES = ("small", "medium", "large", "huge")
SEED = {"small": (1, 4), "medium": (4, 16), "large": (8, 64), "huge": (16, 128)}
"""Cores and Gi of the seeds' table of circuit sizes, the upper end of each row."""


def _classes(name: str) -> dict[str, Object]:
    found = own(name)
    return {each: found[f"execution-{each}"] for each in CLASSES if f"execution-{each}" in found}


def _config(name: str) -> Config:
    [config] = [each for each in of_kind(overlay(name), "ConfigMap") if name_of(each) == "qtasks-config"]
    return Config.model_validate(yaml.safe_load(config["data"]["config.yaml"]))


@pytest.mark.parametrize("name", OVERLAYS)
def test_pods_are_as_large_as_the_seeds_table_says(name: str) -> None:
    for size, workload in _classes(name).items():
        limits = main(workload)["resources"]["limits"]
        assert (int(limits["cpu"]), Quantity(limits["memory"]).bytes) == (SEED[size][0], SEED[size][1] * 2**30)


@pytest.mark.parametrize("name", OVERLAYS)
def test_simulations_leave_the_workers_own_processes_their_part_of_the_memory(name: str) -> None:
    for workload in _classes(name).values():
        limits, given = main(workload)["resources"]["limits"], environment(main(workload))
        left = Quantity(limits["memory"]).bytes - Quantity(given["QTASKS_WORKER_MEMORY"]).bytes
        assert left >= 2**30
        assert given["QTASKS_WORKER_THREADS"] == limits["cpu"]


@pytest.mark.parametrize("name", OVERLAYS)
def test_scheduling_is_told_of_the_classes_that_there_are_and_of_their_sizes(name: str) -> None:
    def plain(size: Any) -> tuple[int, float]:
        return size.memory.bytes, size.cpu.cores

    told = {queue: plain(size) for queue, size in _config(name).workers.sizes()}
    there = {}
    for size, workload in _classes(name).items():
        given = environment(main(workload))
        queue = SIMULATION[CLASSES.index(size)]
        there[queue] = (Quantity(given["QTASKS_WORKER_MEMORY"]).bytes, float(given["QTASKS_WORKER_THREADS"]))
    assert told == there


@pytest.mark.parametrize("name", ["production", "gpu"])
def test_a_simulations_pod_is_the_last_that_a_full_node_ends(name: str) -> None:
    for workload in _classes(name).values():
        for container in containers(workload):
            assert container["resources"]["requests"] == container["resources"]["limits"]


def test_gpus_are_for_the_large_classes() -> None:
    for size, workload in _classes("gpu").items():
        limits = main(workload)["resources"]["limits"]
        assert (limits.get("nvidia.com/gpu") == "1") == (size in ("large", "huge"))
        assert ("worker-gpu" in main(workload)["image"]) == (size in ("large", "huge"))
