"""What several namespaces have together."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from qtasks.client.scoped import added_up, all_of, one_device_each


def group(key: str | None, spent: str, **more: Any) -> dict[str, Any]:
    amounts = {"spent": Decimal(spent), "reserved": Decimal("0.5")}
    return {"team": key, **amounts, "quantumSeconds": 1.5, "jobs": 2, "unpriced": 1, **more}


def test_costs_of_namespaces_are_added_up_and_the_dearest_come_first() -> None:
    found = added_up("label:team", [group("vqe", "1.000001"), group(None, "3"), group("vqe", "2.1")])
    assert [(one["team"], one["spent"], one["reserved"]) for one in found] == [
        ("vqe", Decimal("3.100001"), Decimal("1.0")),
        (None, Decimal("3"), Decimal("0.5")),
    ]
    assert (found[0]["jobs"], found[0]["unpriced"], found[0]["quantumSeconds"]) == (4, 2, 3.0)


def test_months_stay_in_their_order() -> None:
    months = [{"month": month, **group(None, spent)} for month, spent in (("2026-11", "9"), ("2026-10", "1"))]
    assert [one["month"] for one in added_up("month", months)] == ["2026-10", "2026-11"]


def test_a_device_of_several_namespaces_is_one_with_all_its_names() -> None:
    mine = {"account": "lab", "name": "ibm_fez", "registeredAs": ["fez"], "namespaces": ["a"]}
    theirs = {"account": "lab", "name": "ibm_fez", "registeredAs": ["our-fez"], "namespaces": ["b"]}
    other = {"account": "aws", "name": "ibm_fez", "registeredAs": []}
    found = one_device_each([mine, theirs, other])
    assert [(one["account"], one["registeredAs"]) for one in found] == [("lab", ["fez", "our-fez"]), ("aws", [])]
    assert found[0]["namespaces"] == ["a", "b"]


def test_a_scope_is_asked_namespace_by_namespace_and_all_at_once() -> None:
    asked: list[str | None] = []

    def found(where: str | None) -> list[dict[str, Any]]:
        asked.append(where)
        return [{"namespace": where}]

    assert all_of(("a", "b"), found) == [{"namespace": "a"}, {"namespace": "b"}]
    assert all_of(None, found) == [{"namespace": None}]
    assert asked == ["a", "b", None]
