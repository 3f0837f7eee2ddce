"""Delacon's merged keys, read into the call: the marshmallow schema of the keys, and what replaces a bad one."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from marshmallow import EXCLUDE, Schema

from schemas.call import Call
from schemas.fields import Parsed, read_duration, read_epoch, read_result
from schemas.phones.phone import old_reading, read_phone
from schemas.phones.written_number import mask_digits

CALL_ID = "PLA_Call_Id"
CALLER = "PLA_Caller_Phone_Number"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_AHEAD = timedelta(days=1)  # how far a call may start after our receipt of it, for clocks that run ahead
_EARLIEST_US, _LATEST_US = 0, 4_102_444_800_000_000  # 1970 to 2100: no receipt lies outside
_QUERY_NAMES = frozenset({"gclid", "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"})


class CallKeys(Schema):
    """The documented keys of Delacon's Live Call Data Push ("Data fields"), by canonical name."""

    class Meta:
        """Leave keys that the document does not name to ``Call.raw``."""

        unknown = EXCLUDE

    service_id = Parsed(str, data_key="PLA_CID")
    service_name = Parsed(str, data_key="PLA_Dealer_Name")
    service_category = Parsed(str, data_key="PLA_Dealer_Category")
    dealer_id = Parsed(str, data_key="PLA_Dealer_ID")
    caller = Parsed(str, data_key=CALLER)
    exchange = Parsed(str, data_key="PLA_Exchange")
    city = Parsed(str, data_key="PLA_City")
    state = Parsed(str, data_key="PLA_State")
    tracking_number = Parsed(str, data_key="PLA_Number_Dialed")
    search_engine = Parsed(str, data_key="PLA_Search_Engine_Used")
    search_type = Parsed(str, data_key="PLA_Search_Type")
    keywords = Parsed(str, data_key="PLA_Keywords_Searched")
    referrer = Parsed(str, data_key="PLA_URL")
    session_id = Parsed(str, data_key="PLA_SESSID")
    ga_client_id = Parsed(str, data_key="PLA_UAID")
    started_at = Parsed(read_epoch, data_key="PLA_CallStartTime")
    landing_page = Parsed(str, data_key="PLA_Landing_Page")
    page_called_from = Parsed(str, data_key="PLA_Page_Called_From")
    extra_tracking = Parsed(str, data_key="PLA_ExtraTracking")
    answering_point = Parsed(str, data_key="PLA_Answering_Point")
    result = Parsed(read_result, data_key="PLA_CallResult")
    duration = Parsed(read_duration, data_key="PLA_Duration")
    voicemail_left = Parsed(str, data_key="PLA_VoicemailLeft")
    survey_outcome = Parsed(str, data_key="PLA_SurveyOutcome")
    survey_sale_amount = Parsed(str, data_key="PLA_SurveySaleAmount")
    converted = Parsed(str, data_key="PLA_Converted")
    ivr_option = Parsed(str, data_key="PLA_dtmf")
    recording_url = Parsed(str, data_key="PLA_RecordingFile")


_PLAN: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    str(one.data_key): (name, one.read) for name, one in CallKeys().load_fields.items() if isinstance(one, Parsed)
}
"""What ``CallKeys`` makes of each key, without marshmallow's machinery around it: 9 us of CPU a call instead of 70."""
_PLAIN: Mapping[str, str] = {key: name for key, (name, read) in _PLAN.items() if read is str}
"""The keys whose text is their value."""
DOCUMENTED_KEYS = frozenset(_PLAN)
FALLIBLE_KEYS = frozenset({CALLER, "PLA_CallStartTime", "PLA_Duration"})
"""The keys whose text may be unreadable."""


def load_keys(values: Mapping[str, str]) -> tuple[dict[str, Any], set[str]]:
    """Load what ``CallKeys(partial=True).load`` would, and return the keys that it would refuse."""
    loaded: dict[str, Any] = {}
    unreadable: set[str] = set()
    for key, text in values.items():
        if key in _PLAIN:
            loaded[_PLAIN[key]] = text
        elif key in _PLAN:
            name, read = _PLAN[key]
            value = read(text)
            if value is None:
                unreadable.add(key)
            else:
                loaded[name] = value
    return loaded, unreadable


def is_readable(key: str, text: str, *, default_region: str, first_received_us: int) -> bool:
    """Return whether the call has a value of this text; one that cannot be read never replaces one that can."""
    if key == CALLER:
        return read_phone(text, default_region=default_region) is not None
    if key not in _PLAN:
        return True
    value = _PLAN[key][1](text)
    return value is not None and not (isinstance(value, datetime) and value > _latest_start(first_received_us))


def _latest_start(first_received_us: int) -> datetime:
    """Return until when a start is plausible."""
    return _moment(first_received_us) + _LATEST_AHEAD


def _moment(us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=min(max(us, _EARLIEST_US), _LATEST_US))


def name_of_key(key: str) -> str:
    """Return the canonical name of one of Delacon's keys; a key that the document does not name stays as it is."""
    return "call_id" if key == CALL_ID else _PLAN[key][0] if key in _PLAN else key


def adds_nothing(key: str, text: str, held: str, *, default_region: str) -> bool:
    """Return whether a text adds nothing to the one that a call holds: it is the same, less exact, or unreadable.

    ``50`` is ``50s``, ``0491570156`` is ``+61491570156``, and a start in whole seconds is one that tells milliseconds.
    """
    if key == CALLER:
        read, known = (read_phone(one, default_region=default_region) for one in (text, held))
        return known is not None and (read is None or read.e164 == known.e164)
    if key not in _PLAN:
        return text == held
    value, known_value = (_PLAN[key][1](one) for one in (text, held))
    if known_value is None or value is None:
        return value is None and (known_value is not None or text == held)
    if isinstance(known_value, datetime) and not value.microsecond:
        known_value = known_value.replace(microsecond=0)
    return bool(value == known_value)


def load_call(call_id: str, values: Mapping[str, str], *, first_received_us: int, default_region: str) -> Call:
    """Return the call of its merged keys; leave out and note what cannot be read. Never raises.

    A start time is plausible from 2001 (when epoch seconds grew to 10 digits) until a day after the receipt; any other
    is replaced by ``first_received_us``, in epoch microseconds.
    """
    loaded, unreadable = load_keys(values)
    notes = ["duration unreadable"] if "PLA_Duration" in unreadable else []
    started_at = loaded.get("started_at")
    if started_at is None or started_at > _latest_start(first_received_us):
        loaded["started_at"] = _moment(first_received_us)
        notes.append("started_at replaced by the receipt")
    if caller := loaded.pop("caller", None):
        phone = read_phone(caller, default_region=default_region)
        old = old_reading(caller, default_region=default_region)
        if phone is None:
            notes.append(f"caller is no possible number: {mask_digits(caller)}")
        else:
            if not phone.verified:
                notes.append("caller not verified")
            loaded["caller"] = phone.e164
            loaded["caller_digits"] = phone.digits
            loaded["caller_national"] = phone.national
            loaded["country"] = phone.country
        if old is not None and old != loaded.get("caller"):
            loaded["old_caller"] = old
    if landing_page := loaded.get("landing_page"):
        loaded.update(_campaign(landing_page))
    if recording := loaded.get("recording_url"):
        loaded["recording_player_url"] = player_url(recording)
    return Call(call_id=call_id, raw={CALL_ID: call_id, **values}, notes=tuple(notes), **loaded)


def player_url(url: str) -> str:
    """Return a recording's address for an audio player: with ``mode=direct`` (the document's note on recordings)."""
    address, hash_sign, fragment = url.partition("#")
    path, _, query = address.partition("?")
    kept = [part for part in query.split("&") if part and part != "mode" and not part.startswith("mode=")]
    return f"{path}?{'&'.join([*kept, 'mode=direct'])}{hash_sign}{fragment}"


def _campaign(url: str) -> dict[str, str]:
    """Return the gclid and utm values of a URL's query; of a doubled name the first value stands."""
    query = url.partition("#")[0].partition("?")[2]
    found: dict[str, str] = {}
    for name, value in parse_qsl(query, errors="replace"):
        name_wanted, text = name.lower(), value.strip()
        if name_wanted in _QUERY_NAMES and text:
            found.setdefault(name_wanted, text)
    return found
