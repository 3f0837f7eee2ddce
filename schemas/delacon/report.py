"""The columns of Delacon's own reports, by the key of the webhook that says the same.

The call report (support.delaconcorp.com 360035651453, with showrowid, showcid and showrecurl) and the billing report
(900006753223). ``Inbound Time(sec)`` and the charges are in no webhook, so they are left out.
"""

import re
from collections.abc import Mapping

from schemas.delacon.call_keys import CALL_ID, CALLER

_NO_LETTER = re.compile(r"[\W_]+")
_COLUMNS: Mapping[str, str] = {
    "callid": CALL_ID,
    "rowid": CALL_ID,
    "pkeyin": CALL_ID,
    "cid": "PLA_CID",
    "serviceid": "PLA_CID",
    "dialfrom": CALLER,
    "incomingcallnumber": CALLER,
    "exchange": "PLA_Exchange",
    "city": "PLA_City",
    "state": "PLA_State",
    "1300": "PLA_Number_Dialed",
    "1300no": "PLA_Number_Dialed",
    "transferred": "PLA_Answering_Point",
    "transferredno": "PLA_Answering_Point",
    "datetime": "PLA_CallStartTime",
    "result": "PLA_CallResult",
    "dealer": "PLA_Dealer_ID",
    "dealerid": "PLA_Dealer_ID",
    "businessname": "PLA_Dealer_Name",
    "dealername": "PLA_Dealer_Name",
    "businesscategory": "PLA_Dealer_Category",
    "dealercategory": "PLA_Dealer_Category",
    "timesec": "PLA_Duration",
    "voicemailleft": "PLA_VoicemailLeft",
    "converted": "PLA_Converted",
    "searchengine": "PLA_Search_Engine_Used",
    "type": "PLA_Search_Type",
    "keyword": "PLA_Keywords_Searched",
    "keywords": "PLA_Keywords_Searched",
    "referral": "PLA_URL",
    "landingpage": "PLA_Landing_Page",
    "extratracking": "PLA_ExtraTracking",
    "surveyoutcome": "PLA_SurveyOutcome",
    "surveysalesamount": "PLA_SurveySaleAmount",
    "recurl": "PLA_RecordingFile",
    "recordingurl": "PLA_RecordingFile",
}

SITE = "https://pla.delaconcorp.com"
"""Before the recording's path, which the report gives without it."""


def key_of_column(header: str) -> str:
    """Return the webhook's key of a report's column, whatever its case, blanks and signs; else empty text."""
    return _COLUMNS.get(_NO_LETTER.sub("", header).casefold(), "")
