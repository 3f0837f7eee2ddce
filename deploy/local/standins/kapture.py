"""Kapture's customers, after the document "Add Customer API" and its sisters.

Every verdict comes with 200, its words in either letter case, as the document has them. A customer is known by
``customer_id``, then ``customer_code``, then phone. That a contact names its customer by ``customer_id`` is our
reading.
"""

from collections import defaultdict
from typing import Any

from deploy.local.standins.kapture_views import customer_view, listed, window
from deploy.local.standins.store import Accounts, Record, Shelf
from deploy.local.standins.wire import Answer, Asked, Route, digits, text

_FIRST_CUSTOMER = 272_929  # the document's own customer_id, 272930, is the first one given
_ABSENT = "Information given by you does not exist in our sytsem."  # so spelled by the vendor
_IDENTITY = ("customer_id", "kapture_customer_id", "customer_code", "phone", "email_id", "email")


class Kapture:
    """Keeps customers and their contacts."""

    def __init__(self, *, shelf: Shelf, accounts: Accounts) -> None:
        self._shelf = shelf
        self._accounts = accounts
        self._by_code: dict[str, str] = {}
        self._by_phone: dict[str, str] = {}
        for record in shelf.records.values():  # what a journal kept
            if record.kind == "customer":
                self._index(record)

    @property
    def routes(self) -> list[Route]:
        """Return the paths served."""
        return [
            Route("POST", "/add-update-customer-from-other-source.html", self.add_update),
            Route("POST", "/search-customer-by-customer-id.html", self.search),
            Route("POST", "/select-customer-between-start-and-end-dates.html", self.select),
            Route("POST", "/add-more-contacts-for-existing-customer.html", self.add_contact),
        ]

    def add_update(self, asked: Asked) -> Answer:
        """Add a customer, or update the one that the request names."""
        if refusal := self._refused_key(asked, expired="Message Key Expired", invalid="Auth Key Invalid"):
            return refusal
        fields, _ = _one(asked)
        if fields is None:
            return _failed("Server error while processing this request")
        known = self._find(fields)
        if known:
            known.values |= {key: value for key, value in fields.items() if value is not None}
            return self._kept(known, "updated", {"message": "Customer Updated Successfully", "status": "success"})
        if not _has_mandatory(fields):
            return _failed("Mandatory field missing")
        customer_id = str(_FIRST_CUSTOMER + self._shelf.number())
        record = self._shelf.add(customer_id, record_id=customer_id, values=dict(fields), kind="customer")
        return self._kept(record, "added", {"Message": "Customer Added Successfully", "Status": "Success"})

    def search(self, asked: Asked) -> Answer:
        """Find a customer by id, code, phone (its contacts' too) or e-mail.

        An object is answered as the document shows, an array as the vendor's newer page does.
        """
        if refusal := self._refused_key(asked, expired="Auth Key Expired", invalid="Auth Key Invalid"):
            return refusal
        fields, as_array = _one(asked)
        if fields is None or not any(text(fields, name) for name in _IDENTITY):
            return _failed("Mandatory field missing")
        record = self._find(fields) or self._find_by_contact(fields)
        if record is None:
            return Answer({"Customer Details": _ABSENT, "status": "failed"})
        view = customer_view(record, self._contacts()[record.id])
        if as_array:
            return Answer({"Customer Details": view, "status": "success"})
        return Answer({"message": [view | {"status": "success"}]})

    def select(self, asked: Asked) -> Answer:
        """List the customers added in a window of at most 24 hours, 100 at a time unless ``limit`` says otherwise."""
        if refusal := self._refused_key(asked, expired="Auth Key Expired", invalid="Auth Key Invalid"):
            return refusal
        fields, _ = _one(asked)
        try:
            chosen = window(fields or {})
        except ValueError as error:
            return Answer({"message": str(error), "status": "failed"})
        customers = [record for record in self._shelf.records.values() if record.kind == "customer"]
        found = [record for record in customers if chosen.start_ms <= record.created_ms <= chosen.end_ms]
        page = found[chosen.offset : chosen.offset + chosen.limit]
        contacts = self._contacts()
        return Answer(listed([customer_view(record, contacts[record.id]) for record in page]))

    def add_contact(self, asked: Asked) -> Answer:
        """Add a contact to a customer; nothing keeps the same one from being added twice."""
        if refusal := self._refused_key(asked, expired="Auth Key Expired", invalid="Invalid Auth Key"):
            return refusal
        fields, _ = _one(asked)
        customer_id = text(fields or {}, "customer_id")
        if fields is None or not customer_id or not _has_mandatory(fields):
            return _failed("Mandatory field missing")
        if customer_id not in self._shelf.records:
            return _failed(_ABSENT)
        contact_id = f"contact-{self._shelf.number()}"
        record = self._shelf.add(
            contact_id, record_id=contact_id, values=dict(fields), kind="contact", account=customer_id
        )
        self._shelf.post(record, "added")
        return Answer({"Message": "Customer Added Successfully", "Status": "Success"})

    def _kept(self, record: Record, what: str, reply: dict[str, str]) -> Answer:
        self._shelf.post(record, what)
        self._index(record)
        return Answer(reply | {"Kapture Customer Id": record.id})

    def _index(self, record: Record) -> None:
        if code := text(record.values, "customer_code"):
            self._by_code[code] = record.id
        if phone := digits(text(record.values, "phone")):
            self._by_phone[phone] = record.id

    def _find(self, fields: dict[str, Any]) -> Record | None:
        code, phone = text(fields, "customer_code"), digits(text(fields, "phone"))
        for customer_id in (text(fields, "customer_id"), text(fields, "kapture_customer_id")):
            if (record := self._shelf.records.get(customer_id)) and record.kind == "customer":
                return record
        # An index may name a customer that was removed, or whose code or phone has changed since.
        record = self._shelf.records.get(self._by_code.get(code, "")) if code else None
        if record and text(record.values, "customer_code") == code:
            return record
        record = self._shelf.records.get(self._by_phone.get(phone, "")) if phone else None
        return record if record and digits(text(record.values, "phone")) == phone else None

    def _find_by_contact(self, fields: dict[str, Any]) -> Record | None:
        phone, email = digits(text(fields, "phone")), text(fields, "email_id") or text(fields, "email")
        for record in self._shelf.records.values():
            if (phone and digits(text(record.values, "phone")) == phone) or (
                email and text(record.values, "email") == email
            ):
                return record if record.kind == "customer" else self._shelf.records.get(record.account)
        return None

    def _contacts(self) -> defaultdict[str, list[Record]]:
        contacts: defaultdict[str, list[Record]] = defaultdict(list)
        for record in self._shelf.records.values():
            contacts[record.account].append(record)
        return contacts

    def _refused_key(self, asked: Asked, *, expired: str, invalid: str) -> Answer | None:
        scheme, _, key = asked.headers.get("Authorization", "").partition(" ")
        if scheme != "Basic" or key not in self._accounts.kapture_keys | self._accounts.kapture_expired_keys:
            return _failed(invalid)
        return _failed(expired) if key in self._accounts.kapture_expired_keys else None


def _failed(message: str) -> Answer:
    return Answer({"Message": message, "Status": "Fail"})


def _one(asked: Asked) -> tuple[dict[str, Any] | None, bool]:
    """Read an object, or an array of one object; say which it was."""
    try:
        value = asked.json()
    except ValueError:
        return None, False
    if isinstance(value, list):
        return (value[0], True) if len(value) == 1 and isinstance(value[0], dict) else (None, True)
    return (value, False) if isinstance(value, dict) else (None, False)


def _has_mandatory(fields: dict[str, Any]) -> bool:
    return bool(text(fields, "name") and digits(text(fields, "phone")) and "@" in text(fields, "email"))
