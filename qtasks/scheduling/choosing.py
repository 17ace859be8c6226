"""Choosing for a job: what the catalogue knows is read, the best candidates are compiled for, the choice is taken.

The only part of scheduling that reads and writes; what it decides by is in `selection`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from decimal import Decimal
from typing import Any

from qtasks.backends.catalogue import from_data
from qtasks.backends.compatibility import Capabilities
from qtasks.backends.modelled import model_entries, model_target, simulator_entry
from qtasks.backends.protocol import BackendError
from qtasks.backends.recent import Recent
from qtasks.backends.snapshots import Snapshots
from qtasks.circuits.formats import load_canonical
from qtasks.config import SimulatedDevice
from qtasks.costs.prices import PriceList
from qtasks.costs.simulator import micros
from qtasks.resources import BackendType
from qtasks.scheduling import explanation
from qtasks.scheduling.candidates import AccountFacts, JobFacts, Simulators, candidates
from qtasks.scheduling.fidelity import Basis, Compiler, Fidelity
from qtasks.scheduling.registrations import Registration
from qtasks.scheduling.selection import Key, Row, Selection, key_of, select
from qtasks.scheduling.settling import settle
from qtasks.store import Store, catalogue, fidelities
from qtasks.store.catalogue import Entry
from qtasks.store.decisions import Decision
from qtasks.store.fidelities import Kept

COMPILED_AT_MOST = 8
SECONDS_AT_MOST = 4.0
"""How many candidates are compiled for in one choice, and how long no further one is begun; the others' fidelities are
estimated, and said to be. A choice is thought to take 2 to 10 s by the seed's figures."""
_TARGETS = 80
_CAPABILITIES = 1000


class Chooser:
    """Chooses devices for jobs; one for a process, which keeps targets and pass managers."""

    def __init__(
        self,
        store: Store,
        *,
        devices: Sequence[SimulatedDevice] = (),
        prices: PriceList | None = None,
        simulator_rate: Decimal = Decimal(0),
    ) -> None:
        """`devices`: the operator's own models for ibm_simulator; `prices`: None for the providers' list prices;
        `simulator_rate`: dollars for a second of our own simulators."""
        self._store = store
        self._devices = tuple(devices)
        self._snapshots = Snapshots(devices)
        self._prices = prices
        self._rate = simulator_rate
        self._compiler = Compiler()
        self._kept: catalogue.Kept = {}
        self._capabilities: Recent[Capabilities | None] = Recent(_CAPABILITIES)
        self._targets: Recent[Mapping[str, Any] | None] = Recent(_TARGETS)

    def choose(
        self,
        facts: JobFacts,
        accounts: Sequence[AccountFacts],
        circuit: Callable[[], bytes] | None,
        *,
        registered: Iterable[Registration] = (),
        memory: int | None = None,
    ) -> Selection:
        """The device for a job under one of these accounts: `accounts` are those of `registrations.eligible`, with how
        each stands; `registered` are the namespace's devices that were registered by hand.

        `circuit` gives the checked circuit (canonical QPY) when it has to be compiled; None: nothing is compiled.
        `memory`: the most that a simulation of our own may take, in bytes.
        """
        facts = self._resolved(facts)
        with self._store.read() as tx:
            entries = catalogue.of_accounts(tx, [account.name for account in accounts], self._kept)
            kept = fidelities.of_circuit(tx, facts.namespace, facts.fingerprint, facts.compilation.key)
            now = catalogue.now(tx)
        own = self._own(facts, memory)
        by_hand = [(each.name, each.spec, {account.name for account in each.accounts}) for each in registered]
        found = candidates(facts, accounts, entries, registered=by_hand, own=own, able_of=self._able)
        known: dict[Key, Fidelity] = {(one.device, one.calibration): _fidelity(one) for one in kept}

        def by_now(hopeful: bool) -> Selection:
            rate = self._rate
            return select(
                facts, found, now=now, fidelities=known, prices=self._prices, simulator_rate=rate, hopeful=hopeful
            )

        exact = _Exact(self, facts, circuit)
        selection = settle(by_now, known, exact)
        if exact.found:
            with self._store.begin() as tx:
                fidelities.keep(tx, facts.namespace, facts.fingerprint, facts.compilation.key, exact.found)
        return selection

    def _resolved(self, facts: JobFacts) -> JobFacts:
        """With the name that the catalogue has for a modelled device: `ibm_perth` is `fake_perth` there."""
        if facts.name is None or facts.types != (BackendType.IBM_SIMULATOR,):
            return facts
        with suppress(BackendError):  # nothing qualifies then, which says so
            return replace(facts, name=self._snapshots.resolve(facts.name))
        return facts

    def _own(self, facts: JobFacts, memory: int | None) -> list[Entry]:
        own: list[Entry] = []
        if BackendType.LOCAL_SIMULATOR in facts.types or facts.simulators is Simulators.LAST:
            own.append(simulator_entry(method=facts.method, memory=memory))
        if BackendType.IBM_SIMULATOR in facts.types:
            own += model_entries(self._devices)
        return own

    def _able(self, entry: Entry) -> Capabilities | None:
        data = entry.capabilities
        if data is None:
            return None
        return self._capabilities.get((entry.account, entry.name, entry.refreshed_at), lambda: from_data(data))

    def target(self, entry: Entry) -> Mapping[str, Any] | None:
        """What compiling for a device takes; None where its provider has not told."""
        if entry.calibration is None:
            return None

        def read() -> Mapping[str, Any] | None:
            if entry.account == "":
                return model_target(self._snapshots, entry.name)
            with self._store.read() as tx:
                return catalogue.target(tx, entry.account, entry.name)

        return self._targets.get((entry.account, entry.name, entry.calibration), read)

    def compile(self, circuit: Any, row: Row, facts: JobFacts) -> Fidelity | None:
        """The expected fidelity on a candidate; None where its target is not known."""
        entry = row.candidate.entry
        data = self.target(entry)
        if data is None:
            return None
        return self._compiler.fidelity(circuit, entry.name, entry.calibration or "", data, facts.compilation)


class _Exact:
    """Compiles, as long as that is not too much."""

    def __init__(self, chooser: Chooser, facts: JobFacts, circuit: Callable[[], bytes] | None) -> None:
        self.found: list[Kept] = []
        self._chooser, self._facts, self._source = chooser, facts, circuit
        self._circuit: Any = None
        self._until = time.monotonic() + SECONDS_AT_MOST

    def __call__(self, row: Row) -> Fidelity | None:
        if self._source is None or len(self.found) >= COMPILED_AT_MOST or time.monotonic() > self._until:
            return None
        if self._circuit is None:
            self._circuit = load_canonical(self._source())
        fidelity = self._chooser.compile(self._circuit, row, self._facts)
        if fidelity is not None:
            self.found.append(_kept(key_of(row.candidate), fidelity))
        return fidelity


def _kept(key: Key, fidelity: Fidelity) -> Kept:
    values = {name: value for name, value in asdict(fidelity).items() if name not in ("value", "basis")}
    return Kept(device=key[0], calibration=key[1], fidelity=fidelity.value or 0.0, **values)


def _fidelity(kept: Kept) -> Fidelity:
    return Fidelity(kept.fidelity, Basis.COMPILED, kept.duration, kept.depth, kept.two_qubit_gates, kept.problem)


def decision_of(selection: Selection, *, job_id: str, attempt: int, namespace: str) -> Decision:
    """What `store.decisions.keep` writes down of a selection."""
    chosen = selection.chosen
    cost = None if chosen is None else chosen.estimate.cost
    return Decision(
        job_id=job_id,
        attempt=attempt,
        namespace=namespace,
        selection=explanation.as_data(selection),
        account=None if chosen is None else chosen.account,
        device=None if chosen is None else chosen.device,
        wait_seconds=None if chosen is None else chosen.wait.seconds,
        cost_micros=None if cost is None else micros(cost),
    )
