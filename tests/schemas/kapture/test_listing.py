"""A customer of Kapture's lists, in the editions that are known."""

import pytest

from schemas.kapture.listing import Customer
from schemas.reply import normal_keys

DOCUMENT = {
    "id": 286829, "name": "Nikesh", "city": "bangalore", "generationDate": "Mar 3, 2016 1:38:59 PM",
    "contacts": [
        {"id": 365384, "contactPerson ": "nikesh", "phone": "999999911", "email": "help@kapturecrm.com"},
        {"id": 365448, "contactPerson": "nikesh", "phone": "8867148604", "email": "test@kapturecrm.com"},
        {"id": 365449, "phone": "8867148604", "email": ""},
    ],
}  # fmt: skip


def test_the_documents_customer_is_read():
    """The numbers and addresses are those of its contacts, each once."""
    customer = Customer.read(normal_keys(DOCUMENT))

    assert ("286829", "Nikesh", "Mar 3, 2016 1:38:59 PM") == (customer.customer_id, customer.name, customer.created)
    assert ("999999911", "8867148604") == customer.phones
    assert ("help@kapturecrm.com", "test@kapturecrm.com") == customer.emails
    assert "" == customer.code


@pytest.mark.parametrize("key", ["customerCode", "customer_code", "Customer Code"])
def test_the_code_is_found_under_every_name(key):
    """The document requests customer_code; the newer page answers customerCode."""
    assert "61491570156" == Customer.read(normal_keys({"id": 1, key: 61491570156})).code


def test_numbers_are_compared_by_their_digits():
    """However they are written."""
    customer = Customer.read({"id": True, "phone": "+61 491-570-156", "contacts": [{"Mobile": "(02) 5550 1234"}, "x"]})

    assert {"61491570156", "0255501234"} == customer.numbers
    assert "" == customer.customer_id
