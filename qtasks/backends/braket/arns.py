"""Names of Braket's devices and tasks, and the regions that they say. Pure."""

from __future__ import annotations

from qtasks.backends.protocol import BackendError

REGIONS = ("us-east-1", "us-west-1", "us-west-2", "eu-west-2", "eu-north-1")
"""Where Braket is (`braket.aws.AwsDevice.REGIONS`, amazon-braket-sdk 1.127)."""
_SIMULATORS = {name: f"arn:aws:braket:::device/quantum-simulator/amazon/{name}" for name in ("sv1", "dm1", "tn1")}


def device_arn(device: str) -> str:
    """The ARN of a device: itself, or that of a simulator's short name (SV1, DM1, TN1).

    Raises BackendError (`NoSuchDevice`).
    """
    if device.startswith("arn:") and ":braket:" in device and "device/" in device:
        return device
    try:
        return _SIMULATORS[device.lower()]
    except KeyError:
        raise BackendError(
            f"{device!r} names no device of Amazon Braket.",
            reason="NoSuchDevice",
            hint="Use the device's ARN, as `qtasks get backends` shows it, or SV1, DM1 or TN1.",
        ) from None


def region_of(arn: str) -> str | None:
    """The region that an ARN of a device or a task is bound to; None for the simulators, which are in many."""
    parts = arn.split(":")
    return (parts[3] or None) if len(parts) > 3 else None


def is_simulator(arn: str) -> bool:
    return "device/quantum-simulator/" in arn
