"""Jobs over accounts: in turn, that with most left first."""

from __future__ import annotations

from typing import Any

import pytest

from qtasks.client.accounts import Known
from qtasks.client.spreading import assigned, spread
from qtasks.config import Account
from qtasks.errors import Conflict, InvalidInput
from qtasks.resources import QiskitJob
from qtasks.scheduling.allowance import Standing
from qtasks.store.accounts import Load


def account(name: str, remaining: float | None, provider: str = "ibm_quantum") -> Known:
    limit = None if remaining is None else 600.0
    return Known(Account(name=name, provider=provider), None, Standing(limit, 0, 0, remaining, None), Load(0, 0, 0))  # type: ignore[arg-type]


def job(name: str | None = None, backend: str = "ibm_quantum", **spec: Any) -> QiskitJob:
    metadata = {} if name is None else {"name": name}
    return QiskitJob(
        metadata=metadata,
        spec={"backend": {"type": backend}, "circuit": {"source": "inline", "code": "…"}, **spec},
    )


def accounts_of(jobs: list[QiskitJob], known: list[Known], **given: str) -> list[str | None]:
    before = {("default", name): account for name, account in given.items()}
    found = spread(jobs, lambda _: known, namespace=lambda _: "default", given=before)
    return [one.spec.backend.account for one in found]


def test_jobs_go_round_beginning_with_the_account_that_has_most_left() -> None:
    known = [account("a", 10), account("b", 600), account("c", None)]
    assert accounts_of([job() for _ in range(4)], known) == ["c", "b", "a", "c"]


def test_each_provider_has_a_round_of_its_own() -> None:
    known = [account("a", 10), account("b", 600), account("aws", None, "aws_braket")]
    jobs = [job(), job(backend="aws_braket"), job(), job(backend="local_simulator"), job()]
    assert accounts_of(jobs, known) == ["b", "aws", "a", None, "b"]


def test_an_exhausted_account_gets_none_while_others_have_some() -> None:
    assert accounts_of([job(), job()], [account("a", 0), account("b", 5)]) == ["b", "b"]
    assert accounts_of([job(), job()], [account("a", 0), account("b", 0)]) == ["a", "b"]


def test_what_a_job_says_itself_stays() -> None:
    known = [account("a", 600), account("b", 5)]
    named = QiskitJob(
        spec={"backend": {"type": "ibm_quantum", "account": "b"}, "circuit": {"source": "inline", "code": "…"}}
    )
    secret = job(credentials={"secretRef": {"name": "mine"}})
    session = job(session={"name": "vqe"})
    assert accounts_of([named, secret, session, job()], known) == ["b", None, None, "a"]


def test_a_job_that_was_submitted_before_keeps_its_account() -> None:
    known = [account("a", 600), account("b", 5)]
    assert accounts_of([job("old"), job("new")], known, old="b") == ["b", "a"]


def test_nobody_to_run_under_is_an_error() -> None:
    with pytest.raises(InvalidInput, match="No account for aws_braket serves namespace default"):
        accounts_of([job(backend="aws_braket")], [account("a", 600)])


def test_an_index_is_refused_for_another_provider_and_for_jobs_that_name_an_account() -> None:
    lab = account("lab", 600).account
    assert assigned(job(), lab).spec.backend.account == "lab"
    with pytest.raises(InvalidInput, match="job bell runs at local_simulator"):
        assigned(job("bell", backend="local_simulator"), lab)
    with pytest.raises(Conflict, match="runs under its own secret, not under lab"):
        assigned(job(credentials={"secretRef": {"name": "mine"}}), lab)
