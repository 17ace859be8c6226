"""`ibm_simulator`: Aer as a model of a named IBM device, with its gates, couplings and noise, offline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from qtasks.backends.aer_calls import AerCalls, Member
from qtasks.backends.compatibility import Capabilities, on_aer
from qtasks.backends.pass_managers import preset_pass_manager
from qtasks.backends.protocol import BackendError, Calibration, Compiled, Device, Program
from qtasks.backends.recent import Recent
from qtasks.backends.sizing import noisy_method
from qtasks.backends.snapshots import Snapshots
from qtasks.backends.threads import Cores
from qtasks.circuits.formats import load_canonical
from qtasks.config import SimulatedDevice

if TYPE_CHECKING:
    from qtasks.backends.device_model import DeviceModel

IBM_SIMULATOR = "ibm_simulator"
_PASS_MANAGERS = 64
_MODELS = 8


class IBMSimulatorBackend(AerCalls):
    """Runs programs on models of IBM devices. `Program.device` names one, by the rules of `Snapshots`.

    Counts are those that `AerSimulator.from_backend` gives with the same seed, also in a batch. Beyond twelve qubits
    the method may differ, and with it the counts: see `noisy_method`.
    """

    name = IBM_SIMULATOR

    def __init__(self, cores: Cores, devices: Sequence[SimulatedDevice] = (), *, gpu: bool = False) -> None:
        super().__init__(cores, gpu=gpu)
        self.version = f"aer {self.version}"
        self._snapshots = Snapshots(devices)
        self._models: Recent[DeviceModel] = Recent(_MODELS)
        self._managers: Recent[Any] = Recent(_PASS_MANAGERS)

    def devices(self) -> list[Device]:
        snapshots, queue = self._snapshots, self.queue_status("")
        return [Device(name, snapshots.qubits(name), True, queue) for name in snapshots.names()]

    def device_for(self, name: str, qubits: int) -> str:
        """The device that a circuit of so many qubits runs on: `name`'s, or the choice when that is empty.

        Raises BackendError (`NoSuchDevice`, `TooManyQubits`).
        """
        return self._snapshots.resolve(name) if name else self._snapshots.choose(qubits)

    def capabilities(self, device: str) -> Capabilities:
        return on_aer(self._model(self.device_for(device, 0)).capabilities())

    def calibration(self, device: str, *, at: datetime | None = None) -> Calibration | None:
        """The snapshot's calibration, whatever the time."""
        return self._model(self.device_for(device, 0)).calibration

    def compile(self, program: Program, device: str) -> Compiled:
        compiled = super().compile(replace(program, device=device or program.device), device)
        return replace(compiled, calibration=self._model(compiled.device).calibration.id)

    def _model(self, device: str) -> DeviceModel:
        def make() -> DeviceModel:
            from qtasks.backends.device_model import DeviceModel

            return DeviceModel(self._snapshots.load(device))

        return self._models.get(device, make)

    def _compile(self, program: Program) -> tuple[Program, Any]:
        circuit = load_canonical(program.qpy)
        device = self.device_for(program.device, circuit.num_qubits)
        target = self._model(device).target
        if circuit.num_qubits > target.num_qubits:
            raise BackendError(
                f"The circuit has {circuit.num_qubits:,} qubits; {device} has {target.num_qubits:,}.",
                reason="TooManyQubits",
                hint="Use fewer qubits, or a larger device.",
            )
        level, layout, seed = program.optimization_level, program.initial_layout, program.seed_transpiler

        manager = self._managers.get(
            (device, level, layout, seed), lambda: preset_pass_manager(level, target=target, layout=layout, seed=seed)
        )
        return self._ready(replace(program, device=device), manager.run(circuit))

    def _ready(self, program: Program, circuit: Any) -> tuple[Program, Any]:
        if program.method != "automatic":
            return program, circuit
        active = {qubit for step in circuit.data if step.name != "barrier" for qubit in step.qubits}
        return replace(program, method=noisy_method(len(active), program.shots)), circuit

    def _options(self, group: list[Member]) -> dict[str, Any]:
        model = self._model(group[0][1].device)
        return {"noise_model": model.noise(circuit for _, _, circuit, _ in group)}
