"""Phone numbers: what was written, read into E.164, bare digits, and national with the trunk prefix."""

from dataclasses import dataclass
from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberType

from schemas.phones import numbering_plan as plan
from schemas.phones.written_number import Written, read_written

MAX_TEXT = 250  # characters: what phonenumbers reads at most; it also bounds the memory of the cache
CACHED = 2048  # numbers; reading one afresh takes some 20 us, and a merge reads each more than once

_OF_NO_PERSON = {PhoneNumberType.TOLL_FREE, PhoneNumberType.SHARED_COST}


@dataclass(frozen=True, slots=True)
class Phone:
    """A phone number."""

    e164: str
    """``+61444444444``."""
    national: str
    """Digits only, with the trunk prefix: ``0444444444``, ``7702401011``, ``07840258823``."""
    country: str | None
    """Two letters; ``None`` for numbers of no country, such as ``+800``."""
    verified: bool = True
    """False: as long as a number of its country, and of no range that is known."""

    @property
    def digits(self) -> str:
        """Return the E.164 form without its plus sign."""
        return self.e164[1:]


@dataclass(frozen=True, slots=True)
class _Reading:
    phone: Phone | None
    old: str | None


def read_phone(text: str, *, default_region: str) -> Phone | None:
    """Read a number as a person, an exchange or a spreadsheet wrote it (contract, section 5).

    A number with + is that number. One without is read, in this order: as a valid number of ``default_region`` (two
    letters), whose international prefix and 00 both mean +; as a valid number once + is put before its digits; as a
    possible number of ``default_region`` with no zero left at the front of its national part, which is not verified.

    ``None`` when it is none of these, a placeholder (``anonymous``, or 266696687 on a keypad), or a number that a
    spreadsheet has spoilt (``4.9157E+08``).
    """
    return _read(text, default_region).phone if len(text) <= MAX_TEXT else None


def read_e164(text: str, *, default_region: str) -> str | None:
    """Return the E.164 form of what ``read_phone`` reads, at less than half its price; for long lists of numbers."""
    written = read_written(text) if len(text) <= MAX_TEXT else None
    if written is not None and written.plain:
        usual = plan.read_usual(written.digits, plus=written.plus, region=default_region)
        if usual is not None:
            return usual.e164
    phone = read_phone(text, default_region=default_region)
    return None if phone is None else phone.e164


def old_reading(text: str, *, default_region: str) -> str | None:
    """Return the E.164 form that versions until November 2026 (d2e3d6e) read in a text; ``None`` where they read none.

    Only for looking things up: suppressed numbers, memories of callers and follow-ups that those versions stored stand
    under it, and whoever erases a person or blocks a number means these too. Nothing is stored under it any more.
    ``None`` as well where it is a valid number and the text is another one: it is somebody else's then.
    """
    return _read(text, default_region).old if len(text) <= MAX_TEXT else None


@lru_cache(maxsize=CACHED)
def _read(text: str, default_region: str) -> _Reading:
    written = read_written(text)
    plain = written if written is not None and written.plain else None
    ordinary = None if plain is None else _ordinary(plain, default_region)
    if ordinary is not None:
        return _Reading(ordinary, ordinary.e164)  # as it has always been read
    phone: Phone | None = None
    while phone is None and written is not None:
        phone = _phone(written, default_region)
        written = written.otherwise
    if plain is not None and plain.plus and phone is not None and not phone.verified:
        return _Reading(phone, phone.e164)
    return _Reading(phone, _old_reading(text, default_region, phone))


def _ordinary(plain: Written, default_region: str) -> Phone | None:
    """Return a valid number in one of the forms that most calls have."""
    usual = plan.read_usual(plain.digits, plus=plain.plus, region=default_region)
    if usual is not None:
        return Phone(usual.e164, usual.national, _country(usual.region))
    number = plan.parse_ordinary(plain.digits, plus=plain.plus, region=default_region)
    region = None if number is None else plan.region_of(number)
    return None if number is None or region is None else _verified(number, region)


def _phone(written: Written, default_region: str) -> Phone | None:
    digits = written.digits
    if written.plus:
        valid = possible = [plan.parse_international(digits)]
    elif digits.startswith("00"):
        valid = possible = [plan.parse(digits, default_region), plan.parse_international(digits[2:])]
        if not plan.dials_abroad(digits, default_region):
            possible.reverse()
    else:
        own, plus = plan.parse(digits, default_region), plan.parse_international(digits)
        valid, possible = [own, plus], [own]
        if plus is not None and plus.country_code == plan.code_of(default_region):
            possible.insert(0, plus)  # its code stands there already
    for number in valid:
        region = None if number is None else plan.region_of(number)
        if number is not None and region is not None and _may_be_spelt(number, written):
            return _verified(number, region)
    for number in possible if written.whole else ():
        if number is not None and plan.is_possible(number) and not plan.begins_with_zero(number):
            return _unverified(number)
    return None


def _may_be_spelt(number: PhoneNumber, written: Written) -> bool:
    """Return whether a number may be written in letters, if it is: those of firms are, those of persons never."""
    return not written.spelt or phonenumbers.number_type(number) in _OF_NO_PERSON


def _verified(number: PhoneNumber, region: str) -> Phone:
    return Phone(plan.e164_of(number), plan.national_of(number), _country(region))


def _unverified(number: PhoneNumber) -> Phone:
    region = plan.likely_region_of(number)
    national = plan.trunk_prefix_of(number, region) + plan.national_of(number)
    return Phone(plan.e164_of(number), national, _country(region), verified=False)


def _country(region: str) -> str | None:
    return region if region.isalpha() and region != "ZZ" else None


def _old_reading(text: str, default_region: str, phone: Phone | None) -> str | None:
    number = plan.parse(text, default_region)
    if number is None or not plan.is_possible(number):
        return None
    e164 = plan.e164_of(number)
    return None if phone is not None and phone.e164 != e164 and plan.region_of(number) is not None else e164
