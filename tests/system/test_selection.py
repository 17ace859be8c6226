"""Choosing a device from what real client libraries say of loopback providers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from qtasks.backends.braket import BraketBackend
from qtasks.backends.catalogue import refresh, see_to_catalogue
from qtasks.backends.ibm import IBMBackend
from qtasks.backends.protocol import ProviderUnavailable
from qtasks.circuits.analysis import analyse
from qtasks.circuits.fingerprint import fingerprint
from qtasks.circuits.formats import dump
from qtasks.client import Client
from qtasks.config import Account
from qtasks.errors import InvalidInput, NotFound
from qtasks.resources import BackendType, QiskitBackend
from qtasks.resources.backend import PRESETS, Preset
from qtasks.scheduling.candidates import AccountFacts, JobFacts, Simulators
from qtasks.scheduling.choosing import Chooser, decision_of
from qtasks.scheduling.fidelity import Basis
from qtasks.store import Store, catalogue, decisions, schema
from qtasks.store.tables import devices
from qtasks.store.types import moment
from tests.support import insides
from tests.support.braket_server import DM1, GARNET, SV1, BraketServer
from tests.support.circuits import BELL_QASM, BELL_SOURCE, bell
from tests.support.ibm_server import IBMServer
from tests.support.remote import account, write_accounts
from tests.support.servers import Postgres, Redis
from tests.support.stack import Stack, own_namespace

pytestmark = pytest.mark.system

LAB, AWS = AccountFacts("lab", BackendType.IBM_QUANTUM, "pay-as-you-go"), AccountFacts("aws", BackendType.AWS_BRAKET)


@pytest.fixture(scope="module")
def ibm() -> Iterator[IBMServer]:
    with IBMServer() as server:
        yield server


@pytest.fixture(scope="module")
def lab(ibm: IBMServer) -> IBMBackend:
    return IBMBackend(Account(name="lab", **ibm.account()), ibm.secret)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path / 'qtasks.db'}")
    schema.upgrade(opened)
    yield opened
    opened.close()


def facts(kind: BackendType = BackendType.IBM_QUANTUM, **more: Any) -> JobFacts:
    options = {"weights": PRESETS[Preset.PERFORMANCE_OPTIMIZED], "simulators": Simulators.NEVER, **more}
    return JobFacts("default", fingerprint(bell()), analyse(bell()), (kind,), **options)


def filled(store: Store, name: str, provider: Any) -> dict[str, catalogue.Entry]:
    """Visit until everything is known."""
    for _ in range(5):
        if see_to_catalogue(store, name, provider) > 0:
            break
    with store.read() as tx:
        return {entry.name: entry for entry in catalogue.of_accounts(tx, [name])}


def test_the_catalogue_is_filled_by_few_requests_and_not_asked_again_until_it_is_old(
    store: Store, ibm: IBMServer, lab: IBMBackend
) -> None:
    lab.authenticate()
    ibm.forget_requests()
    entries = filled(store, "lab", lab)
    assert len(ibm.requests) <= 1 + 3 * len(entries)
    assert set(entries) == {"ibm_lagos", "ibm_fez"}
    fez = entries["ibm_fez"]
    assert (fez.qubits, fez.available, fez.pending_jobs) == (156, True, 0)
    assert fez.mean_error is not None
    assert 0 < fez.mean_error < 0.05
    ibm.forget_requests()
    assert see_to_catalogue(store, "lab", lab) > 60
    assert ibm.requests == []
    with store.begin() as tx:
        tx.execute(update(devices).values(queue_at=moment(-600)))
    see_to_catalogue(store, "lab", lab)
    assert len(ibm.requests) == 1


def test_a_visit_asks_for_a_few_devices_only(store: Store, ibm: IBMServer, lab: IBMBackend) -> None:
    assert see_to_catalogue(store, "lab", lab, at_most=1) == 0
    with store.read() as tx:
        asked = [entry for entry in catalogue.of_accounts(tx, ["lab"]) if entry.refreshed_at is not None]
    assert len(asked) == 1
    assert see_to_catalogue(store, "lab", lab, at_most=1) > 0


def test_a_provider_that_does_not_answer_leaves_what_is_known(store: Store, ibm: IBMServer, lab: IBMBackend) -> None:
    before = filled(store, "lab", lab)
    with store.read() as tx:
        later = catalogue.now(tx) + timedelta(hours=2)
    ibm.fault("GET", r"/backends$", status=503)
    try:
        with pytest.raises(ProviderUnavailable):
            refresh(lab, list(before.values()), now=later)
    finally:
        ibm.clear_faults()
    with store.read() as tx:
        assert {entry.name: entry for entry in catalogue.of_accounts(tx, ["lab"])} == before


def test_the_device_that_suits_the_circuit_is_chosen_and_what_was_compiled_is_not_compiled_again(
    store: Store, lab: IBMBackend
) -> None:
    filled(store, "lab", lab)
    chooser, asked = Chooser(store), []

    def circuit() -> bytes:
        asked.append(True)
        return dump(bell())

    first = chooser.choose(facts(), [LAB], circuit)
    assert first.chosen is not None
    assert first.chosen.device == "ibm_fez"
    assert first.chosen.fidelity.basis is Basis.COMPILED
    assert first.chosen.fidelity.value is not None
    assert 0.9 < first.chosen.fidelity.value < 1
    assert [row.device for row in first.rows] == ["ibm_fez", "ibm_lagos"]
    again = Chooser(store).choose(facts(), [LAB], circuit)
    assert again.chosen is not None
    assert again.chosen.fidelity == first.chosen.fidelity
    assert len(asked) == 1


def test_a_namespace_does_not_profit_from_what_another_compiled(store: Store, lab: IBMBackend) -> None:
    filled(store, "lab", lab)
    Chooser(store).choose(facts(), [LAB], lambda: dump(bell()))
    other = JobFacts("other", fingerprint(bell()), analyse(bell()), (BackendType.IBM_QUANTUM,))
    rows = Chooser(store).choose(other, [LAB], None).rows
    assert {row.fidelity.basis for row in rows} == {Basis.ESTIMATED}


def test_a_device_that_is_out_of_service_is_refused_and_the_other_one_is_taken(
    store: Store, ibm: IBMServer, lab: IBMBackend
) -> None:
    fez = next(device for device in ibm.devices.values() if device.name == "ibm_fez")
    fez.online = False
    try:
        filled(store, "lab", lab)
        found = Chooser(store).choose(facts(), [LAB], lambda: dump(bell()))
    finally:
        fez.online = True
    assert found.chosen is not None
    assert found.chosen.device == "ibm_lagos"
    assert [row.refusal.reason for row in found.rows if row.refusal is not None] == ["OutOfService"]


@pytest.fixture(scope="module")
def braket() -> Iterator[BraketBackend]:
    with BraketServer(region="eu-north-1") as server, pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("AWS_", "BRAKET_"))]:
            patch.delenv(name)
        for name, value in server.environment(keys=False).items():
            patch.setenv(name, value)
        yield BraketBackend(Account.model_validate(server.account()), server.secret)


def test_devices_of_braket_are_known_with_their_queues_and_fidelities(store: Store, braket: BraketBackend) -> None:
    entries = filled(store, "aws", braket)
    assert set(entries) == {SV1, DM1, GARNET}
    garnet = entries[GARNET]
    assert (garnet.qubits, garnet.pending_jobs, garnet.simulator) == (6, 0, False)
    assert garnet.mean_error == pytest.approx(0.01)
    asked = facts(BackendType.AWS_BRAKET)
    found = Chooser(store).choose(asked, [AWS], lambda: dump(bell()))
    assert found.chosen is not None
    assert (found.chosen.device, found.chosen.fidelity.basis) == (GARNET, Basis.COMPILED)
    assert found.chosen.fidelity.value == pytest.approx(0.99 * 0.97**2, abs=0.01)
    unasked = JobFacts("default", fingerprint(bell()), analyse(bell()), (BackendType.AWS_BRAKET,))
    plain = Chooser(store).choose(unasked, [AWS], None)
    assert plain.chosen is not None
    assert plain.chosen.device in (SV1, DM1)


@pytest.fixture(scope="module")
def client(
    tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, redis_server: Redis, ibm: IBMServer, lab: IBMBackend
) -> Iterator[Client]:
    """A client whose catalogue knows the account's devices; no worker runs."""
    folder = tmp_path_factory.mktemp("selection")
    values = write_accounts(folder, account("lab", "ibm", ibm.account()), secrets={"ibm": ibm.secret()})
    from qtasks.settings import Settings

    settings = Settings(
        home=folder / "home",
        database_url=postgres.database("selection"),
        broker_url=f"{redis_server.url.removesuffix('/0')}/13",
        **values,
    )
    stack = Stack(settings, folder)
    stack.migrate()
    opened = stack.client(own_namespace())
    filled(insides.store(opened), "lab", lab)
    yield opened
    stack.close()


def test_users_see_devices_with_the_age_of_their_figures(client: Client) -> None:
    found = {one["name"]: one for one in client.backends()}
    assert list(found) == ["local_simulator", "ibm_fez", "ibm_lagos"]
    fez = found["ibm_fez"]
    assert (fez["account"], fez["type"], fez["status"]["qubits"]) == ("lab", "ibm_quantum", 156)
    assert fez["status"]["stale"] is False
    assert fez["status"]["queueAt"].endswith("Z")
    (model,) = client.backend("fake_brisbane")
    assert (model["type"], model["account"]) == ("ibm_simulator", None)
    (one,) = client.backend("ibm_fez")
    assert one["status"]["estimates"] == {"jobs": 0, "medianErrorSeconds": None, "medianBiasSeconds": None}
    with pytest.raises(NotFound, match="There is no backend ibm_nowhere"):
        client.backend("ibm_nowhere")


def test_a_device_is_registered_by_hand_shown_and_taken_out(client: Client) -> None:
    resource = QiskitBackend.model_validate(
        {
            "metadata": {"name": "mine"},
            "spec": {"type": "ibm_quantum", "name": "ibm_secret", "account": "lab", "capabilities": {"numQubits": 5}},
        }
    )
    assert client.apply_backend(resource) == "created"
    assert client.apply_backend(resource) == "unchanged"
    (shown,) = client.backend("mine")
    assert (shown["name"], shown["registeredAs"], shown["status"]["qubits"]) == ("ibm_secret", ["mine"], 5)
    assert client.backends(namespace="somewhere-else")[-1]["registeredAs"] == []
    wrong = QiskitBackend.model_validate(
        {"metadata": {"name": "other"}, "spec": {"type": "ibm_quantum", "account": "nobodys"}}
    )
    with pytest.raises(InvalidInput, match="There is no account nobodys"):
        client.apply_backend(wrong)
    client.delete_backend("mine")
    with pytest.raises(NotFound, match="No backend mine"):
        client.delete_backend("mine")


def test_what_a_job_would_cost_is_known_before_it_is_submitted(client: Client) -> None:
    (found,) = client.estimate(BELL_QASM, shots=4000, backend={"type": "ibm_quantum"})
    assert found["selection"]["chosen"]["account"] == "lab"
    best = found["selection"]["candidates"][0]
    assert float(best["cost"]) > 0
    assert float(best["upperBoundCost"]) > float(best["cost"])
    assert best["quantumSeconds"] == pytest.approx(3, rel=0.1)
    assert len(found["columns"]) == len(found["rows"][0])
    with pytest.raises(InvalidInput, match="run in the sandbox"):
        client.estimate(BELL_SOURCE, backend={"type": "ibm_quantum"})


def test_a_decision_is_explained_with_its_table(client: Client) -> None:
    job = client.submit(BELL_QASM, backend={"type": "ibm_quantum"})
    with pytest.raises(NotFound, match="it has not been scheduled"):
        client.explain(job.job_id())
    selection = Chooser(insides.store(client)).choose(facts(), [LAB], lambda: dump(bell()))
    with insides.store(client).begin() as tx:
        made = decision_of(selection, job_id=job.job_id(), attempt=1, namespace=client.namespace)
        decisions.keep(tx, made)
    told = client.explain(job.job_id())
    assert told["job"]["name"] == job.name
    assert told["selection"]["chosen"] == {"device": "ibm_fez", "account": "lab"}
    assert told["rows"][0][0] == "* ibm_fez"
    assert told["estimates"]["jobs"] == 0
