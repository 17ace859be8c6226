"""Jobs of several circuits: Qiskit's PUBs as one payload, read strictly, checked circuit by circuit, run as one list.

`container` is what a user hands over, `prepared` what is run: the same PUBs with every circuit bound, checked and, for
an estimator, measured. `docs/decisions/pubs.md` has the form of both.
"""

from __future__ import annotations

from qtasks.circuits.pubs.container import Container, parse
from qtasks.circuits.pubs.runs import Extent, extent

__all__ = ["Container", "Extent", "extent", "parse"]
