"""The database, which is the truth: tables, claims, moves, and what may be asked of them.

Modules of functions over an open transaction: `jobs` (submit, look up, list), `claims` (who may act), `moves` (what
becomes of a job), `records` (events and conditions), `upkeep` (the reconciler), `schema` (migrations).
"""

from qtasks.store.engine import Store

__all__ = ["Store"]
