"""What Delacon pushes, at the sizes it has in the field: starts of 900 bytes, ends of 350."""

from schemas.delacon.events import read_event
from tests.acceptance.stack import TOKEN

START_BYTES, END_BYTES = 900, 350
_START = (
    b'{"PLA_Call_Id":"%b","PLA_Caller_Phone_Number":"+614%b","PLA_Exchange":"Sydney","PLA_City":"Parramatta",'
    b'"PLA_State":"NSW","PLA_Number_Dialed":"0288889999","PLA_Dealer_ID":"D-1042",'
    b'"PLA_Dealer_Name":"Smith & Sons Injury Lawyers","PLA_Dealer_Category":"Legal","PLA_Search_Engine_Used":"google",'
    b'"PLA_Search_Type":"Paid","PLA_Keywords_Searched":"injury lawyer parramatta",'
    b'"PLA_URL":"https://www.google.com/search","PLA_CID":"123","PLA_SESSID":"Cuei212417iiyskskiidfsikks",'
    b'"PLA_UAID":"123456.4567","PLA_CallStartTime":"0000000%b",'
    b'"PLA_Landing_Page":"https://www.example.com/injury?gclid=C152ddsa12213123132&utm_source=google&utm_medium=cpc",'
    b'"PLA_Page_Called_From":"https://www.example.com/contact-us?%b"}'
)
_END = (
    b'{"PLA_Call_Id":"%b","PLA_CID":"123","PLA_Answering_Point":"029898989","PLA_CallResult":"Answered",'
    b'"PLA_Duration":"50s","PLA_VoicemailLeft":"No","PLA_SurveyOutcome":"Sale","PLA_SurveySaleAmount":"100",'
    b'"PLA_Converted":"Y","PLA_dtmf":"1","PLA_RecordingFile":"https://recordings.example.com/%b.wav"%b}'
)
_STARTED_MS = b"1772452800000"


def id_of(number: int) -> bytes:
    """Return a call's id; all have one length, as Delacon's have."""
    return b"%09d" % (100_000_000 + number)


def start_of(number: int) -> bytes:
    """Return the start of call ``number``; its caller is ``+614`` and the number in eight digits."""
    parts = (id_of(number), b"%08d" % number, _STARTED_MS)
    padding = START_BYTES - len(_START % (*parts, b""))
    return _START % (*parts, b"p" * padding)


def end_of(number: int, *, comma: bool) -> bytes:
    """Return the end of a call, with the comma before the brace that Delacon's document has, or without."""
    tail = b"," if comma else b""
    padding = END_BYTES - len(_END % (id_of(number), b"", tail))
    return _END % (id_of(number), b"r" * padding, tail)


def complete_of(number: int) -> bytes:
    """Return start and end in one body, as ``/services/calldata`` takes them."""
    return start_of(number)[:-1] + b"," + end_of(number, comma=False)[1:]


def records_of(number: int) -> tuple[str, str]:
    """Return both events as the receiver would store them."""
    start = read_event(start_of(number), path_kind="create")
    end = read_event(end_of(number, comma=False), path_kind="update")
    return start.record(), end.record()


def request_of(path: str, body: bytes) -> bytes:
    """Return a whole HTTP request for the load driver to write as it stands."""
    target = f"{path}?token={TOKEN}"
    head = (
        f"POST {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nUser-Agent: delacon\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
