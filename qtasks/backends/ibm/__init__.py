"""IBM Quantum: one account, through qiskit-ibm-runtime's REST client."""

from __future__ import annotations

from qtasks.backends.ibm.backend import IBMBackend

__all__ = ["IBMBackend"]
