"""Kapture's options, pages and bodies."""

import pytest
from marshmallow import ValidationError

from schemas.kapture.customer import PAGES, SPEC, fill_contact, fill_customer, page_request, update_of
from tests.destinations import make_destination

TABLE = {"auth_key": "k" * 20, "email": "{caller_digits}@calls.example.com"}
CONTACT = {"mode": "contact", "customer_id": "272930"}


def faults_of(table):
    """Return the faults of a table of Kapture's own keys."""
    with pytest.raises(ValidationError) as caught:
        SPEC.options().load(table)
    return caught.value.messages


def test_the_smallest_table_has_the_documented_defaults():
    """Customers, as an object, when the call has ended."""
    options = SPEC.options().load(TABLE)

    assert ("object", "customer", "end", None) == (options.body, options.mode, options.when, options.customer_id)


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        ({"auth_key": None}, {"auth_key": ["is required, or auth_keys with a key for each operation"]}),
        (
            {"email": None, "auth_key": None, "mode": "contact"},
            {
                "email": ["is required"],
                "auth_key": ["is required, or auth_keys with a key for each operation"],
                "customer_id": ['is required with mode = "contact"'],
            },
        ),
        ({"auth_keys": {"add": "a", "update": "b"}}, {"auth_keys": ["set auth_key or auth_keys, not both"]}),
        ({"auth_key": None, "auth_keys": {"add": "a"}}, {"auth_keys": ["lacks update, which this mode needs"]}),
        (
            {"auth_key": None, "auth_keys": {"add": "a"}, **CONTACT},
            {"auth_keys": ["lacks contact and search, which this mode needs"]},
        ),
        (
            {"auth_key": None, "auth_keys": {"add": "a", "update": "b", "delete": "c"}},
            {"auth_keys": {"delete": ["unknown operation; must be one of add, update, search, select, contact"]}},
        ),
        ({"auth_key": None, "auth_keys": "key"}, {"auth_keys": {"_schema": ["must be a table of keys"]}}),
        ({"auth_key": "a b"}, {"auth_key": ["must be visible ASCII characters without blanks"]}),
        ({"mode": "lead"}, {"mode": ["must be 'customer' or 'contact'"]}),
        ({"mode": ["customer"]}, {"mode": ["must be 'customer' or 'contact'"]}),
        ({"body": "list"}, {"body": ["must be 'object' or 'array'"]}),
        ({"when": "now"}, {"when": ["must be 'end' or 'start'"]}),
        ({"mode": "contact"}, {"customer_id": ['is required with mode = "contact"']}),
        ({"customer_id": "1"}, {"customer_id": ['goes only with mode = "contact"']}),
    ],
)
def test_a_fault_says_what_would_be_right(changes, faults):
    """Each broken rule is reported at its key."""
    table = {key: value for key, value in {**TABLE, **changes}.items() if value is not None}

    assert faults == faults_of(table)


@pytest.mark.parametrize(
    ("operation", "page"),
    [
        ("add", "add-update-customer-from-other-source.html"),
        ("update", "add-update-customer-from-other-source.html"),
        ("search", "search-customer-by-customer-id.html"),
        ("select", "select-customer-between-start-and-end-dates.html"),
        ("contact", "add-more-contacts-for-existing-customer.html"),
    ],
)
def test_every_operation_has_its_page_and_its_key(operation, page):
    """The document generates a key for each API."""
    keys = {name: f"key-of-{name}" for name in PAGES}
    destination = make_destination(SPEC, {"auth_key": None, "auth_keys": keys})
    request = page_request(destination, operation, {"a": "b"})

    assert f"https://crm.example.com/{page}" == request.url
    assert {"Authorization": f"Basic key-of-{operation}"} == request.headers
    assert "POST" == request.method


def test_an_operation_without_a_key_is_refused():
    """Searching needs a key of its own when the configuration lists keys."""
    destination = make_destination(SPEC, {"auth_key": None, "auth_keys": {"add": "a", "update": "b"}})

    with pytest.raises(LookupError, match="no auth key for select"):
        page_request(destination, "select", {})


@pytest.mark.parametrize("key", ["abc123", "Basic abc123", "basic abc123"])
def test_basic_stands_once_before_the_key(key):
    """A key that was copied with its scheme is not given a second one."""
    request = page_request(make_destination(SPEC, {"auth_key": key}), "add", {})

    assert {"Authorization": "Basic abc123"} == request.headers


def test_a_body_is_an_object_or_a_list_of_one():
    """The document shows an object, the vendor's newer pages a list."""
    assert {"a": "b"} == page_request(make_destination(SPEC), "add", {"a": "b"}).json
    assert [{"a": "b"}] == page_request(make_destination(SPEC, {"body": "array"}), "add", {"a": "b"}).json


def test_a_customer_holds_what_the_mapping_says(make_call):
    """Every mapped field that is not empty, under keys without the document's trailing blank."""
    assert {
        "phone": "0491570156",
        "email": "61491570156@calls.example.com",
        "name": "Caller 0491570156",
        "customer_code": "61491570156",
        "country": "AU",
        "type": "answered",
        "classification": "paid",
    } == fill_customer(make_call(), make_destination(SPEC)).values


def test_an_update_leaves_alone_what_staff_may_have_typed(make_call):
    """The mapped fields without name and email; always customer_code and phone."""
    destination = make_destination(SPEC, fields={"customer_code": "", "zone": "3"})

    assert {
        "phone": "0491570156",
        "customer_code": "61491570156",
        "country": "AU",
        "type": "answered",
        "classification": "paid",
        "zone": "3",
    } == update_of(fill_customer(make_call(), destination), make_call()).values


def test_a_contact_holds_name_phone_and_email_and_what_the_configuration_adds(make_call):
    """The rest of the default mapping is for customers."""
    destination = make_destination(SPEC, CONTACT, fields={"designation": "caller", "city": "{exchange}"})

    assert {
        "phone": "0491570156",
        "email": "61491570156@calls.example.com",
        "name": "Caller 0491570156",
        "designation": "caller",
        "city": "North",
    } == fill_contact(make_call(exchange="North"), destination).values


def test_the_keys_are_in_no_repr():
    """Logs of a destination, of its options or of a request show no key."""
    destination = make_destination(SPEC, {"auth_key": None, "auth_keys": {"add": "secret-a", "update": "secret-b"}})
    shown = repr(destination) + repr(destination.options) + repr(page_request(destination, "add", {}))

    assert "secret" not in shown.replace("secrets", "")
