"""The taxonomy of delivery errors: a class per decision, a reason per cause."""


class DeliveryError(Exception):
    """An attempt did not end in a receipt.

    ``reason`` is a stable snake_case code for logs, metrics and dead letters; ``detail`` is the vendor's words,
    redacted by whoever raises and cut at 2,048 characters.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail[:2048]


class Transient(DeliveryError):
    """Raised when trying again later may help.

    ``retry_after`` is the vendor's Retry-After header as it stood, which ``worker.backoff.parse_retry_after`` reads
    (a date needs the present moment); ``unknown`` says that the request may have reached it; ``exhausted_as`` is the
    dead letter's reason after the last wait; ``counts`` whether the circuit counts it.
    """

    def __init__(
        self,
        reason: str,
        detail: str = "",
        *,
        retry_after: str = "",
        unknown: bool = False,
        exhausted_as: str = "exhausted",
        counts: bool = True,
    ) -> None:
        super().__init__(reason, detail)
        self.retry_after = retry_after
        self.unknown = unknown
        self.exhausted_as = exhausted_as
        self.counts = counts


class Permanent(DeliveryError):
    """Raised when the vendor refuses this call whatever we do."""


class Blocked(DeliveryError):
    """Raised when the destination refuses us: it waits for a human and its deliveries are held.

    ``confirm``: only a second delivery's refusal proves it. ``probe``: whether a probe may find it open again.
    ``dead``: the refused delivery itself is given up, because the vendor saved it.
    """

    def __init__(
        self, reason: str, detail: str = "", *, confirm: bool = False, probe: bool = True, dead: bool = False
    ) -> None:
        super().__init__(reason, detail)
        self.confirm = confirm
        self.probe = probe
        self.dead = dead


class Skipped(DeliveryError):
    """Raised when the call lacks what the vendor requires."""


class SettingsError(Exception):
    """Raised at start only; lists every fault of the configuration, each with its place."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class UnreadableError(ValueError):
    """Raised when a record of the ledger is of a form that this version does not know; its text says which part."""
