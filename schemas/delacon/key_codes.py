"""The names of a stored event's keys, written short: half of a start event of Delacon's document is names of keys."""

from collections.abc import Mapping

# What is stored is read by later versions: a letter keeps its meaning for good, and new keys take new letters.
_NAMES = {
    "a": "PLA_CID",
    "b": "PLA_Dealer_Name",
    "c": "PLA_Dealer_Category",
    "d": "PLA_Dealer_ID",
    "e": "PLA_Caller_Phone_Number",
    "f": "PLA_Exchange",
    "g": "PLA_City",
    "h": "PLA_State",
    "i": "PLA_Number_Dialed",
    "j": "PLA_Search_Engine_Used",
    "k": "PLA_Search_Type",
    "l": "PLA_Keywords_Searched",
    "m": "PLA_URL",
    "n": "PLA_SESSID",
    "o": "PLA_UAID",
    "p": "PLA_CallStartTime",
    "q": "PLA_Landing_Page",
    "r": "PLA_Page_Called_From",
    "s": "PLA_ExtraTracking",
    "t": "PLA_Answering_Point",
    "u": "PLA_CallResult",
    "v": "PLA_Duration",
    "w": "PLA_VoicemailLeft",
    "x": "PLA_SurveyOutcome",
    "y": "PLA_SurveySaleAmount",
    "z": "PLA_Converted",
    "A": "PLA_dtmf",
    "B": "PLA_RecordingFile",
}
_LETTERS = {name: letter for letter, name in _NAMES.items()}


def pack(values: Mapping[str, str]) -> dict[str, str]:
    """Write the documented keys as one letter each; another key stays, behind a dot where it could be mistaken."""
    try:
        return {_LETTERS[key]: value for key, value in values.items()}
    except KeyError:
        return {_LETTERS.get(key) or _escape(key): value for key, value in values.items()}


def unpack(values: Mapping[str, str]) -> dict[str, str]:
    """Return what ``pack`` was given."""
    return {_NAMES.get(key) or key.removeprefix("."): value for key, value in values.items()}


def _escape(key: str) -> str:
    return f".{key}" if len(key) <= 1 or key[0] == "." else key
