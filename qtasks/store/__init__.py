"""The database, which is the truth: tables, claims, moves, and what may be asked of them.

Modules of functions over an open transaction: `jobs` (submit, look up, list), `claims` (who may act), `inputs` (what
was fetched), `moves` (what becomes of a job), `stored` (results of earlier jobs), `records` (events and conditions),
`keys` (what workers sign with), `upkeep` (the reconciler), `schema` (migrations).
"""

from qtasks.store.engine import Store

__all__ = ["Store"]
