"""The accounts and keys that the stand-ins accept."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """What each vendor lets in; every value is made up."""

    captorra_ids: frozenset[str] = frozenset({"111111", "222222"})
    comunik8_keys: frozenset[str] = frozenset({"standin-comunik8-key"})
    comunik8_types: frozenset[str] = frozenset({"motor-trade", "missed-call"})
    kapture_keys: frozenset[str] = frozenset({"standin-kapture-key"})
    kapture_expired_keys: frozenset[str] = frozenset({"standin-kapture-expired"})
    callcap_keys: frozenset[str] = frozenset({"standin-callcap-key"})
    callcap_locations: frozenset[str] = frozenset({"3", "4"})
    """Location ids; the account key of location 3 is ``L-3``."""

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        """Take lists from ``STANDINS_<FIELD>``, such as ``STANDINS_KAPTURE_KEYS=one,two``; unset keeps the default."""
        given = {name.name: environ.get(f"STANDINS_{name.name.upper()}") for name in fields(cls)}
        return cls(**{name: frozenset(value.split(",")) for name, value in given.items() if value})
