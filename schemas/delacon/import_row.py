"""A row of an import as spreadsheets and reports write it, made what Delacon's webhook would have said."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from schemas.delacon.call_keys import CALL_ID, CALLER
from schemas.delacon.events import Event
from schemas.delacon.report import SITE
from schemas.fields import read_epoch

STARTED = "PLA_CallStartTime"
DURATION = "PLA_Duration"
RECORDING = "PLA_RecordingFile"
DELACONS_DATE = "%d/%m/%Y %H:%M:%S"
_IDS = frozenset({"PLA_CID", "PLA_Dealer_ID"})
_NUMBERS = frozenset({CALLER, "PLA_Number_Dialed", "PLA_Answering_Point"})
WRITTEN_AS_NUMBERS = _IDS | _NUMBERS | {STARTED, DURATION}
"""The keys, beside the id, whose texts are read out of what a spreadsheet makes of a number or a date."""

_FORMULA = re.compile(r'=\s*"(.*)"', re.DOTALL)
_EXPONENT = re.compile(r"[+-]?\d+(?:[.,]\d*)?E[+-]?\d+", re.ASCII | re.IGNORECASE)
_NO_FRACTION = re.compile(r"([+-]?\d+)[.,]0+", re.ASCII)
_COMMAS = r"\d{1,3}(?:,\d{2,3})*,\d{3}"  # in India 11,22,334
_GROUPED_NUMBER = re.compile(rf"({_COMMAS}|\d{{1,3}}(?:['\u2019]\d{{3}})+)(?:\.0+)?", re.ASCII)
_GROUPED_ID = re.compile(
    rf"({_COMMAS}|\d{{1,3}}(?:(['\u2019 \u00a0\u202f])\d{{3}})(?:\2\d{{3}})*|\d{{1,3}}(?:\.\d{{3}}){{2,}})(?:[.,]0+)?",
    re.ASCII,
)
_ERROR = re.compile(r"#+|#(?:N/A|REF!|VALUE!|NAME\?|NUM!|DIV/0!|NULL!|ERROR!)", re.IGNORECASE)
_NOTHING = frozenset({"n/a", "na", "nan", "null", "none", "-", "--"})
_TOTAL = re.compile(
    r"(?:(?:grand|sub)?[ -]?totals?|sum|count|average|summary)(?: (?:calls|rows|records))?\s*[:=]?[\s\d.,]*",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"\d+", re.ASCII)
_HAS_TIME = re.compile(r"\d[T ]\d", re.IGNORECASE)
_AHEAD = timedelta(days=1)
_EARLIEST = datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC)  # from when on a start is plausible: 10 digits of seconds


class RefusedRow(Exception):
    """Raised for a row that would come in wrong; its text is for the operator and has nothing of the row in it."""


@dataclass(frozen=True, slots=True)
class ImportRows:
    """Reads rows; ``timezone`` and ``formats`` (of ``strptime``) are for dates that are neither epoch nor ISO 8601.

    ``now`` gives the present time: no call has started after it.
    """

    timezone: ZoneInfo | None
    formats: tuple[str, ...]
    now: Callable[[], datetime]

    def read(self, event: Event) -> Event:
        """Return the event as a webhook would have brought it; raises ``RefusedRow``."""
        call_id = read_id(event.call_id, CALL_ID)
        values = dict(event.values)
        for key in WRITTEN_AS_NUMBERS & values.keys():
            values[key] = self._read_value(key, values[key])
        if values.get(RECORDING, "").startswith("/"):
            values[RECORDING] = SITE + values[RECORDING]
        return Event(call_id, event.kind, {key: text for key, text in values.items() if text})

    def _read_value(self, key: str, text: str) -> str:
        if key == STARTED:
            moment = self.start_of(text)
            # As Delacon writes it, so that a report says the same as the webhook.
            return f"{(moment - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1):020}"
        if key in _IDS:
            return read_id(text, key)
        return _read_number(text, key)

    def start_of(self, text: str) -> datetime:
        """Read a date, in UTC; raises ``RefusedRow`` where it cannot be read, placed in a zone, or lies ahead."""
        text, number = plain(text), _read_number(text, STARTED)
        moment = read_epoch(number) if _DIGITS.fullmatch(number) else self._read_date(text)
        if moment is None:
            raise RefusedRow(f"{STARTED} is no date that can be read; [import] date_formats names further forms")
        if moment > self.now() + _AHEAD or moment < _EARLIEST:
            raise RefusedRow(f"{STARTED} lies in the future or before 2001: perhaps day and month are exchanged")
        return moment

    def _read_date(self, text: str) -> datetime | None:
        for read in (_read_iso, *(_reader_of(form) for form in self.formats)):
            try:
                moment = read(text)
            except (ValueError, OverflowError):
                continue
            try:
                return self._placed(moment).astimezone(UTC)
            except OverflowError:
                return None
        return None

    def _placed(self, moment: datetime) -> datetime:
        """Place a date without a zone; a time that a zone's clocks skip or show twice is no moment."""
        if moment.tzinfo is not None:
            return moment
        if self.timezone is None:
            raise RefusedRow(f"{STARTED} names no time zone; set [import] timezone")
        first, second = (moment.replace(tzinfo=self.timezone, fold=fold) for fold in (0, 1))
        if first.utcoffset() != second.utcoffset():
            skipped = first.astimezone(UTC).astimezone(self.timezone).replace(tzinfo=None) != moment
            how = "never" if skipped else "twice"
            raise RefusedRow(f"{STARTED} is a time that came {how} in {self.timezone.key}; write it with an offset")
        return first


def plain(text: str) -> str:
    """Take off what makes a spreadsheet keep a text as it is: ``="..."`` around it or ``'`` before it."""
    text = text.strip()
    if match := _FORMULA.fullmatch(text):
        text = match[1].replace('""', '"').strip()
    return text.removeprefix("'").strip()


def is_formula(text: str) -> bool:
    """Return whether a cell is a text in ``="..."``."""
    return _FORMULA.fullmatch(text.strip()) is not None


def read_id(text: str, key: str) -> str:
    """Return an id without what a spreadsheet adds to it; raises ``RefusedRow`` where it has lost digits or is none."""
    text = plain(text)
    _refuse_unwritten(text, key)
    if key == CALL_ID and (not text or text.casefold() in _NOTHING):
        raise RefusedRow(f"{key} is missing")
    if match := _GROUPED_ID.fullmatch(text):
        return "".join(_DIGITS.findall(match[1]))
    return _without_fraction(text)


def is_total(cells: Iterable[str]) -> bool:
    """Return whether a row sums up others: so begins its first cell that is not empty."""
    first = next((cell.strip() for cell in cells if cell.strip()), "")
    return _TOTAL.fullmatch(plain(first)) is not None


def _read_number(text: str, key: str) -> str:
    text = plain(text)
    _refuse_unwritten(text, key)
    if match := _GROUPED_NUMBER.fullmatch(text):
        return "".join(_DIGITS.findall(match[1]))
    return _without_fraction(text)


def _refuse_unwritten(text: str, key: str) -> None:
    if _EXPONENT.fullmatch(text):
        raise RefusedRow(f"{key} is in exponent form, so digits of it are lost")
    if _ERROR.fullmatch(text):
        raise RefusedRow(f"{key} is a spreadsheet's error and not a value")


def _without_fraction(text: str) -> str:
    match = _NO_FRACTION.fullmatch(text)
    return match[1] if match else text


def _read_iso(text: str) -> datetime:
    if not _HAS_TIME.search(text):
        raise ValueError("no time of day")
    return datetime.fromisoformat(text)


def _reader_of(form: str) -> Callable[[str], datetime]:
    return lambda text: datetime.strptime(text, form)  # noqa: DTZ007  its zone is the caller's business


def check_date_format(form: str) -> str:
    """Return a form of dates as ``strptime`` knows it; raises ``ValueError`` where it does not tell a minute."""
    sample = datetime(2026, 11, 25, 14, 35, tzinfo=UTC)
    try:
        read = datetime.strptime(sample.strftime(form), form)  # noqa: DTZ007
    except (ValueError, re.error):
        raise ValueError("must be a form of dates such as %d/%m/%Y %H:%M:%S") from None
    if "%Z" in form:
        raise ValueError("must not hold %Z: names of time zones are ambiguous; %z is an offset")
    if read.replace(tzinfo=UTC) != sample:
        raise ValueError("must give year, month, day, hour and minute, such as %d/%m/%Y %H:%M:%S")
    return form
