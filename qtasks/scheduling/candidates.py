"""The devices that a job might run on. Pure."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from qtasks.backends.catalogue import from_data, given
from qtasks.backends.compatibility import Capabilities
from qtasks.circuits.analysis import Analysis
from qtasks.circuits.pubs import Extent
from qtasks.config import REMOTE
from qtasks.resources import BackendType, JobSpec
from qtasks.resources.backend import PRESETS, BackendSelection, BackendSpec, Preset, Requirements, Weights
from qtasks.scheduling.fidelity import Compilation
from qtasks.store.catalogue import Entry

Able = Callable[[Entry], Capabilities | None]


class Simulators(StrEnum):
    """When a provider's simulators are used."""

    FIRST = "first"
    """A job that says nothing of where it runs is not billed for a device that nobody named."""
    NEVER = "never"
    LAST = "last"
    """When no device qualifies."""


@dataclass(frozen=True, slots=True)
class JobFacts:
    """What the choice depends on."""

    namespace: str
    fingerprint: str
    analysis: Analysis
    types: tuple[BackendType, ...]
    shots: int = 1024
    """The most of one run."""
    runs: int = 1
    all_shots: int | None = None
    """Of all runs together, where there are several."""
    name: str | None = None
    """The device or QiskitBackend that the job names."""
    weights: Weights = PRESETS[Preset.BALANCED]
    requirements: Requirements = field(default_factory=Requirements)
    simulators: Simulators = Simulators.FIRST
    compilation: Compilation = field(default_factory=Compilation)
    method: str = "automatic"
    """The simulation method asked for, for local_simulator."""
    max_execution_seconds: float | None = None
    budgeted: bool = False
    """Whether a budget applies, so that a device without a known price cannot be used."""

    @property
    def total_shots(self) -> int:
        return self.shots if self.all_shots is None else self.all_shots


def types_of(spec: JobSpec, with_accounts: Iterable[BackendType]) -> tuple[BackendType, ...]:
    """Where a job may run: the type it names; with a backendSelection and no type, every provider that the namespace
    has an account for (`with_accounts`), or the local simulator where it has none."""
    if spec.backend_selection is None or "type" in spec.backend.model_fields_set:
        return (spec.backend.type,)
    return tuple(dict.fromkeys(with_accounts)) or (BackendType.LOCAL_SIMULATOR,)


def job_facts(
    spec: JobSpec,
    *,
    namespace: str,
    fingerprint: str,
    analysis: Analysis,
    with_accounts: Iterable[BackendType] = (),
    budgeted: bool = False,
    extent: Extent | None = None,
) -> JobFacts:
    """The facts of a validated job. `with_accounts`: providers that the namespace has an account for. `extent`: of a
    job of several circuits."""
    chosen, execution = spec.backend_selection or BackendSelection(), spec.execution
    simulators = Simulators.LAST if chosen.fallback_to_simulator else Simulators.NEVER
    limit = execution.max_execution_time
    return JobFacts(
        namespace=namespace,
        fingerprint=fingerprint,
        analysis=analysis,
        types=types_of(spec, with_accounts),
        shots=execution.shots if extent is None else extent.most_shots,
        runs=1 if extent is None else extent.runs,
        all_shots=None if extent is None else extent.shots,
        name=spec.backend.name,
        weights=chosen.effective_weights,
        requirements=chosen.requirements or Requirements(),
        simulators=Simulators.FIRST if spec.backend_selection is None else simulators,
        compilation=Compilation(execution.optimization_level, execution.initial_layout, execution.seed_transpiler),
        method=execution.method.value,
        max_execution_seconds=None if limit is None else limit.seconds,
        budgeted=budgeted,
    )


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """An account that the job may run under, and what is left of it."""

    name: str
    provider: BackendType
    plan: str = ""
    left_seconds: float | None = None
    """Quantum time; None: there is no limit."""
    frees_seconds: float | None = None
    """Until an exhausted account has something again."""
    waiting: int = 0
    """Jobs that wait for their turn under it."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A device under an account. `tier`: 0 for what the job asks for, more for what stands in when nothing of the tiers
    before qualifies."""

    entry: Entry
    account: AccountFacts | None
    capabilities: Capabilities | None
    tier: int = 0
    named: bool = False
    registered: str | None = None
    """The QiskitBackend that it was registered as."""


def candidates(
    facts: JobFacts,
    accounts: Sequence[AccountFacts],
    entries: Iterable[Entry],
    *,
    registered: Iterable[tuple[str, BackendSpec, Container[str]]] = (),
    own: Iterable[Entry] = (),
    able_of: Able | None = None,
) -> list[Candidate]:
    """Every device that the job's type and accounts allow.

    `entries`: the catalogue's of these accounts; `registered`: the namespace's QiskitBackends, each with its name and
    the names of the accounts that it is for; `own`: what this process simulates. A device that the job names is a
    candidate also where the catalogue does not know it (yet). `able_of`: what gives the capabilities of an entry of the
    catalogue, for who has read them before.
    """
    able = able_of or _able
    known: dict[str, list[Entry]] = {}
    for entry in entries:
        known.setdefault(entry.account, []).append(entry)
    theirs = list(registered)
    found: list[Candidate] = []
    for account in accounts:
        if account.provider in facts.types:
            found += _of_account(facts, account, known.get(account.name, []), theirs, able)
    for entry in own:
        if BackendType(entry.type) in facts.types:
            found += [_candidate(facts, entry, None, _able(entry))] if facts.name in (None, entry.name) else []
        elif entry.type == BackendType.LOCAL_SIMULATOR and facts.name is None and facts.simulators is Simulators.LAST:
            found.append(replace(_candidate(facts, entry, None, _able(entry)), tier=1))
    return found


def _of_account(
    facts: JobFacts,
    account: AccountFacts,
    entries: Sequence[Entry],
    registered: Iterable[tuple[str, BackendSpec, Container[str]]],
    able_of: Able,
) -> list[Candidate]:
    by_name = {entry.name: entry for entry in entries}
    found = {name: _candidate(facts, entry, account, able_of(entry)) for name, entry in by_name.items()}
    for called, spec, its_accounts in registered:
        if spec.type is not account.provider or account.name not in its_accounts:
            continue
        device = spec.name or called
        entry = by_name.get(device) or Entry(account=account.name, name=device, type=account.provider.value)
        if spec.capabilities is not None:
            entry = given(entry, spec.capabilities)
        found[device] = replace(_candidate(facts, entry, account, _able(entry)), registered=called)
    if facts.name is None:
        return list(found.values())
    named = [each for each in found.values() if facts.name in (each.entry.name, each.registered)]
    if not named:
        unknown = Entry(account=account.name, name=facts.name, type=account.provider.value)
        named = [_candidate(facts, unknown, account, None)]
    return [replace(each, tier=0, named=True) for each in named]


def _able(entry: Entry) -> Capabilities | None:
    return None if entry.capabilities is None else from_data(entry.capabilities)


def _candidate(facts: JobFacts, entry: Entry, account: AccountFacts | None, able: Capabilities | None) -> Candidate:
    tier = 0
    if account is not None and facts.simulators is not Simulators.NEVER:
        wanted_first = entry.simulator == (facts.simulators is Simulators.FIRST)
        tier = 0 if wanted_first else 2 if entry.simulator else 1
    return Candidate(entry, account, able, tier)


def needs_choice(spec: JobSpec) -> bool:
    """Whether there is anything to be chosen: not for a job that just wants the simulator of this process."""
    return spec.backend_selection is not None or spec.backend.type in REMOTE
