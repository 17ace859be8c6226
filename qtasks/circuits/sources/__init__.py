"""Circuits from elsewhere: a ConfigMap, a Git repository or an address, each fetched in a process of its own.

That process has the network and runs no user's code; it has no environment but what the fetch needs, and of all secrets
only the one that the source names. Why each is done as it is: docs/decisions/fetching.md.
"""

from qtasks.circuits.sources.fetching import fetch
from qtasks.circuits.sources.messages import Fetched

__all__ = ["Fetched", "fetch"]
