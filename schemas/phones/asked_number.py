"""A number that an operator names: how it is read, and under which other forms it may be stored."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from schemas.phones.numbering_plan import code_of
from schemas.phones.phone import Phone, old_reading, read_phone
from schemas.phones.written_number import read_written


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedNumber:
    """A number as it was written, and every E.164 form under which the same caller may be stored."""

    written: str = field(repr=False)
    phone: Phone | None = field(repr=False)
    """``None``: the text is no number today, but versions until November 2026 stored one for it."""
    numbers: frozenset[str] = field(repr=False)
    default_region: str

    @classmethod
    def read(cls, text: str, *, default_region: str, regions: Iterable[str] = ()) -> "AskedNumber":
        """Read a number as a caller's is read; raises ``ValueError`` when no version reads one.

        Where it is not a valid number of the default region, it is also read as one of ``regions`` (of destinations).
        """
        phone = read_phone(text, default_region=default_region)
        numbers = {phone.e164} if phone is not None else set()
        if old := old_reading(text, default_region=default_region):
            numbers.add(old)
        if not numbers:
            raise ValueError("is no possible phone number")
        if phone is None or not phone.verified:
            others = (read_phone(text, default_region=region) for region in regions)
            numbers.update(other.e164 for other in others if other is not None and other.verified)
        return cls(written=text.strip(), phone=phone, numbers=frozenset(numbers), default_region=default_region)

    @property
    def verified(self) -> bool:
        """Return whether it is a valid number, so that no other can be meant."""
        return self.phone is not None and self.phone.verified

    @property
    def is_anothers(self) -> bool:
        """Return whether it is no number, but earlier versions read somebody's number in it: 266696687 is ANONYMOUS."""
        if self.phone is not None:
            return False
        others = (read_phone(number, default_region=self.default_region) for number in self.numbers)
        return any(other is not None and other.verified for other in others)

    def found_in(self, text: str) -> frozenset[str]:
        """Return the E.164 forms that are stored for a caller whom Delacon wrote so; empty when it is another number.

        It is this number when either reading of both agrees, or the form that was written.
        """
        phone = read_phone(text, default_region=self.default_region)
        old = old_reading(text, default_region=self.default_region)
        forms = frozenset(form for form in (phone.e164 if phone else None, old) if form is not None)
        if not forms.isdisjoint(self.numbers):
            return forms
        written = None if self.verified else read_written(self.written)
        as_written = written is not None and not written.plus and phone is not None and phone.national == written.digits
        return forms if as_written else frozenset()

    def sentence(self) -> str:
        """Return a sentence that says how the number was read."""
        if self.phone is None:
            return f"{self.written} is no number; looking for what earlier versions stored as {', '.join(self._also())}"
        said = f"understood {self.written} as {self.phone.e164} ({self.phone.country or 'no country'})"
        if not self.phone.verified:
            said += ", which is of no known range"
        return f"{said}; looking for {' and '.join(self._also())} too" if self._also() else said

    def shape(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "written": self.written,
            "number": self.phone.e164 if self.phone else None,
            "country": self.phone.country if self.phone else None,
            "verified": self.verified,
            "also": self._also(),
        }

    def _also(self) -> list[str]:
        return sorted(self.numbers - {self.phone.e164 if self.phone else ""})


def likely_meant(number: str, *, default_region: str) -> str | None:
    """Return the number that an earlier version misread as ``number`` (E.164), where that is likely; else ``None``.

    Earlier versions misread 00 before a number, a number without its +, and a spreadsheet's ``.0``.
    """
    misread = read_phone(number, default_region=default_region)
    if misread is not None and misread.verified:
        return None
    country = f"+{code_of(default_region)}"
    if not number.startswith(country):
        return None
    national = number.removeprefix(country)
    texts = [f"0{national}", national]
    if national.endswith("0"):
        texts.append(f"{national[:-1]}.0")
    for text in texts:
        phone = read_phone(text, default_region=default_region)
        if phone is not None and phone.verified and old_reading(text, default_region=default_region) == number:
            return phone.e164
    return None
