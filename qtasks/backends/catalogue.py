"""What the catalogue is filled with: what a provider is asked for, and how often; plain data of what it said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any

from qtasks.backends.compatibility import Capabilities
from qtasks.backends.protocol import BackendError, Calibration, Device, QueueStatus, RemoteBackend
from qtasks.backends.target_data import mean_error, target_data, typical_errors
from qtasks.resources.backend import Capabilities as Registered
from qtasks.store import Store, catalogue
from qtasks.store.catalogue import Entry, Figures, Listed

LISTING_SECONDS = 120.0
"""How old what a provider lists may grow: one request for all devices, and for their queues where it tells them."""
FIGURES_SECONDS = 3600.0
"""How old capabilities and calibration of a device may grow: providers calibrate once an hour to once a day."""
AT_MOST = 3
"""Devices that are asked for singly in one visit, those with the oldest figures first."""
_SETS = ("basis_gates", "instructions", "control_flow", "not_classical")


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a visit learnt; None and empty is what it did not ask for."""

    listed: Sequence[Listed] | None = None
    """All devices of the account."""
    queues: Sequence[Listed] = ()
    """Devices whose queue was asked for singly."""
    figures: Sequence[Figures] = field(default=())


def refresh(
    backend: RemoteBackend,
    known: Sequence[Entry],
    *,
    now: datetime,
    listing_seconds: float = LISTING_SECONDS,
    figures_seconds: float = FIGURES_SECONDS,
    at_most: int = AT_MOST,
) -> Refreshed:
    """Ask a provider for what has grown old of the catalogue's entries for its account.

    One request for the listing; for each of at most `at_most` devices three at IBM Quantum (configuration, calibration,
    calibration's id) and one at Braket. Raises Unavailable; a device that is refused has its reason kept.
    """
    entries = {entry.name: entry for entry in known}
    listed: list[Listed] | None = None
    if not known or any(_older(entry.queue_at, listing_seconds, now) for entry in known):
        listed = [_listed(backend.name, device) for device in backend.devices()]
    there: Sequence[Listed | Entry] = known if listed is None else listed
    simulators = {device.name for device in there if device.simulator}
    silent = {device.name for device in there if device.pending_jobs is None} - simulators
    asked = {device.name: entries[device.name].refreshed_at if device.name in entries else None for device in there}

    def due(name: str) -> bool:
        # A provider whose listing is silent about queues is asked for each device's, as often as others list them.
        return _older(asked[name], listing_seconds if name in silent else figures_seconds, now)

    never = datetime.min.replace(tzinfo=now.tzinfo)
    oldest = sorted(filter(due, asked), key=lambda name: asked[name] or never)
    queues: list[Listed] = []
    figures: list[Figures] = []
    for name in oldest[:at_most]:
        if name in silent:
            queues.append(_with_queue(backend, name))
        figures.append(_figures(backend, name, simulator=name in simulators))
    return Refreshed(listed, queues, figures)


def see_to_catalogue(store: Store, account: str, backend: RemoteBackend, **how_often: Any) -> float:
    """Refresh what the catalogue knows of an account, as far as it has grown old, and learn from the account's own
    jobs; returns the seconds until it should be looked at again. `how_often`: as `refresh` takes it. Raises
    Unavailable."""
    with store.read() as tx:
        known, now = catalogue.of_accounts(tx, [account]), catalogue.now(tx)
    found = refresh(backend, known, now=now, **how_often)
    with store.begin() as tx:
        if found.listed is not None:
            catalogue.keep_listing(tx, account, found.listed)
            catalogue.learn_waits(tx, account)
        for queue in found.queues:
            catalogue.keep_queue(tx, account, queue)
        for figures in found.figures:
            catalogue.keep_figures(tx, account, figures)
    with store.read() as tx:
        left = any(entry.refreshed_at is None for entry in catalogue.of_accounts(tx, [account]))
    return 0.0 if left else float(how_often.get("listing_seconds", LISTING_SECONDS))


def _older(moment: datetime | None, seconds: float, now: datetime) -> bool:
    return moment is None or (now - moment).total_seconds() >= seconds


def _listed(kind: str, device: Device) -> Listed:
    queue = device.queue
    return Listed(
        name=device.name,
        type=kind,
        simulator=device.simulator,
        qubits=device.qubits,
        available=queue.available,
        pending_jobs=queue.pending_jobs,
        wait_seconds=queue.wait_seconds,
        message=queue.message,
    )


def _with_queue(backend: RemoteBackend, name: str) -> Listed:
    try:
        queue = backend.queue_status(name)
    except BackendError as error:
        queue = QueueStatus(False, message=error.message)
    return _listed(backend.name, Device(name, None, False, queue))


def _figures(backend: RemoteBackend, name: str, *, simulator: bool) -> Figures:
    try:
        able = backend.capabilities(name)
        calibration = None if simulator else backend.calibration(name)
    except BackendError as error:
        return Figures(name=name, problem=error.message)
    return figures_of(name, able, calibration)


def figures_of(name: str, able: Capabilities, calibration: Calibration | None) -> Figures:
    """The figures of a device with these capabilities and this calibration."""
    data = target_data(calibration.data, able) if calibration is not None else None
    return Figures(
        name=name,
        capabilities=as_data(able),
        qubits=able.qubits,
        mean_error=None if data is None else mean_error(data),
        errors=None if data is None else typical_errors(data),
        calibration=None if calibration is None else calibration.id[:64],
        target=data,
    )


def as_data(able: Capabilities) -> dict[str, Any]:
    """Capabilities as plain JSON."""
    data = {each.name: getattr(able, each.name) for each in fields(able)}
    return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in data.items()}


def from_data(data: Mapping[str, Any]) -> Capabilities:
    """The capabilities that `as_data` gave."""
    known = {each.name for each in fields(Capabilities)}
    values: dict[str, Any] = {name: value for name, value in data.items() if name in known}
    values |= {name: frozenset(values[name]) for name in _SETS if values.get(name) is not None}
    return Capabilities(**values)


def given(entry: Entry, capabilities: Registered) -> Entry:
    """An entry with what a QiskitBackend says of the device (`resources.backend.Capabilities`) in place of what the
    provider says. Errors of single gates stay the provider's, where it has told them."""
    able = from_data(entry.capabilities) if entry.capabilities is not None else Capabilities(entry.name)
    said = capabilities.model_fields_set
    if "num_qubits" in said:
        able = replace(able, qubits=capabilities.num_qubits)
    if "basis_gates" in said and capabilities.basis_gates is not None:
        able = replace(able, basis_gates=frozenset(capabilities.basis_gates))
    if "max_shots" in said:
        able = replace(able, max_shots=capabilities.max_shots)
    if "dynamic_circuits" in said:
        flow = frozenset(("if_else", "while_loop", "for_loop", "switch_case")) if capabilities.dynamic_circuits else ()
        classical = frozenset(("stretch",)) if capabilities.dynamic_circuits else None
        able = replace(
            able,
            dynamic_circuits=capabilities.dynamic_circuits,
            control_flow=frozenset(flow),
            not_classical=classical,
            instructions=able.instructions | frozenset(flow),
        )
    mean = capabilities.mean_error if "mean_error" in said else entry.mean_error
    return replace(
        entry,
        capabilities=as_data(able),
        qubits=able.qubits,
        simulator=capabilities.simulator if "simulator" in said else entry.simulator,
        mean_error=mean,
        errors=entry.errors or (None if mean is None else {"two": mean}),
    )
