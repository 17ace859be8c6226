"""Qiskit's own interfaces over the queue: code written for Qiskit's primitives and backends runs as durable jobs."""

from qtasks.primitives.backend import QTasksBackend
from qtasks.primitives.backend_job import QTasksJob
from qtasks.primitives.estimator import EstimatorV2
from qtasks.primitives.job import PrimitiveJob, job
from qtasks.primitives.options import Options
from qtasks.primitives.sampler import SamplerV2

__all__ = ["EstimatorV2", "Options", "PrimitiveJob", "QTasksBackend", "QTasksJob", "SamplerV2", "job"]
