"""Quantities, durations and money: immutable values that keep the text in which they were written."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Context, Decimal
from operator import attrgetter
from typing import Any, ClassVar, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

# The default context rounds to 28 digits, which the longest accepted texts pass.
EXACT = Context(prec=80)


@dataclass(frozen=True, slots=True, init=False, order=True, repr=False)
class Written:
    """A number that a user wrote as text: equal and ordered by `value`, dumped as `written`."""

    value: Decimal
    written: str | int | float = field(compare=False)

    pattern: ClassVar[str]
    allowed: ClassVar[str]
    example: ClassVar[str]

    def __init__(self, written: str | int | float | Decimal) -> None:
        """Read `written`; raises ValueError, which says what is allowed."""
        text = _text(written)
        match = re.fullmatch(self.pattern, text) if len(text) <= 64 else None
        value = self._read(match) if match else None
        if value is None:
            raise ValueError(f'"{text[:40]}" is not a {type(self).__name__}: {self.allowed}')
        object.__setattr__(self, "value", value)
        object.__setattr__(self, "written", text if isinstance(written, Decimal) else written)

    def _read(self, match: re.Match[str]) -> Decimal | None:
        """The exact value of a text that fits the pattern, or None when it is out of range."""
        raise NotImplementedError

    def __str__(self) -> str:
        return _text(self.written)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.written!r})"

    @classmethod
    def _validate(cls, value: Any) -> Self:
        if isinstance(value, cls):
            return value
        try:
            return cls(value)
        except ValueError:
            raise PydanticCustomError("not_allowed", "{allowed}", {"allowed": cls.allowed}) from None

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._validate,
            serialization=core_schema.plain_serializer_function_ser_schema(attrgetter("written")),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {
            "anyOf": [{"type": "string", "minLength": 1, "pattern": cls.pattern}, {"type": "number"}],
            "description": cls.allowed,
            "examples": [cls.example],
        }


class Quantity(Written):
    """An amount of memory, storage or CPU as Kubernetes writes it: "8Gi", "500m", "4", 2."""

    __slots__ = ()
    pattern = r"^([0-9]{1,18}(?:\.[0-9]{1,9})?)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,2})?$"
    allowed = 'a number, with one of the suffixes m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei if needed, such as "8Gi"'
    example = "8Gi"
    # Kubernetes' own largest quantity.
    largest: ClassVar[Decimal] = Decimal(2**63 - 1)
    scales: ClassVar[dict[str, Decimal]] = {
        "": Decimal(1),
        "n": Decimal("1e-9"),
        "u": Decimal("1e-6"),
        "m": Decimal("1e-3"),
        "k": Decimal("1e3"),
        **{suffix: Decimal(1000**power) for power, suffix in enumerate("MGTPE", start=2)},
        **{f"{suffix}i": Decimal(1024**power) for power, suffix in enumerate("KMGTPE", start=1)},
    }

    def _read(self, match: re.Match[str]) -> Decimal | None:
        number, suffix = match[1], match[2] or ""
        scale = self.scales[suffix] if suffix in self.scales else Decimal(f"1{suffix}")
        value = EXACT.multiply(Decimal(number), scale)
        return value if value <= self.largest else None

    @property
    def bytes(self) -> int:
        """The amount in bytes, rounded up as Kubernetes does."""
        return int(self.value.to_integral_value(ROUND_CEILING))

    @property
    def cores(self) -> float:
        """The amount in CPU cores."""
        return float(self.value)


class Duration(Written):
    """A length of time: "30s", "1h30m", "500ms", or a plain number of seconds."""

    __slots__ = ()
    units: ClassVar[dict[str, Decimal]] = {
        "d": Decimal(86_400),
        "h": Decimal(3600),
        "m": Decimal(60),
        "s": Decimal(1),
        "ms": Decimal("0.001"),
    }
    pattern = r"^(?:N|(?:Nd)?(?:Nh)?(?:Nm)?(?:Ns)?(?:Nms)?)$".replace("N", r"([0-9]{1,12}(?:\.[0-9]{1,9})?)")
    allowed = (
        'a number of seconds, or numbers with the units d, h, m, s, ms in this order, such as "1h30m"; at most 36500d'
    )
    example = "1h30m"
    # Far enough below the year 9999 that adding it to a time of today cannot overflow.
    largest: ClassVar[Decimal] = Decimal(36_500 * 86_400)

    def _read(self, match: re.Match[str]) -> Decimal | None:
        if not match[0]:
            return None
        plain, *parts = match.groups(default="0")
        value = Decimal(plain)
        for part, unit in zip(parts, self.units.values(), strict=True):
            value = EXACT.fma(Decimal(part), unit, value)
        return value if value <= self.largest else None

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return float(self.value)


class Money(Written):
    """An amount in US dollars, exact to a micro-dollar: "$10.00", "10", 10.5."""

    __slots__ = ()
    pattern = r"^(-?)\$?([0-9]{1,12}(?:\.[0-9]{1,6})?)$"
    allowed = 'US dollars with at most 6 decimals, such as "$10.00"'
    example = "$10.00"
    currency: ClassVar[str] = "USD"

    def _read(self, match: re.Match[str]) -> Decimal | None:
        return Decimal(match[1] + match[2])

    @classmethod
    def from_micros(cls, micros: int) -> Self:
        """The amount of `micros` millionths of a dollar; negative when more was spent than there was."""
        return cls(_dollars(micros))

    @property
    def micros(self) -> int:
        """The amount in millionths of a dollar, exact."""
        return int(self.value.scaleb(6, EXACT))

    def __str__(self) -> str:
        return _dollars(self.micros)


def _text(written: Any) -> str:
    """`written` as plain decimal text; "" for what is no text and no number."""
    if isinstance(written, str):
        return written
    if isinstance(written, bool) or not isinstance(written, (int, float, Decimal)):
        return ""
    # A huge int is slow to print, and past 4300 digits raises.
    if isinstance(written, int):
        return str(written) if written.bit_length() < 128 else ""
    number = Decimal(repr(written)) if isinstance(written, float) else written
    if not number.is_finite() or abs(number.adjusted()) > 40:
        return ""
    return format(number, "f")


def _dollars(micros: int) -> str:
    whole, fraction = divmod(abs(micros), 10**6)
    decimals = f"{fraction:06d}".rstrip("0").ljust(2, "0")
    return f"{'-' if micros < 0 else ''}${whole}.{decimals}"
