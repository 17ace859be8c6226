"""Importing: lines of a jobs file whose provider jobs no row knows become jobs, which pollers then collect."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from qtasks.client import accounts
from qtasks.client.adoption import Foreign, adopt
from qtasks.client.collection import Wanted, ids_of
from qtasks.client.jobs_file import Entry, Status
from qtasks.client.submission import is_id
from qtasks.config import Account
from qtasks.errors import InvalidInput

if TYPE_CHECKING:
    from qtasks.client.client import Client


def import_unknown(client: Client, wanted: Iterable[Wanted], account: Account | None) -> list[str]:
    """Make jobs of the lines that are not final and whose jobs no row knows; returns the jobs' ids.

    They run under `account`, else under the one that the line names or counts to (`api_key_index`), else under the only
    one that there is. Lines that say completed, failed, cancelled or error are left alone. Raises InvalidInput
    (`WhichAccount`), NotFound (`NoSuchAccount`) or Forbidden.
    """
    unknown = [one for one in wanted if one.job_id is None and not one.status.final]
    lost = [one for one in unknown if is_id(one.entry["job_id"])]
    for one in lost:
        # A line without a provider's id, of another database: there is nothing to ask for.
        gone = {"status": Status.ERROR.value, "error": "There is no such job, and no provider knows its id."}
        one.news, one.entry = gone, {**one.entry, **gone}
    unknown = [one for one in unknown if one not in lost]
    foreign = [_foreign(one.entry, account or _account_of(client, one.entry)) for one in unknown]
    made = adopt(client._direct("Importing"), foreign, client.namespace) if foreign else {}
    for one, job_id in zip(unknown, ids_of(client, [one.entry for one in unknown]), strict=True):
        one.job_id = job_id
    return list(made.values())


def _account_of(client: Client, entry: Entry) -> Account:
    name, index = entry.get("account"), entry.get("api_key_index")
    if isinstance(name, str):
        return accounts.called(client, name, client.namespace)
    if index is not None:
        return accounts.numbered(client, index, client.namespace)
    known = accounts.known(client._direct("Importing"), client.namespace)
    if len(known) == 1:
        return known[0].account
    raise InvalidInput(
        f"Nobody says under which account job {entry['job_id']} runs: its line has no api_key_index.",
        reason="WhichAccount",
        hint=f"Name it with --account: {_names(known)}.",
    )


def _names(known: Sequence[accounts.Known]) -> str:
    return ", ".join(one.account.name for one in known) or "there is none; see QTASKS_CONFIG"


def _foreign(entry: Entry, account: Account) -> Foreign:
    device = entry.get("backend")
    said = {
        name.replace("_", "-"): str(entry[name])
        for name in ("experiment_type", "logical_state", "circuit_hash", "submission_time", "git_commit")
        if entry.get(name) is not None
    }
    own = entry.get("qtasks_job_id")
    return Foreign(
        account,
        str(entry["job_id"]),
        device if isinstance(device, str) and device.strip() else None,
        entry.get("shots"),
        # No row has it, or the line would not be unknown: the job gets the id again that its submitter knows.
        job_id=own if isinstance(own, str) and is_id(own) else None,
        annotations=said,
    )
