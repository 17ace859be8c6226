"""The result of a job: what it holds, how it is written down, and where a copy of it may be delivered."""

from __future__ import annotations

from qtasks.results.encoding import decode, encode
from qtasks.results.model import EstimatorPubResult, JobResult, PubResult, SamplerPubResult, classical_memory
from qtasks.results.provenance import Provenance, git_commit, timestamp, versions

__all__ = [
    "EstimatorPubResult",
    "JobResult",
    "Provenance",
    "PubResult",
    "SamplerPubResult",
    "classical_memory",
    "decode",
    "encode",
    "git_commit",
    "timestamp",
    "versions",
]
