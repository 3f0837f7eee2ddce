"""Faults that ``POST /control/faults`` lays on a vendor: latency, refusals, lost and late replies."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from deploy.local.standins.wire import Answer

_KAPTURE_ERRORS = (  # the document's "Error Messages", the same for each of its five APIs: the name, and its text
    "AuthKeyInvalid",
    "Please use correct Authkey",
    "ServerFailure",
    "Server error while processing this request",
    "ReqFieldMissing",
    "Mandatory field missing",
    "APIExpired",
    "API Request is Expired",
)

SAYINGS: Mapping[str, Mapping[str, Answer]] = {
    "captorra": {  # the organisation's key as the document prints it, with a small L
        words: Answer({"success": False, "error": words})
        for words in ("Please provide the Captorrald, Name, ID, ANI, Date", "Please check Captorrald.")
    },
    "comunik8": {
        "server error (save)": Answer({"cancelled": False, "warning": "server error (save)"}),
        "Internal Server Error": Answer(b"Internal Server Error", status=500),
    },
    "kapture": {
        **{words: Answer({"Message": words, "Status": "Fail"}) for words in _KAPTURE_ERRORS},
        # As printed: none of the three is JSON.
        "printed add": Answer(b'{ \n"Message": "Customer Added Successfully",\n"Status": "Success"\n};'),
        "printed update": Answer(b'{\n{"message": "Customer Updated Successfully""status": "success"\n}'),
        "printed select": Answer(
            b'{\n"message": [\n{\n"id": 287230,\n"name": "Chandran",\n"contacts": [\n{\n"phone": "999999100"\n}\n]'
            b'\n},\n],\n"status": "success"\n}'
        ),
    },
}
"""By vendor, then by the words, or by a name where the words have others too."""


MODES = ("drop", "hang", "close", "store_then_drop", "store_then_hang")

_NUMBER = (int, float)
_KINDS: dict[str, type | tuple[type, ...]] = {
    "times": int,
    "latency_ms": _NUMBER,
    "fail_rate": _NUMBER,
    "status": int,
    "headers": dict,
    "hang_s": _NUMBER,
    "store": bool,
}
"""The JSON types of the keys that are not text."""


@dataclass(slots=True, kw_only=True)
class Fault:
    """One fault; what it does not say, it does not change.

    ``mode``: ``drop`` resets the connection without having done anything, ``hang`` answers nothing for ``hang_s`` and
    then drops; ``store_then_...`` does the same after the request was carried out; ``close`` answers as ever, with
    keep-alive, and closes the connection behind the answer. ``status``, ``body`` and ``headers`` are an answer of the
    fault's own, given instead of the vendor's, and ``says`` names one of the vendor's document (``SAYINGS`` below);
    with ``store`` the request is carried out all the same.
    """

    vendor: str = ""
    """Empty: every vendor."""
    path: str = ""
    """Only requests whose path holds this."""
    match: str = ""
    """Only requests whose body holds this."""
    times: int = 0
    """How often it strikes; 0: always."""
    latency_ms: float = 0
    fail_rate: float = 1.0
    """The chance of everything but the latency, 0 to 1."""
    status: int = 0
    body: str | None = None
    says: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    mode: str = ""
    hang_s: float = 60.0
    store: bool = False

    @classmethod
    def read(cls, given: Any, *, vendors: tuple[str, ...]) -> Self:
        """Read a fault from JSON values; raises ``ValueError`` with what is wrong."""
        if not isinstance(given, dict):
            raise ValueError("a fault is an object")  # noqa: TRY004  the caller knows one error
        known = {entry.name for entry in fields(cls)}
        if unknown := given.keys() - known:
            raise ValueError(f"unknown keys: {', '.join(sorted(unknown))}")
        for name, value in given.items():
            if not isinstance(value, _KINDS.get(name, str)):
                raise ValueError(f"{name} has the wrong type")  # noqa: TRY004  the caller knows one error
        fault = cls(**given)
        if fault.vendor and fault.vendor not in vendors:
            raise ValueError(f"unknown vendor {fault.vendor}")
        if fault.mode and fault.mode not in MODES:
            raise ValueError(f"unknown mode {fault.mode}; known are {', '.join(MODES)}")
        if fault.says and fault.says not in SAYINGS.get(fault.vendor, {}):
            raise ValueError(f"unknown answer {fault.says}; known are {', '.join(SAYINGS.get(fault.vendor, {}))}")
        if "fail_rate" in given and not fault.fails:
            fault.status = 503
        return fault

    @property
    def fails(self) -> bool:
        """Return whether it does more than delay."""
        return bool(self.status or self.mode or self.says or self.body is not None)

    @property
    def carries_out(self) -> bool:
        """Return whether the vendor does what it was asked before the fault shows."""
        return self.store or self.mode in {"close", "store_then_drop", "store_then_hang"}

    def concerns(self, vendor: str, path: str, body: bytes) -> bool:
        """Return whether a request is one of those it may strike."""
        return self.vendor in {"", vendor} and self.path in path and self.match.encode() in body

    def used_up(self) -> bool:
        """Count a strike; return whether it was the last."""
        if self.times == 0:
            return False
        self.times -= 1
        return self.times == 0

    def shown(self) -> dict[str, Any]:
        """Return the fault as JSON values."""
        return asdict(self)
