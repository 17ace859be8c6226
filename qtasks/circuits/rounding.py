"""How numbers stand in a fingerprint: rounded, so that two ways to compute one angle give one text."""

from __future__ import annotations

import math
from typing import Any

_TWO_PI = 2 * math.pi
_EXACT_INTEGERS = 10**12


def phase(angle: Any) -> str:
    """A global phase to 12 decimals, modulo 2π; with unbound parameters as written."""
    if angle == 0:
        return "0"
    try:
        turned = round(float(angle) % _TWO_PI, 12)
    except (TypeError, ValueError):
        return f"P{angle}"
    return "0" if turned == 0 or turned >= round(_TWO_PI, 12) else f"{turned:.12g}"


def number(value: Any) -> str:
    """A number to 12 significant digits; unbound parameters by name, expressions as written, arrays by element."""
    if isinstance(value, float):
        return f"{value + 0.0:.12g}"
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, int):
        return f"{value:.12g}" if -_EXACT_INTEGERS < value < _EXACT_INTEGERS else str(value)
    if isinstance(value, complex):
        return f"{number(value.real)}:{number(value.imag)}j"
    if isinstance(value, str) or value is None:
        return repr(value)
    if hasattr(value, "tolist"):  # NumPy arrays and scalars
        return f"{getattr(value, 'shape', '')}{number(value.tolist())}"
    if isinstance(value, (list, tuple)):
        return f"[{','.join([number(v) for v in value])}]"
    if hasattr(value, "parameters"):
        if not value.parameters:
            return number(value.numeric())
        return f"P{value}"
    return repr(value)
