"""Compiling a circuit for a device of Braket, and what else CreateQuantumTask wants of it.

For a simulator the circuit is translated into its gates, and its qubits are numbered without gaps. For a QPU that takes
verbatim boxes it is compiled for the device's own gates, qubits and couplings, and nothing is changed after that. Where
there are no verbatim boxes, or where only pulse calibrations tell which native gates there are (Rigetti's `rx` knows
quarter turns only), it is translated into gates that Braket takes for the device; Braket lays it out and compiles it.
"""

from __future__ import annotations

import hashlib
import json
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, TypeVar

from qtasks.backends.braket import memory
from qtasks.backends.braket.devices import OPENQASM, Snapshot, calibration
from qtasks.backends.pass_managers import preset_pass_manager
from qtasks.backends.protocol import BackendError, Compiled, Program
from qtasks.circuits.analysis import analyse
from qtasks.circuits.formats import load_canonical
from qtasks.results import classical_memory

_KEPT = 64
_K = TypeVar("_K")
_V = TypeVar("_V")


class Compiler:
    """Compiles circuits. Targets and pass managers are kept: a pass manager is dearer than what it does."""

    def __init__(self) -> None:
        self._targets: OrderedDict[tuple[str, str], _Target] = OrderedDict()
        self._managers: OrderedDict[tuple[Any, ...], Any] = OrderedDict()

    def compile(self, program: Program, device: Snapshot) -> Compiled:
        """The program of a circuit. Raises BackendError (`TranspilerError`, `NothingMeasured`, …)."""
        started = time.perf_counter()
        circuit = load_canonical(program.qpy)
        registers, num_clbits, clbits = classical_memory(circuit)
        with warnings.catch_warnings():
            # What it says of barriers, global phases and gaps in a calibration changes no result.
            warnings.filterwarnings("ignore", category=UserWarning, module="qiskit_braket_provider")
            try:
                target = self._target(device)
                isa = self._manager(device, target, program).run(circuit)
                _check(isa)
                source, measured, width = target.translate(isa)
            except BackendError:
                raise
            except BaseException as error:
                if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                    raise  # a panic in Qiskit's Rust is no Exception
                raise _untranslatable(str(error), device) from None
        facts = analyse(isa)
        found = calibration(device)
        return Compiled(
            device.arn,
            "openqasm3",
            memory.write(source, memory.Memory(registers, num_clbits, clbits, measured, width)).encode(),
            found.id if found else "",
            registers,
            num_clbits,
            clbits,
            facts.depth,
            facts.gates,
            facts.two_qubit_gates,
            time.perf_counter() - started,
        )

    def _target(self, device: Snapshot) -> _Target:
        key = (device.arn, hashlib.sha256(device.text.encode()).hexdigest())
        return _kept(self._targets, key, lambda: _Target(device, key))

    def _manager(self, device: Snapshot, target: _Target, program: Program) -> Any:
        layout = target.layout(device, program.initial_layout)
        level, seed = program.optimization_level, program.seed_transpiler
        key = (target.key, level, layout, seed)
        return _kept(self._managers, key, lambda: target.manager(level, layout, seed))


class _Target:
    """What a device's circuits are compiled for. `labels`: the device's own names of its qubits, where it has them."""

    def __init__(self, device: Snapshot, key: tuple[str, str]) -> None:
        from braket.aws import AwsDevice
        from qiskit.circuit.library import get_standard_gate_name_mapping
        from qiskit_braket_provider.providers.adapter import (
            aws_device_to_target,
            gateset_from_properties,
            native_angle_restrictions,
        )

        # AwsDevice asks its session for nothing but this, and never makes one of its own: a copy of a session goes to
        # the real AWS whatever endpoint the first one had.
        answer = {
            "deviceName": device.name,
            "deviceStatus": device.status,
            "deviceType": "SIMULATOR" if device.simulator else "QPU",
            "deviceCapabilities": device.text,
        }
        known = SimpleNamespace(region=AwsDevice.get_device_region(device.arn), get_device=lambda _: answer)
        self.key = key
        self.all_qubits = bool(device.openqasm.get("requiresAllQubitsMeasurement"))
        self.labels: tuple[int, ...] | None = None
        self.target: Any = None
        aws_device = AwsDevice(device.arn, aws_session=known)
        if device.simulator:
            self.target = aws_device_to_target(aws_device)
            self.gates = frozenset(self.target.operation_names)
        elif _native(device) and "rx" not in native_angle_restrictions(aws_device.properties):
            self.target = aws_device_to_target(aws_device)
            self.labels = tuple(sorted(aws_device.topology_graph.nodes))
            self.gates = frozenset(self.target.operation_names)
        else:
            offered = gateset_from_properties(aws_device.properties.action[OPENQASM])
            self.gates = frozenset(offered & get_standard_gate_name_mapping().keys()) | {"measure", "barrier"}

    def layout(self, device: Snapshot, wanted: tuple[int, ...] | None) -> tuple[int, ...] | None:
        """An initial layout, given in the device's own qubit labels, in the target's numbers."""
        if not wanted:
            return None
        if self.target is None:
            raise _untranslatable("Braket itself lays out circuits for it, so initialLayout cannot be honoured", device)
        if self.labels is None:
            return wanted
        unknown = sorted(set(wanted) - set(self.labels))
        if unknown:
            raise _untranslatable(f"it has no qubit {unknown[0]}; its qubits are {_listed(self.labels)}", device)
        return tuple(self.labels.index(qubit) for qubit in wanted)

    def manager(self, level: int, layout: tuple[int, ...] | None, seed: int | None) -> Any:
        if self.target is not None:
            return preset_pass_manager(level, layout=layout, seed=seed, target=self.target)
        gates = sorted(self.gates - {"measure", "barrier"})
        return preset_pass_manager(level, layout=layout, seed=seed, basis_gates=gates)

    def translate(self, isa: Any) -> tuple[str, dict[int, int], int]:
        """The OpenQASM program of a compiled circuit, the qubit of each measured clbit, and the number of qubits."""
        from braket.circuits.serialization import IRType
        from qiskit_braket_provider.providers.adapter import to_braket

        if self.labels is not None:
            circuit = to_braket(isa, target=self.target, qubit_labels=self.labels, verbatim=True)
        else:
            circuit = to_braket(isa, basis_gates=self.gates, qubit_labels=_without_gaps(isa))
        clbits = sorted(_measurements(isa))
        if self.all_qubits:
            for qubit in sorted(set(circuit.qubits) - set(memory.measured_qubits(_source(circuit, IRType.OPENQASM)))):
                circuit.measure(int(qubit))
        source = _source(circuit, IRType.OPENQASM)
        qubits = memory.measured_qubits(source)
        return source, dict(zip(clbits, qubits[: len(clbits)], strict=True)), int(circuit.qubit_count)


def device_parameters(arn: str, width: int) -> str:
    """`deviceParameters` as the Braket SDK makes them for a circuit of so many qubits on the device of this ARN."""
    from braket.device_schema import GateModelParameters
    from braket.device_schema.ionq import IonqDeviceParameters
    from braket.device_schema.oqc import OqcDeviceParameters
    from braket.device_schema.rigetti import RigettiDeviceParameters
    from braket.device_schema.simulators import GateModelSimulatorDeviceParameters

    makers = {"ionq": IonqDeviceParameters, "rigetti": RigettiDeviceParameters, "oqc": OqcDeviceParameters}
    kind = next((kind for maker, kind in makers.items() if maker in arn), GateModelSimulatorDeviceParameters)
    parameters: str = kind(paradigmParameters=GateModelParameters(qubitCount=width)).json(exclude_none=True)
    return parameters


def action(source: str) -> str:
    """The `action` of CreateQuantumTask."""
    header = {"name": OPENQASM, "version": "1"}
    return json.dumps({"braketSchemaHeader": header, "source": source, "inputs": {}})


def _native(device: Snapshot) -> bool:
    calibrations = (device.properties.get("pulse") or {}).get("nativeGateCalibrationsRef")
    return "verbatim" in (device.openqasm.get("supportedPragmas") or ()) and not calibrations


def _check(isa: Any) -> None:
    """Refuses what to_braket would leave out or change silently, and what it refuses in words that help nobody."""
    measured: set[int] = set()
    for instruction in isa.data:
        if instruction.operation.name == "barrier":
            continue
        qubits = {isa.find_bit(qubit).index for qubit in instruction.qubits}
        if measured & qubits:
            raise BackendError(
                "The circuit uses a qubit again after it was measured; Amazon Braket cannot run that.",
                reason="UnsupportedInstruction",
                hint="Measure each qubit once, at its end.",
            )
        if instruction.operation.name == "measure":
            measured |= qubits
    if not measured:
        raise BackendError("The circuit measures nothing.", reason="NothingMeasured", hint="Add qc.measure_all().")


def _measurements(isa: Any) -> set[int]:
    return {
        isa.find_bit(instruction.clbits[0]).index for instruction in isa.data if instruction.operation.name == "measure"
    }


def _without_gaps(isa: Any) -> list[int]:
    """A number for each qubit of the circuit: those that it uses first, in their order."""
    used = {isa.find_bit(qubit).index for each in isa.data if each.operation.name != "barrier" for qubit in each.qubits}
    order = sorted(range(isa.num_qubits), key=lambda qubit: (qubit not in used, qubit))
    return sorted(range(isa.num_qubits), key=order.__getitem__)


def _source(circuit: Any, kind: Any) -> str:
    return str(circuit.to_ir(kind).source)


def _untranslatable(why: str, device: Snapshot) -> BackendError:
    return BackendError(
        f"The circuit could not be compiled for {device.name}: {why.strip().strip(chr(39)).rstrip('.')}.",
        reason="TranspilerError",
        hint="Check initialLayout and the gates of the circuit.",
    )


def _listed(qubits: tuple[int, ...]) -> str:
    return ", ".join(map(str, qubits)) if len(qubits) <= 12 else f"{qubits[0]} to {qubits[-1]}"


def _kept(cache: OrderedDict[_K, _V], key: _K, make: Callable[[], _V]) -> _V:
    if key in cache:
        cache.move_to_end(key)
    else:
        cache[key] = make()
        if len(cache) > _KEPT:
            cache.popitem(last=False)
    return cache[key]
