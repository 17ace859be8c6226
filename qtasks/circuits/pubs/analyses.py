"""What holds for all circuits of a job, from what holds for each. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from qtasks.circuits.analysis import Analysis


def whole(analyses: Sequence[Analysis]) -> Analysis:
    """One analysis that holds for every run: of what is counted the most that one of them has, of what is asked for
    whatever any of them asks, of what must be there the least. A method has an estimate of memory where all can be run
    with it; registers are the first circuit's."""
    first = analyses[0]
    methods = set.intersection(*(set(each.memory) for each in analyses))
    names = sorted({name for each in analyses for name in each.gates})
    return Analysis(
        qubits=max(each.qubits for each in analyses),
        clbits=max(each.clbits for each in analyses),
        registers=list(first.registers),
        depth=max(each.depth for each in analyses),
        size=max(each.size for each in analyses),
        expanded_size=max(each.expanded_size for each in analyses),
        gates={name: max(each.gates.get(name, 0) for each in analyses) for name in names},
        two_qubit_gates=max(each.two_qubit_gates for each in analyses),
        measurements=min(each.measurements for each in analyses),
        has_control_flow=any(each.has_control_flow for each in analyses),
        mid_circuit_measurement=any(each.mid_circuit_measurement for each in analyses),
        parameters=[],
        clifford=all(each.clifford for each in analyses),
        active_qubits=max(each.active_qubits for each in analyses),
        memory={name: max(each.memory[name] for each in analyses) for name in sorted(methods)},
        control_flow=_any(each.control_flow for each in analyses),
        classical=_any(each.classical for each in analyses),
        opaque=_any(each.opaque for each in analyses),
        resets=any(each.resets for each in analyses),
    )


def _any(names: Iterable[Iterable[str]]) -> list[str]:
    return sorted({name for each in names for name in each})
