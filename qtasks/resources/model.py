"""What all resource models share: camelCase outside, frozen, strict, and one error for all that is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    PlainSerializer,
    Strict,
    ValidationError,
)
from pydantic._internal._model_construction import ModelMetaclass
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from qtasks.resources.problems import invalid, problems_of
from qtasks.resources.quantities import Duration, Money, Quantity, Written


class _OneError(ModelMetaclass):
    """Makes a constructor raise `InvalidInput`, as `parse` does.

    An `__init__` would do it too, but pydantic would then call it for every nested model.
    """

    def __call__(self, *args: Any, **fields: Any) -> Any:
        try:
            return super().__call__(*args, **fields)
        except ValidationError as error:
            raise invalid(problems_of(error, self)) from None


class Model(BaseModel, metaclass=_OneError):
    """A part of a resource: unknown fields are refused, and nothing changes once it is made."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        use_attribute_docstrings=True,
    )


@dataclass(frozen=True, slots=True)
class Range:
    """Bounds of a number, both included; strict, so that neither "5" nor true is taken for a number."""

    low: float
    high: float | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        bounds = {"strict": True, "ge": self.low, **({} if self.high is None else {"le": self.high})}
        allowed = f"{self.low} to {self.high}" if self.high is not None else f"{self.low} or more"
        return _explained({**handler(source), **bounds}, allowed)


@dataclass(frozen=True, slots=True)
class Text:
    """A pattern and the longest length of a text, and the sentence that says both to a user."""

    pattern: str
    longest: int
    allowed: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = core_schema.str_schema(pattern=self.pattern, max_length=self.longest, strict=True)
        return _explained(schema, self.allowed)


W = TypeVar("W", bound=Written)


def _explained(schema: CoreSchema, allowed: str) -> CoreSchema:
    """One sentence in place of all that pydantic says about a value."""
    return core_schema.custom_error_schema(
        schema, "not_allowed", custom_error_message="{allowed}", custom_error_context={"allowed": allowed}
    )


def _positive(value: W) -> W:
    if value.value <= 0:
        raise PydanticCustomError("not_allowed", "{allowed}", {"allowed": "more than zero"})
    return value


def _not_negative(value: W) -> W:
    if value.value < 0:
        raise PydanticCustomError("not_allowed", "{allowed}", {"allowed": "not less than zero"})
    return value


def _as_written(number: float) -> float:
    # YAML's 2 was read as 2.0; a whole number is dumped as one, while a float can still tell it from its neighbours.
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


PositiveQuantity = Annotated[Quantity, AfterValidator(_positive)]
PositiveDuration = Annotated[Duration, AfterValidator(_positive)]
Price = Annotated[Money, AfterValidator(_not_negative)]
Flag = Annotated[bool, Strict()]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False), PlainSerializer(_as_written)]
Share = Annotated[Number, Range(0, 1)]
Weight = Annotated[Number, Range(0)]
# As far as Aer reads a seed.
Seed = Annotated[int, Range(0, 2**63 - 1)]
