"""Lists: newest first, page by page, by namespace, phase and labels."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from qtasks.lifecycle import Phase
from qtasks.store import jobs, tables
from qtasks.store.jobs import Requirement
from tests.store.acting import Acting


def _listed(acting: Acting, *selector: Requirement, limit: int = 100, **where: object) -> list[str]:
    with acting.store.read() as tx:
        given = {"namespace": "default", **where}
        return [row.id for row in jobs.walk(tx, selector=selector, limit=limit, **given)]  # type: ignore[arg-type]


def test_a_list_is_newest_first_and_goes_on_page_by_page(acting: Acting) -> None:
    ids = [acting.submitted() for _ in range(5)]
    pages = [_listed(acting, limit=2)]
    while pages[-1]:
        pages.append(_listed(acting, limit=2, before=pages[-1][-1]))
    assert pages == [[ids[4], ids[3]], [ids[2], ids[1]], [ids[0]], []]


def test_a_list_is_of_one_namespace_or_of_all(acting: Acting) -> None:
    here, there = acting.submitted(), acting.submitted(namespace="lab")
    assert _listed(acting) == [here]
    assert _listed(acting, namespace="lab") == [there]
    assert _listed(acting, namespace=None) == [there, here]
    assert _listed(acting, namespace="nowhere") == []


def test_a_list_may_be_of_one_phase(acting: Acting) -> None:
    claimed = acting.submitted()
    acting.claim()
    waiting = acting.submitted()
    assert _listed(acting, phase=Phase.VALIDATING) == [claimed]
    assert _listed(acting, phase=Phase.PENDING) == [waiting]
    assert _listed(acting, phase=Phase.PENDING, namespace=None) == [waiting]
    assert _listed(acting, phase=Phase.COMPLETED) == []


def test_a_list_may_be_of_one_backend_one_priority_and_since_a_time(acting: Acting) -> None:
    claim = acting.running()
    acting.finish(claim)
    (ran,) = claim.ids
    with acting.store.begin() as tx:
        tx.execute(update(tables.jobs).where(tables.jobs.c.id == ran).values(backend="local_simulator"))
    row = acting.row(ran)
    low = acting.submitted(priority=9)
    assert _listed(acting, backend="local_simulator") == [ran] and _listed(acting, backend="ibm_fez") == []
    assert (_listed(acting, priority=9), _listed(acting, priority=0)) == ([low], [])
    since = acting.row(low).created_at
    assert _listed(acting, since=since) == [low] and _listed(acting, since=since + timedelta(hours=1)) == []
    assert _listed(acting, since=row.created_at) == [low, ran]


def test_a_listed_row_says_everything_that_a_single_one_does(acting: Acting) -> None:
    claim = acting.running()
    acting.finish(claim)
    with acting.store.read() as tx:
        assert jobs.walk(tx, namespace=None, limit=1) == [jobs.get(tx, claim.ids[0])]


SELECTORS = {
    "team=a": ([Requirement("team", ("a",))], "gpu ab"),
    "team!=a": ([Requirement("team", ("a",), negated=True)], "b bare"),
    "team in (a, b)": ([Requirement("team", ("a", "b"))], "gpu ab b"),
    "team notin (a, b)": ([Requirement("team", ("a", "b"), negated=True)], "bare"),
    "gpu": ([Requirement("gpu", None)], "gpu"),
    "!gpu": ([Requirement("gpu", None, negated=True)], "ab b bare"),
    "team=a,!gpu": ([Requirement("team", ("a",)), Requirement("gpu", None, negated=True)], "ab"),
    "team=a,team=b": ([Requirement("team", ("a",)), Requirement("team", ("b",))], ""),
    "a=team": ([Requirement("a", ("team",))], ""),
}


@pytest.mark.parametrize("selector", SELECTORS)
def test_a_selector_chooses_by_labels(acting: Acting, selector: str) -> None:
    labelled = {"gpu": {"team": "a", "gpu": ""}, "ab": {"team": "a"}, "b": {"team": "b"}, "bare": {}}
    ids = {name: acting.submitted(name=name, labels=labels) for name, labels in labelled.items()}
    acting.submitted(namespace="lab", labels={"team": "a", "gpu": ""})
    requirements, chosen = SELECTORS[selector]
    assert set(_listed(acting, *requirements)) == {ids[name] for name in chosen.split()}


def test_a_selector_and_a_limit_count_what_was_chosen(acting: Acting) -> None:
    chosen = [acting.submitted(labels={"n": str(number % 2)}) for number in range(6)][1::2]
    assert _listed(acting, Requirement("n", ("1",)), limit=2) == chosen[:0:-1]
