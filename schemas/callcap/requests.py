"""A request about Callcap's numbers, from what is asked to what became of it."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, Self

from marshmallow import ValidationError

from schemas.callcap.parameters import ProvisionParameters, SearchParameters, UpdateParameters, phone

Parameters = Mapping[str, str | int | bool]
"""What a schema of ``schemas.callcap.parameters`` loaded, by the wire's names."""

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}", re.ASCII)
_MAYBE_A_NUMBER = re.compile(r"\d{10}", re.ASCII)
_WHERE = ("locationID", "account", "showPublicPool", "showReservedPool")


class Kind(StrEnum):
    """What is asked; a task ``tasks.callcap.KIND`` carries it out."""

    SEARCH = "search"
    PROVISION = "provision"
    """Costs money each time."""
    UPDATE = "update"


class RequestState(StrEnum):
    """Where a request stands."""

    WAITING = "waiting"
    """Written, and surely not sent: it may be carried out."""
    IN_FLIGHT = "in_flight"
    DONE = "done"
    FAILED = "failed"
    """Callcap refused."""
    UNKNOWN = "unknown"
    """Callcap may have carried it out; it is never sent again."""


class Lookup(StrEnum):
    """What a look-up of the number told after an unknown outcome."""

    NONE = ""
    OFFERED = "offered"
    """It can still be provisioned: most likely nothing was done."""
    NOT_OFFERED = "not_offered"
    """It can no longer be provisioned: most likely it is ours."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberRequest:
    """What is asked of Callcap."""

    kind: Kind
    parameters: Parameters = field(repr=False)
    number: str = field(default="", repr=False)
    """The number that an update is about, 10 digits."""

    @property
    def about(self) -> str:
        """Return the one number that it is about; empty when that is left to Callcap."""
        named = self.number or self.parameters.get("phoneNumber") or self.parameters.get("fullNumber") or ""
        return str(named)

    def looked_up_by(self) -> Parameters:
        """Return the search that says whether its number is still offered, in the place where it was asked for."""
        where = {name: self.parameters[name] for name in _WHERE if name in self.parameters}
        return {"fullNumber": self.about, **where}

    def dump(self) -> str:
        """Write it as text; equal requests give equal texts."""
        return json.dumps([self.kind, self.number, dict(self.parameters)], sort_keys=True)

    @classmethod
    def load(cls, text: str) -> Self:
        """Read what ``dump`` wrote."""
        kind, number, parameters = json.loads(text)
        return cls(kind=Kind(kind), number=number, parameters=parameters)


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberOutcome:
    """What became of a request."""

    state: RequestState
    reason: str = ""
    """Stable code: empty when done."""
    words: str = field(default="", repr=False)
    """Callcap's words, secrets blanked."""
    number: str = field(default="", repr=False)
    """The number that it was about or that Callcap chose, 10 digits."""
    numbers: tuple[str, ...] = field(default=(), repr=False)
    """What a search found."""
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Callcap's reply; its shape is not documented."""
    lookup: Lookup = Lookup.NONE
    lookup_words: str = field(default="", repr=False)

    def dump(self) -> str:
        """Write it as text."""
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str) -> Self:
        """Read what ``dump`` wrote."""
        values = json.loads(text)
        values["numbers"] = tuple(values["numbers"])
        return cls(**values | {"state": RequestState(values["state"]), "lookup": Lookup(values["lookup"])})


def read_request(kind: Kind, parameters: Mapping[str, Any], *, today: date, number: str = "") -> NumberRequest:
    """Check what is to be asked; ``number`` is an update's, ``today`` the first day on which it may end.

    Raises marshmallow's ``ValidationError`` with every fault, by the document's names.
    """
    match kind:
        case Kind.SEARCH:
            return NumberRequest(kind=kind, parameters=SearchParameters().load(parameters))
        case Kind.PROVISION:
            return NumberRequest(kind=kind, parameters=ProvisionParameters().load(parameters))
        case Kind.UPDATE:
            return _read_update(parameters, today=today, number=number)


def read_key(text: str) -> str:
    """Check a request's key; raises ``ValueError``. It stands in task messages and logs, so it holds no number."""
    if not _KEY.fullmatch(text):
        raise ValueError("must be 1 to 100 letters, digits, dots, colons, dashes or underscores")
    if _MAYBE_A_NUMBER.search(text):
        raise ValueError("must not hold 10 digits in a row: it stands in logs, where no phone number may stand")
    return text


def _read_update(parameters: Mapping[str, Any], *, today: date, number: str) -> NumberRequest:
    faults: dict[str, Any] = {}
    loaded: Parameters = {}
    try:
        number = phone(number)
    except (TypeError, ValueError) as error:
        faults["number"] = [str(error)]
    try:
        loaded = UpdateParameters(today=today).load(parameters)
    except ValidationError as error:
        faults |= error.messages_dict
    if faults:
        raise ValidationError(faults)
    return NumberRequest(kind=Kind.UPDATE, parameters=loaded, number=number)
