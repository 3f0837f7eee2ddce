"""From Delacon's merged keys to the call: the marshmallow schema of a call's keys, and what stands where one is bad."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from marshmallow import EXCLUDE, Schema, ValidationError, fields

from schemas.call import Call
from schemas.fields import Duration, EpochMoment, Text
from schemas.phone import read_phone

CALL_ID = "PLA_Call_Id"
CALLER = "PLA_Caller_Phone_Number"
_LATEST_AHEAD = timedelta(days=1)  # how far a call may start after our receipt of it, for clocks that run ahead
_EARLIEST_US, _LATEST_US = 0, 4_102_444_800_000_000  # 1970 to 2100: no receipt lies outside
_QUERY_NAMES = frozenset({"gclid", "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"})
_RESULTS = {
    "no answer": "unanswered",
    "no-answer": "unanswered",
    "noanswer": "unanswered",
    "not answered": "unanswered",
    "missed": "unanswered",
    "busy tone": "busy",
}


class Result(fields.Field[str]):
    """``answered``, ``unanswered``, ``busy``, or the raw text in lower case."""

    def _deserialize(self, value: Any, _attr: str | None, _data: Mapping[str, Any] | None, **_kwargs: Any) -> str:
        text = str(value).lower()
        return _RESULTS.get(text, text)


class CallKeys(Schema):
    """The documented keys of Delacon's Live Call Data Push ("Data fields"), by canonical name."""

    class Meta:
        """Leave keys that the document does not name to ``Call.raw``."""

        unknown = EXCLUDE

    service_id = Text(data_key="PLA_CID")
    service_name = Text(data_key="PLA_Dealer_Name")
    service_category = Text(data_key="PLA_Dealer_Category")
    dealer_id = Text(data_key="PLA_Dealer_ID")
    caller = Text(data_key=CALLER)
    exchange = Text(data_key="PLA_Exchange")
    city = Text(data_key="PLA_City")
    state = Text(data_key="PLA_State")
    tracking_number = Text(data_key="PLA_Number_Dialed")
    search_engine = Text(data_key="PLA_Search_Engine_Used")
    search_type = Text(data_key="PLA_Search_Type")
    keywords = Text(data_key="PLA_Keywords_Searched")
    referrer = Text(data_key="PLA_URL")
    session_id = Text(data_key="PLA_SESSID")
    ga_client_id = Text(data_key="PLA_UAID")
    started_at = EpochMoment(data_key="PLA_CallStartTime")
    landing_page = Text(data_key="PLA_Landing_Page")
    page_called_from = Text(data_key="PLA_Page_Called_From")
    extra_tracking = Text(data_key="PLA_ExtraTracking")
    answering_point = Text(data_key="PLA_Answering_Point")
    result = Result(data_key="PLA_CallResult")
    duration = Duration(data_key="PLA_Duration")
    voicemail_left = Text(data_key="PLA_VoicemailLeft")
    survey_outcome = Text(data_key="PLA_SurveyOutcome")
    survey_sale_amount = Text(data_key="PLA_SurveySaleAmount")
    converted = Text(data_key="PLA_Converted")
    ivr_option = Text(data_key="PLA_dtmf")
    recording_url = Text(data_key="PLA_RecordingFile")


_SCHEMA = CallKeys()
DOCUMENTED_KEYS = frozenset(str(one.data_key) for one in _SCHEMA.load_fields.values())


def load_call(call_id: str, values: Mapping[str, str], *, first_received_us: int, default_region: str) -> Call:
    """Make the call of its merged keys; what cannot be read is left out and noted, so nothing is ever raised.

    A start time is plausible from 2001 (when epoch seconds grew to 10 digits) until a day after the receipt; any other
    is replaced by ``first_received_us``, in epoch microseconds.
    """
    notes: list[str] = []
    try:
        loaded = _SCHEMA.load(values)
    except ValidationError as error:
        loaded = error.valid_data
        if "PLA_Duration" in error.normalized_messages():
            notes.append("duration unreadable")
    received = datetime.fromtimestamp(min(max(first_received_us, _EARLIEST_US), _LATEST_US) / 1_000_000, tz=UTC)
    started_at = loaded.get("started_at")
    if started_at is None or started_at > received + _LATEST_AHEAD:
        loaded["started_at"] = received
        notes.append("started_at replaced by the receipt")
    if caller := loaded.pop("caller", None):
        phone = read_phone(caller, default_region=default_region)
        if phone is None:
            notes.append("caller is no possible number")
        else:
            loaded["caller"] = phone.e164
            loaded["caller_digits"] = phone.digits
            loaded["caller_national"] = phone.national
            loaded["country"] = phone.country
    if landing_page := loaded.get("landing_page"):
        loaded.update(_campaign(landing_page))
    return Call(call_id=call_id, raw={CALL_ID: call_id, **values}, notes=tuple(notes), **loaded)


def _campaign(url: str) -> dict[str, str]:
    """Give the gclid and utm values of a URL's query; of a doubled name the first value stands."""
    query = url.partition("#")[0].partition("?")[2]
    found: dict[str, str] = {}
    for name, value in parse_qsl(query, errors="replace"):
        name_wanted, text = name.lower(), value.strip()
        if name_wanted in _QUERY_NAMES and text:
            found.setdefault(name_wanted, text)
    return found
