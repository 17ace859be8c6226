"""The CustomResourceDefinitions of the four kinds, made from their models. Pure."""

from qtasks.operator.crds.definitions import GROUP, VERSION, definitions

__all__ = ["GROUP", "VERSION", "definitions"]
