"""Resources as users write them, and what is read of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml

from tests.support.servers import eventually

BELL = "from qiskit import QuantumCircuit\nqc = QuantumCircuit(2)\nqc.h(0)\nqc.cx(0, 1)\nqc.measure_all()\n"


def job(name: str, *, code: str | None = None, location: str = "my-results", **spec: Any) -> str:
    """A QiskitJob as the guide has it, with the label algorithm=grover; its circuit in a ConfigMap, or `code`."""
    circuit = {"source": "configmap", "configMapRef": {"name": "bell-circuit", "key": "circuit.py"}}
    return yaml.safe_dump(
        {
            "apiVersion": "quantum.io/v1",
            "kind": "QiskitJob",
            "metadata": {"name": name, "labels": {"algorithm": "grover"}},
            "spec": {
                "backend": {"type": "local_simulator"},
                "circuit": circuit if code is None else {"source": "inline", "code": code},
                "execution": {"shots": 1024},
                "output": {"type": "configmap", "location": location, "format": "json"},
                **spec,
            },
        }
    )


def condition(found: dict[str, Any], kind: str) -> dict[str, Any]:
    conditions = found.get("status", {}).get("conditions", [])
    return next((each for each in conditions if each["type"] == kind), {})


def wait_for_delivery(get: Callable[[str], dict[str, Any]], name: str) -> None:
    """Wait until a job's result is in its ConfigMap."""

    def delivered() -> bool:
        return condition(get(name), "OutputDelivered").get("status") == "True"

    eventually(delivered, seconds=120, what=f"{name} being delivered")


OTHERS = [
    {
        "apiVersion": "quantum.io/v1",
        "kind": "QiskitBudget",
        "metadata": {"name": "one"},
        "spec": {"limit": "$1000.00", "period": "monthly"},
    },
    {
        "apiVersion": "quantum.io/v1",
        "kind": "QiskitSession",
        "metadata": {"name": "one"},
        "spec": {"backend": {"type": "local_simulator"}, "maxTime": 600},
    },
    {
        "apiVersion": "quantum.io/v1",
        "kind": "QiskitBackend",
        "metadata": {"name": "one"},
        "spec": {"type": "local_simulator"},
    },
]
