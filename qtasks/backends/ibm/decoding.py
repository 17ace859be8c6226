"""Counts out of what IBM keeps as a job's result."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from qtasks.backends.ibm.submission import NOTE
from qtasks.backends.protocol import BackendError, Outcome, ProviderUnavailable


def outcome(raw: str) -> Outcome:
    """The result of a job, from the API's text; of a job of several circuits with the outcome of each.

    It carries the description of its own classical memory; one that does not is taken for registers that lie one after
    another. Raises BackendError (`ResultInvalid`) for what is broken or not whole, ProviderUnavailable for nothing.
    """
    if not raw.strip():
        raise ProviderUnavailable("IBM Quantum has no result yet for a job that is done.")
    items, metadata, notes = _primitive(raw) if '"PrimitiveResult"' in raw[:200] else _executed(raw)
    if not items or len(notes) != len(items):
        raise _invalid(f"it has {len(items)} results, and {len(notes)} circuits were run")
    found = [_joined(item, metadata, note or _plain(item)) for item, note in zip(items, notes, strict=True)]
    return found[0] if len(found) == 1 else replace(found[0], runs=tuple(found))


_Decoded = tuple[list[Mapping[str, Any]], dict[str, Any], list[Any]]
"""For each circuit: register name → array of bits (shots × size, bit 0 first); metadata; for each circuit the
description of its memory."""


def _primitive(raw: str) -> _Decoded:
    """The result of a job that another program submitted with IBM's own sampler (`SamplerV2`)."""
    from qiskit_ibm_runtime.json import RuntimeDecoder

    try:
        (pub,) = json.loads(raw, cls=RuntimeDecoder)
        return [{name: array.to_bool_array(order="little") for name, array in pub.data.items()}], {}, [None]
    except Exception as error:  # as below
        raise _invalid(f"it cannot be decoded ({type(error).__name__})") from None


def _executed(raw: str) -> _Decoded:
    from qiskit_ibm_runtime.decoders.executor.decoder import ExecutorResultDecoder

    try:
        result = ExecutorResultDecoder.decode(raw)
        items: list[Mapping[str, Any]] = [dict(item.items()) for item in result]
        given = result.passthrough_data
        notes = given["post_processor"]["circuits_metadata"] if isinstance(given, dict) else [None] * len(items)
        spans = [
            {"start": span.start.isoformat(), "stop": span.stop.isoformat()} for span in result.metadata.chunk_timing
        ]
        return items, {"execution_spans": spans}, [(note or {}).get(NOTE) for note in notes]
    except Exception as error:  # whatever the library's models meet in broken bytes
        raise _invalid(f"it cannot be decoded ({type(error).__name__})") from None


def _plain(item: Mapping[str, Any]) -> dict[str, Any]:
    places: dict[str, list[int]] = {}
    width = 0
    for name, bits in item.items():
        places[name] = list(range(width, width + bits.shape[-1]))
        width += bits.shape[-1]
    registers = [[name, len(bits)] for name, bits in places.items()]
    return {"registers": registers, "num_clbits": width, "clbits": None, "places": places, "shots": None}


def _joined(item: Mapping[str, Any], metadata: dict[str, Any], note: Mapping[str, Any]) -> Outcome:
    import numpy as np

    try:
        width, places = int(note["num_clbits"]), note["places"]
        lengths = {len(item[name]) for name, bits in places.items() if bits}
        if len(lengths) != 1:
            raise _invalid("its registers do not have the same number of shots")
        shots = lengths.pop()
        if note["shots"] not in (None, shots):
            raise _invalid(f"it has {shots} shots, and {note['shots']} were asked for")
        memory = np.zeros((shots, width), dtype=bool)
        for name, bits in places.items():
            if bits and item[name].shape != (shots, len(bits)):
                raise _invalid(f"its register {name} does not have {len(bits)} bits")
            memory[:, bits] = item[name] if bits else False
        clbits = note["clbits"]
        return Outcome(
            counts=_counted(memory),
            registers=[(str(name), int(size)) for name, size in note["registers"]],
            num_clbits=width,
            clbits=None if clbits is None else [[int(bit) for bit in bits] for bits in clbits],
            shots=shots,
            metadata=metadata,
        )
    except KeyError as error:
        raise _invalid(f"it lacks {error}") from None
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        raise _invalid(f"it is not one of a sampler ({type(error).__name__})") from None


def _counted(memory: Any) -> dict[str, int]:
    """How often each row occurs, under its number in hexadecimal; column 0 is bit 0."""
    import numpy as np

    packed = np.packbits(memory, axis=1, bitorder="little")
    rows, numbers = np.unique(packed, axis=0, return_counts=True)
    return {
        hex(int.from_bytes(row.tobytes(), "little")): int(number) for row, number in zip(rows, numbers, strict=True)
    }


def _invalid(why: str) -> BackendError:
    return BackendError(
        f"IBM Quantum's result is not whole: {why}.",
        reason="ResultInvalid",
        hint="The provider still has the job: look at it there, or submit it again.",
    )
