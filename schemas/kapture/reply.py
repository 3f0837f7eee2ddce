"""What Kapture says, in the two letter cases of its keys and with the message as text, list or object."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.call import Call
from schemas.reply import Reply, normal, normal_keys, texts_in

_PHONES = ("phone", "mobile", "additional phone")
_EMAILS = ("email", "email_id", "additional email")
_CUSTOMER_ID = frozenset({"kapture customer id", "kapture_customer_id"})
IDS = ("id", "kapture customer id", "kapture_customer_id", "customer_id", "customer id")
"""What a customer's number is called where customers are listed."""
_MISSING_COMMA = re.compile(r'"(\s*)"(?=\w+"\s*:)')
_TRAILING_COMMA = re.compile(r",(?=\s*[}\]])")


def repair(text: str) -> str:
    """Mend the success replies as the document prints them: ``};`` at the end, ``{ {`` at the start, a lost comma.

    And a comma too many, after the last customer of a select.
    """
    text = text.strip().removesuffix(";").rstrip()
    text = re.sub(r"^\{\s*\{", "{", text)
    return _TRAILING_COMMA.sub("", _MISSING_COMMA.sub(r'",\1"', text))


@dataclass(frozen=True, slots=True, kw_only=True)
class KaptureReply:
    """Kapture's status and words."""

    status: str
    """As compared: ``success``, ``fail``, ``failed``; empty when there is none."""
    words: tuple[str, ...]
    """The texts of the message, each as the vendor wrote it."""
    customer_id: str
    """The ``Kapture Customer Id``; empty when none was returned."""
    customers: tuple[dict[str, Any], ...] = field(repr=False)
    """The customers of a search or select."""


def parse_reply(reply: Reply) -> KaptureReply:
    """Read Kapture's words; nothing where there are none."""
    document = reply.document or {}
    found = [document.get(key) for key in ("message", "customer details", "customers", "customer")]
    items = [normal_keys(item) for value in found for item in _objects(value)]
    statuses = [_word(source.get("status")) for source in (document, *items)]
    return KaptureReply(
        status=next(filter(None, statuses), ""),
        words=tuple(_words(found, items) + texts_in(document.get("error"))),
        customer_id=next(filter(None, (_customer_id(source) for source in (document, *items))), ""),
        customers=tuple(filter(_is_customer, items)),
    )


def has_contact(reply: KaptureReply, *, phone: str, call: Call) -> bool:
    """Return whether a customer of the reply has a contact with the caller's number, however it is written there."""
    wanted = {digits_of(phone), call.caller_digits or "", call.caller_national or ""} - {""}
    return any(digits_of(number) in wanted for customer in reply.customers for number in phones_of(customer))


def phones_of(customer: Mapping[str, Any]) -> list[str]:
    """Return every number of a customer (normalised keys) and of its contacts, as Kapture writes them."""
    return _found(customer, _PHONES)


def emails_of(customer: Mapping[str, Any]) -> list[str]:
    """Return every e-mail address of a customer (normalised keys) and of its contacts."""
    return _found(customer, _EMAILS)


def digits_of(text: str) -> str:
    """Keep the digits of a number, for comparing two ways of writing it."""
    return "".join(character for character in text if character in "0123456789")


def _is_customer(item: dict[str, Any]) -> bool:
    """Return whether an object is a customer and not the words of an answer, which may name a number too."""
    if "contacts" in item or "id" in item:
        return True
    return not item.keys().isdisjoint(IDS) and "message" not in item and not item.keys() <= {"status", *IDS}


def _objects(value: Any) -> list[dict[str, Any]]:
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, dict)]


def _words(found: list[Any], items: list[dict[str, Any]]) -> list[str]:
    """Return the texts that are messages, not the fields of customers."""
    plain = [
        text for value in found for item in (value if isinstance(value, list) else [value]) for text in _text(item)
    ]
    return plain + [text for item in items for key in ("message", "error") for text in texts_in(item.get(key))]


def _text(value: Any) -> list[str]:
    return [value.strip()] if isinstance(value, str) and value.strip() else []


def _word(value: Any) -> str:
    return normal(value) if isinstance(value, str) else ""


def _customer_id(source: dict[str, Any]) -> str:
    for key, value in source.items():
        if key in _CUSTOMER_ID and isinstance(value, str | int) and not isinstance(value, bool):
            return str(value).strip()
    return ""


def _found(customer: Mapping[str, Any], names: tuple[str, ...]) -> list[str]:
    holders = [customer, *(normal_keys(contact) for contact in _objects(customer.get("contacts")))]
    return [str(holder[name]) for holder in holders for name in names if name in holder]
