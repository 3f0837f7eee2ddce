"""The call: the record that the whole code speaks of."""

from collections.abc import Mapping
from dataclasses import field, fields
from datetime import UTC, datetime
from operator import attrgetter

from schemas.record import record

MISSED = frozenset({"unanswered", "busy"})
"""The results of a call that nobody answered."""


@record
class Call:
    """One phone call, merged from Delacon's events (contract, section 5).

    Every text is trimmed and never empty: what Delacon left out is ``None``.
    ``caller`` is E.164, ``duration`` whole seconds, ``started_at`` aware UTC.
    """

    call_id: str
    service_id: str | None = None
    service_name: str | None = None
    service_category: str | None = None
    dealer_id: str | None = None
    caller: str | None = None
    caller_digits: str | None = None
    caller_national: str | None = None
    country: str | None = None
    exchange: str | None = None
    city: str | None = None
    state: str | None = None
    tracking_number: str | None = None
    search_engine: str | None = None
    search_type: str | None = None
    keywords: str | None = None
    referrer: str | None = None
    session_id: str | None = None
    ga_client_id: str | None = None
    started_at: datetime
    landing_page: str | None = None
    page_called_from: str | None = None
    extra_tracking: str | None = None
    answering_point: str | None = None
    result: str | None = None
    duration: int | None = None
    voicemail_left: str | None = None
    survey_outcome: str | None = None
    survey_sale_amount: str | None = None
    converted: str | None = None
    ivr_option: str | None = None
    recording_url: str | None = None
    recording_player_url: str | None = None
    """``recording_url`` in the form that an audio player wants."""
    gclid: str | None = None
    utm_source: str | None = None
    utm_medium: str | None = None
    utm_campaign: str | None = None
    utm_term: str | None = None
    utm_content: str | None = None
    first_call: str | None = None
    """``yes`` for a caller of whom the ledger remembered no earlier call, else ``no``; the events do not tell it."""
    old_caller: str | None = field(default=None, repr=False)
    """The number that versions until November 2026 read for this caller, where it differs; only look-ups use it."""
    raw: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Every key of the merged events as Delacon sent it, trimmed, ``PLA_Call_Id`` included."""
    notes: tuple[str, ...] = ()
    """What was odd about the input, such as ``started_at replaced by the receipt``; no numbers in it."""

    def text(self, name: str) -> str:
        """Return one canonical field, or a raw ``PLA_*`` key, as text; absent is empty text."""
        value = getattr(self, name) if name in _CANONICAL else self.raw.get(name)
        if isinstance(value, str):
            return value
        if value is None:
            return ""
        return iso_utc(value) if isinstance(value, datetime) else str(value)

    def canonical(self) -> dict[str, str | int]:
        """Return the non-empty canonical fields as JSON values, in the contract's order."""
        found = zip(CANONICAL, _values_of(self), strict=True)
        return {name: value for name, value in found if value is not None} | {"started_at": iso_utc(self.started_at)}


CANONICAL: tuple[str, ...] = tuple(f.name for f in fields(Call) if f.name not in {"raw", "notes", "old_caller"})
_CANONICAL = frozenset(CANONICAL)
_values_of = attrgetter(*CANONICAL)


def iso_utc(moment: datetime) -> str:
    """Write a moment as ISO 8601 UTC with milliseconds, such as ``2019-05-02T00:12:17.003Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
