"""Kapture's replies taken apart: the samples of its document."""

import pytest

from schemas.kapture.reply import has_contact, parse_reply, repair
from schemas.reply import read_reply
from tests.destinations import make_response

SEARCH = (
    '{"message":[{"id":286829,"name":"Nikesh","contacts":[{"id":365384,"contactPerson ":"nikesh",'
    '"phone":"999999911"},{"id":365448,"phone":"8867148604"}],"status":"success"}]}'
)
SELECT = (
    '{"message": [{"id": 287230, "name": "Chandran", "contacts": [{"phone": "999999100"}]},'
    ' {"id": 287231, "contacts": []}], "status": "success"}'
)


def read(body):
    """Read a reply as the vendor class does."""
    return parse_reply(read_reply(make_response(body), secrets=(), repair=repair))


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (
            '{"Message": "Customer Added Successfully","Status": "Success"};',
            "success",
            ("Customer Added Successfully",),
        ),
        (
            '{\n{"message": "Customer Updated Successfully""status": "success"\n}',
            "success",
            ("Customer Updated Successfully",),
        ),
        ('{"Message": "Message Key Expired","Status": "Fail"}', "fail", ("Message Key Expired",)),
        ('{"message": ["a", {"message": "b"}], "error": "c"}', "", ("a", "b", "c")),
        ('{"Customer Details": "does not exist", "status": "failed"}', "failed", ("does not exist",)),
        ('{"Message": "cut off", "Status": "Succ', "", ()),
        ("", "", ()),
    ],
)
def test_status_and_words(body, status, words):
    """The document's replies as it prints them, and the other shapes that are met; a torn one says nothing."""
    said = read(body)

    assert (status, words) == (said.status, said.words)


def test_a_search_has_its_status_inside_the_customer(make_call):
    """The status of the item stands for that of the reply; contacts are found by their numbers."""
    said = read(SEARCH)

    assert "success" == said.status
    assert [286829] == [customer["id"] for customer in said.customers]
    assert has_contact(said, phone="8867148604", call=make_call())
    assert not has_contact(said, phone="886714860", call=make_call())


@pytest.mark.parametrize("key", ["Kapture Customer Id", "customer_id", "Customer Id"])
def test_a_customer_is_one_whatever_its_number_is_called(key):
    """Without an ``id`` and without contacts it is found all the same; reconciliation must not add it again."""
    said = read(f'{{"message":[{{"{key}":"12","name":"Nikesh","phone":"0491570156"}}],"status":"success"}}')

    assert ["Nikesh"] == [customer["name"] for customer in said.customers]


@pytest.mark.parametrize(
    "item", ['{"message":"Customer Added","Kapture Customer Id":"12"}', '{"Status":"Success","customer_id":"12"}']
)
def test_the_words_of_an_answer_are_no_customer(item):
    """An answer that names the number of what was added lists nobody."""
    assert () == read(f'{{"Message":[{item}]}}').customers


def test_a_selection_lists_customers():
    """With or without contacts."""
    assert [287230, 287231] == [customer["id"] for customer in read(SELECT).customers]


def test_a_sound_document_is_not_mended():
    """The repair is for what is no JSON; texts with quotation marks stay whole."""
    assert ('say "x" "y"',) == read('{"message": "say \\"x\\" \\"y\\""}').words


def test_a_comma_too_many_is_passed_over():
    """The document's sample of a select has one after its last customer."""
    said = read('{\n"message": [\n{"id": 287230, "contacts": [{"phone": "999999100"},]},\n],\n"status": "success"\n}')

    assert ("success", [287230]) == (said.status, [customer["id"] for customer in said.customers])
