"""Which instance an account works with, where it does not say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import requests

from qtasks.backends.ibm.addresses import Addresses
from qtasks.backends.protocol import BackendError

_FIELDS = ["crn", "service_plan_unique_id", "name", "doc", "tags"]
_HINT = "Set the account's instance to the CRN or the name of one."


@dataclass(frozen=True, slots=True)
class Instance:
    """A service instance that an API key may use. `plan`: in small letters, `unknown` where IBM does not say."""

    crn: str
    name: str
    plan: str


def choose(instances: Sequence[Instance], wanted: str | None, plan: str) -> Instance:
    """The instance called `wanted`, or, without a name, the only one, or the only one of this plan.

    Raises BackendError (`NoSuchInstance`, `AmbiguousInstance`) that names those there are.
    """
    names = ", ".join(f"{one.name} ({one.plan})" for one in instances) or "none"
    found = [one for one in instances if one.name == wanted] if wanted else list(instances)
    if not found:
        what = f"no instance called {wanted}" if wanted else "no instance of IBM Quantum"
        raise BackendError(f"The API key may use {what}; there are: {names}.", reason="NoSuchInstance", hint=_HINT)
    if len(found) > 1:
        found = [one for one in found if one.plan == plan]
    if len(found) != 1:
        message = f"The account does not say which instance it means, and not one alone has the plan {plan}: {names}."
        raise BackendError(message, reason="AmbiguousInstance", hint=_HINT)
    return found[0]


def listed(session: requests.Session, where: Addresses) -> list[Instance]:
    """The instances with devices: one request, and one for each plan. Raises `requests.RequestException`."""
    found: list[Instance] = []
    plans: dict[str, str] = {}
    cursor: str | None = None
    while True:
        query: dict[str, Any] = {"query": "service_name:quantum-computing", "fields": _FIELDS}
        if cursor:
            query["search_cursor"] = cursor
        page = _json(session.post(f"{where.search}/v3/resources/search", params={"limit": 100}, json=query))
        for item in page.get("items", []):
            if not item.get("doc", {}).get("extensions"):
                continue  # no devices are allotted to it
            plan = str(item.get("service_plan_unique_id"))
            if plan not in plans:
                plans[plan] = _plan(session, f"{where.catalogue}/{plan}")
            found.append(Instance(str(item["crn"]), str(item.get("name")), plans[plan]))
        cursor = page.get("search_cursor")
        if not cursor:
            return found


def _plan(session: requests.Session, address: str) -> str:
    answer = session.get(address)
    if answer.status_code in (403, 404):
        return "unknown"  # the catalogue does not show plans that are no longer sold
    names = _json(answer).get("overview_ui", {}).get("en", {})
    return str(names.get("display_name", "unknown")).lower()


def _json(answer: requests.Response) -> Any:
    answer.raise_for_status()
    return answer.json()
