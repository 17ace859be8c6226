"""The Python API."""

from qtasks.client.client import Client
from qtasks.client.job import Job

__all__ = ["Client", "Job"]
