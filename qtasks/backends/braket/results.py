"""A task's `results.json` (`braket.task_result.gate_model_task_result`, version 1), checked and counted. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from qtasks.backends.braket.memory import Memory, read
from qtasks.backends.protocol import BackendError, Outcome

_SCHEMA = ("braket.task_result.gate_model_task_result", "1")


def outcome(data: bytes, arn: str, shots: int) -> Outcome:
    """The counts of a task of so many shots. Raises BackendError (`ResultInvalid`) for a result that is another task's,
    incomplete, or no result at all."""
    try:
        result = json.loads(data)
        header = result["braketSchemaHeader"]
        if (header["name"], header["version"]) != _SCHEMA:
            raise ValueError(f"it is a {header['name']}, version {header['version']}")
        about = result["taskMetadata"]
        if about["id"] != arn or about["shots"] != shots:
            raise ValueError(f"it is that of {about['id']} with {about['shots']} shots")
        memory = read(result["additionalMetadata"]["action"]["source"])
        counts = _counts(result, memory, shots)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise invalid(arn, f"{type(error).__name__}: {error}") from None
    return Outcome(counts, memory.registers, memory.num_clbits, memory.clbits, shots, _metadata(result))


def invalid(arn: str, why: str) -> BackendError:
    return BackendError(
        f"The result of {arn} cannot be used ({why}).",
        reason="ResultInvalid",
        hint="Look at the task in the Braket console; its results.json lies in the account's bucket.",
    )


def execution_seconds(metadata: Mapping[str, Any]) -> float | None:
    """What a simulator took, of an Outcome's metadata: the time that Braket bills."""
    found = metadata.get("execution_milliseconds")
    return None if found is None else found / 1000.0


def _counts(result: Mapping[str, Any], memory: Memory, shots: int) -> dict[str, int]:
    columns = {qubit: column for column, qubit in enumerate(result["measuredQubits"])}
    wanted = [(columns[qubit], 1 << clbit) for clbit, qubit in memory.measured.items()]
    counts: Counter[str] = Counter()
    for bits, count in _rows(result, shots):
        if len(bits) != len(columns) or any(bit not in (0, 1) for bit in bits):
            raise ValueError("an outcome is not one bit for each measured qubit")
        counts[hex(sum(value for column, value in wanted if bits[column]))] += count
    if counts.total() != shots:
        raise ValueError(f"it has {counts.total()} of {shots} shots")
    return dict(counts)


def _rows(result: Mapping[str, Any], shots: int) -> Iterable[tuple[tuple[int, ...], int]]:
    """Each distinct outcome, a bit for each measured qubit, and how often it came."""
    if result.get("measurements"):
        return Counter(map(tuple, result["measurements"])).items()
    shares: dict[str, float] = result["measurementProbabilities"]
    if any(share < 0 for share in shares.values()) or abs(sum(shares.values()) - 1.0) > 1e-3:
        raise ValueError("the probabilities do not add up to 1")
    # Probabilities that error mitigation has changed are no multiples of 1/shots: the largest remainders get the rest.
    whole = {outcome: int(share * shots + 1e-6) for outcome, share in shares.items()}
    rest = sorted(shares, key=lambda outcome: whole[outcome] - shares[outcome] * shots)
    for outcome in rest[: max(0, shots - sum(whole.values()))]:
        whole[outcome] += 1
    return [(tuple(map(int, outcome)), count) for outcome, count in whole.items() if count]


def _metadata(result: Mapping[str, Any]) -> dict[str, Any]:
    about = result["taskMetadata"]
    found = {name: about[name] for name in ("createdAt", "endedAt", "deviceId") if about.get(name)}
    took = (result["additionalMetadata"].get("simulatorMetadata") or {}).get("executionDuration")
    return found if took is None else {**found, "execution_milliseconds": took}
