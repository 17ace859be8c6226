"""What each namespace has had of a stage."""

from __future__ import annotations

import threading

from sqlalchemy import update

from qtasks.lifecycle import Stage
from qtasks.store import claims
from qtasks.store.claims import Share
from qtasks.store.tables import shares
from tests.store.acting import Acting


def _charge(acting: Acting, namespace: str, start: float, taken: int, stage: Stage = Stage.EXECUTION) -> None:
    with acting.store.begin() as tx:
        claims.charge(tx, stage, namespace, start_tag=start, jobs_taken=taken)


def _shares(acting: Acting, stage: Stage = Stage.EXECUTION) -> dict[str, Share]:
    with acting.store.read() as tx:
        return claims.shares_of(tx, stage)[stage]


def test_a_share_grows_by_what_was_taken(acting: Acting) -> None:
    assert _shares(acting) == {}
    _charge(acting, "a", 0.0, 3)
    _charge(acting, "a", 3.0, 1)
    _charge(acting, "b", 3.0, 2)
    assert _shares(acting) == {"a": Share("a", 3.0, 4.0, 1.0), "b": Share("b", 3.0, 5.0, 1.0)}
    assert _shares(acting, Stage.VALIDATION) == {}


def test_stages_are_charged_apart(acting: Acting) -> None:
    _charge(acting, "a", 0.0, 3)
    _charge(acting, "a", 0.0, 1, Stage.VALIDATION)
    assert _shares(acting)["a"].finish_tag == 3.0
    assert _shares(acting, Stage.VALIDATION)["a"].finish_tag == 1.0


def test_a_charge_with_an_old_tag_still_counts_and_turns_nothing_back(acting: Acting) -> None:
    _charge(acting, "a", 10.0, 1)
    _charge(acting, "a", 4.0, 1)
    assert _shares(acting)["a"] == Share("a", 10.0, 12.0, 1.0)


def test_a_double_weight_is_charged_half(acting: Acting) -> None:
    _charge(acting, "a", 0.0, 1)
    with acting.store.begin() as tx:
        tx.execute(update(shares).values(weight=2.0))
    _charge(acting, "a", 1.0, 3)
    assert _shares(acting)["a"] == Share("a", 1.0, 2.5, 2.0)


def test_charges_at_once_are_all_counted(acting: Acting) -> None:
    threads = [threading.Thread(target=lambda: [_charge(acting, "a", 0.0, 1) for _ in range(10)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert _shares(acting)["a"].finish_tag == 40.0
