"""Expected fidelities, kept for as long as the calibration that they were worked out with.

They are a namespace's own: that another has run a circuit is nobody's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from qtasks.store.tables import fidelities
from qtasks.store.types import moment

_KEPT_SECONDS = 14 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What compiling a circuit for a device, as it was calibrated, gave."""

    device: str
    calibration: str
    fidelity: float
    """Expected, 0 to 1; 0 where it cannot be compiled for the device."""
    duration: float | None
    """Seconds of one shot."""
    depth: int
    two_qubit_gates: int
    problem: str | None = None
    """Why it cannot be compiled."""


_COLUMNS = [fidelities.c[name] for name in Kept.__dataclass_fields__]


def of_circuit(tx: Connection, namespace: str, fingerprint: str, options: str) -> list[Kept]:
    """What is known of a circuit under these options of the compilation."""
    rows = select(*_COLUMNS).where(
        fidelities.c.namespace == namespace,
        fidelities.c.fingerprint == fingerprint,
        fidelities.c.options == options,
    )
    return [Kept(**row._mapping) for row in tx.execute(rows)]


def keep(tx: Connection, namespace: str, fingerprint: str, options: str, found: Sequence[Kept]) -> None:
    """Write down what was found, unless somebody was faster."""
    insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    same: dict[str, Any] = {"namespace": namespace, "fingerprint": fingerprint, "options": options, "at": moment()}
    for one in found:
        tx.execute(insert(fidelities).values(**asdict(one), **same).on_conflict_do_nothing())


def forget_old(tx: Connection) -> int:
    """Forget what was worked out two weeks ago: devices have been calibrated anew since. Returns how many."""
    return int(tx.execute(delete(fidelities).where(fidelities.c.at < moment(-_KEPT_SECONDS))).rowcount)
