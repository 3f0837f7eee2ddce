"""A dataclass that is frozen for the type checker only."""

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    """Make a slots dataclass with keyword-only fields that is frozen for the type checker alone.

    For what each delivery makes anew: a field of a frozen dataclass is set by ``object.__setattr__``, 60 ns instead of
    15, and a delivery sets a hundred (8 % of a worker's instructions). Everything else is a frozen dataclass.
    """
    return dataclass(slots=True, kw_only=True, unsafe_hash=True)(cls)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def event_record(cls: type[T]) -> type[T]:
    """Make what ``record`` makes, with fields by place: for what each webhook makes anew."""
    return dataclass(slots=True, unsafe_hash=True)(cls)
