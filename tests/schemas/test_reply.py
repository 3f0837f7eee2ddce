"""Replies: read tolerantly, compared by words, kept without secrets."""

import pytest

from schemas.reply import flag_of, normal, read_reply, texts_in
from tests.destinations import make_response


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Invalid Date", " invalid DATE "),
        ("Please check CaptorraId.", "please check Captorrald"),
        ("Invalid JSON data.", "Invalid JSON data"),
        ("Invalid  ANI\n", "invalid ani"),
        ("Existing Contact .", "existing contact"),
    ],
)
def test_words_are_compared_without_what_does_not_matter(one, other):
    """Case, blanks, a final full stop, and the small L in Captorrald."""
    assert normal(one) == normal(other)


def test_words_that_differ_stay_different():
    """Only one final full stop is left out."""
    assert normal("not found") != normal("found")
    assert normal("a.b") != normal("ab")


@pytest.mark.parametrize(
    ("value", "flag"),
    [
        (True, True),
        (False, False),
        ("TRUE", True),
        (" false. ", False),
        ("yes", None),
        (1, None),
        (0, None),
        (None, None),
        ([], None),
    ],
)
def test_flags_are_true_or_false_or_neither(value, flag):
    """Numbers and other words say nothing."""
    assert flag_of(value) is flag


def test_texts_are_found_in_lists_and_objects_in_their_order():
    """Whatever the shape of a message; numbers and empty texts are no words."""
    assert ["a", "b", "c"] == texts_in({"0": "a", "1": ["b", 5, ""], "2": {"x": " c "}})
    assert [] == texts_in(None)


@pytest.mark.parametrize(
    ("body", "document"),
    [
        ('{"A b": 1}', {"a b": 1}),
        ('\ufeff {"a": 1} \n', {"a": 1}),
        ('[{"a": 1}, {"a": 2}]', {"a": 1}),
        (b"\xef\xbb\xbf\xef\xbb\xbf {}", {}),
        ('{"a": 1}'.encode("utf-16"), {"a": 1}),
        (b"\xfe\xff" + '{"a": "\u00e9"}'.encode("utf-16-be"), {"a": "\u00e9"}),
        ('{"a": "line\nbreak"}', {"a": "line\nbreak"}),
        ('{"a": "one\r\n\ttwo", "b\t": 1}', {"a": "one\r\n\ttwo", "b": 1}),
        ('{"a": "bell\x07 nul\x00"}', {"a": "bell\x07 nul\x00"}),
        (r'"{\"a\": 1}"', {"a": 1}),
        (r'"\ufeff [{\"a\": \"line\nbreak\"}]"', {"a": "line\nbreak"}),
        (r'"\"{\\\"a\\\": 1}\""', {"a": 1}),
        (r'"\"\\\"{}\\\"\""', None),
        ('"no object"', None),
        ('"{"', None),
        ('{"a": "never closed\n}', None),
        ("[1, 2]", None),
        ("17", None),
        ("", None),
        (b"\xff\xfe{", None),
        ('{"a": ' * 3000, None),
        ('{"a": %s}' % ("9" * 5000), None),
    ],
)
def test_a_document_is_an_object_or_nothing(body, document):
    """A byte order mark is passed over; a list stands for its first object; nothing fails."""
    assert document == read_reply(make_response(body), secrets=()).document


def test_what_is_shown_has_no_secret_and_an_end():
    """The vendor's words are kept to 2,048 characters, the whole reply where there are none."""
    reply = read_reply(make_response("key=s3cret" + "x" * 9000, 502), secrets=("s3cret",))

    assert reply.shown().startswith("key=[blanked]xxx")
    assert 2048 == len(reply.shown())
    assert "no [blanked]" == reply.shown("no s3cret")
    assert "HTTP 502 without a body" == read_reply(make_response("", 502), secrets=()).shown()


def test_a_short_secret_changes_no_verdict():
    """Secrets are blanked after judging."""
    assert {"error": "invalid ani"} == read_reply(make_response({"error": "invalid ani"}), secrets=("a",)).document


def test_the_headers_that_matter_are_kept():
    """Retry-After as it stood, and where a redirect points."""
    reply = read_reply(make_response("", 302, retry_after="120", location="https://x.example/"), secrets=())

    assert ("120", "https://x.example/") == (reply.retry_after, reply.location)
