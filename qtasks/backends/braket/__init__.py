"""`aws_braket`: quantum computers and simulators of Amazon Braket, through boto3 and qiskit-braket-provider."""

from qtasks.backends.braket.backend import BraketBackend

__all__ = ["BraketBackend"]
