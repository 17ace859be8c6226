"""What a job is thought to take on a device: quantum time and money, and the most that either can be. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from qtasks.circuits.analysis import Analysis
from qtasks.costs.bounds import braket_upper_bound, ibm_upper_bound
from qtasks.costs.cost import Cost
from qtasks.costs.prices import PriceList
from qtasks.costs.provider import SIMULATOR_MINIMUM_SECONDS, braket_cost, ibm_cost
from qtasks.costs.simulator import charge
from qtasks.resources import BackendType
from qtasks.scheduling.candidates import Candidate, JobFacts
from qtasks.scheduling.fidelity import Fidelity
from qtasks.scheduling.waits import Wait

OVERHEAD_SECONDS = 2.0
"""What IBM's guide to the usage of a job gives as the part that does not depend on the shots."""
REP_DELAY_SECONDS = 250e-6
"""From one shot to the next, where the device does not say."""
LAYER_SECONDS, READOUT_SECONDS = 300e-9, 3e-6
"""Of a layer of gates and of a measurement, where the circuit was not compiled."""
UPPER_FACTOR = 3.0
UPPER_LEAST_SECONDS = 10.0
"""The most that a job without execution.maxExecutionTime is thought to take: three times the estimate, and no less than
ten seconds more. Whoever hands it over can tell the provider to stop there."""
OPERATIONS_PER_SECOND = 2e8
"""Amplitudes that one gate of a state-vector simulation changes in a second, on one core."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Money in US dollars, None where no price is known; times in seconds, None where there is none to be known."""

    cost: Decimal | None
    upper_bound_cost: Decimal | None
    """What is reserved: the job cannot, or is not let, cost more."""
    quantum_seconds: float | None
    upper_seconds: float | None
    wait_seconds: float | None
    price: str = ""
    """Which price this is by, its source and date."""


def quantum_seconds(shots: int, duration: float, *, rep_delay: float = REP_DELAY_SECONDS) -> float:
    """`2 + shots × (rep_delay + duration of the circuit)`, IBM's own approximation for one circuit.

    Of several circuits, `shots` are those of all, and the duration is the longest.
    """
    return OVERHEAD_SECONDS + shots * (rep_delay + duration)


def simulation_seconds(analysis: Analysis, shots: int) -> float:
    """Roughly: gates × 2^qubits (at most 34 of them), again for every shot where results decide what runs next."""
    states = 2.0 ** min(analysis.active_qubits, 34)
    repeats = shots if analysis.mid_circuit_measurement or analysis.has_control_flow else 1
    return (repeats * max(1, analysis.expanded_size) * states + 100.0 * shots) / OPERATIONS_PER_SECOND


def upper_seconds(expected: float, limit: float | None) -> float:
    """The most that is taken, where a job has this limit of its own (None: it has none)."""
    return limit if limit is not None else max(UPPER_FACTOR * expected, expected + UPPER_LEAST_SECONDS)


class Estimator:
    """Estimates for one job on many candidates; what is asked twice is worked out once."""

    def __init__(
        self, facts: JobFacts, *, prices: PriceList | None = None, simulator_rate: Decimal = Decimal(0)
    ) -> None:
        """`simulator_rate`: dollars for a second of our own simulators."""
        self._facts, self._prices, self._rate = facts, prices, simulator_rate
        self._known: dict[tuple[Any, ...], tuple[Cost, Cost]] = {}

    def __call__(self, candidate: Candidate, fidelity: Fidelity, wait: Wait) -> Estimate:
        """What the job takes on this candidate."""
        account, entry = candidate.account, candidate.entry
        if account is None:
            return self._own(wait)
        if account.provider is BackendType.IBM_QUANTUM:
            return self._ibm(account.plan, fidelity.duration, wait)
        return self._simulation(entry.name, wait) if entry.simulator else self._braket(entry.name, wait)

    def _own(self, wait: Wait) -> Estimate:
        seconds = self._simulated()
        most = upper_seconds(seconds, self._facts.max_execution_seconds)
        price = f"${self._rate} a second (QTASKS_SIMULATOR_RATE)" if self._rate else "free"
        return Estimate(charge(seconds, self._rate), charge(most, self._rate), None, None, wait.seconds, price)

    def _ibm(self, plan: str, duration: float | None, wait: Wait) -> Estimate:
        facts, limit, prices = self._facts, self._facts.max_execution_seconds, self._prices
        if duration is None:
            duration = facts.analysis.depth * LAYER_SECONDS + READOUT_SECONDS
        seconds = quantum_seconds(facts.total_shots, duration)
        if limit is not None:
            seconds = min(seconds, limit)
        if (plan, seconds) not in self._known:
            most = upper_seconds(seconds, limit)
            costs = ibm_cost(seconds, plan, prices=prices), ibm_upper_bound(most, plan, prices=prices)
            self._known[plan, seconds] = costs
        return _priced(*self._known[plan, seconds], wait)

    def _simulated(self) -> float:
        """Of all runs, each taken for as large as the largest."""
        facts = self._facts
        return facts.runs * simulation_seconds(facts.analysis, -(-facts.total_shots // facts.runs))

    def _braket(self, arn: str, wait: Wait) -> Estimate:
        cost = braket_cost(arn, self._facts.total_shots, prices=self._prices)
        return _priced(cost, cost, wait)

    def _simulation(self, arn: str, wait: Wait) -> Estimate:
        # Braket takes no limit of time along: what is reserved for a simulation is what the visits hold it to.
        facts, prices = self._facts, self._prices
        seconds = max(SIMULATOR_MINIMUM_SECONDS, self._simulated())
        most = max(SIMULATOR_MINIMUM_SECONDS, upper_seconds(seconds, facts.max_execution_seconds))
        cost = braket_cost(arn, facts.total_shots, duration_seconds=seconds, prices=prices)
        return _priced(
            cost, braket_upper_bound(arn, facts.total_shots, most_seconds=most, prices=prices), wait, upper=most
        )


def _priced(cost: Cost, most: Cost, wait: Wait, *, upper: float | None = None) -> Estimate:
    longest = most.quantum_seconds if upper is None else upper
    return Estimate(cost.amount, most.amount, cost.quantum_seconds, longest, wait.seconds, cost.price)
