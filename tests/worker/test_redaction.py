"""What log lines may not show."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.redaction import mask_number, mask_text, redactor

NUMBERS = ("+61444444444", "+17702401011", "+447840258823", "+6129374400", "+493012345678")


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("+61444444444", "+61…444"),
        ("0444444444", "04…444"),
        (" 7702401011 ", "77…011"),
        ("1234567", "…"),
        ("", "…"),
        ("anonymous", "an…ous"),
    ],
)
def test_a_masked_number_calls_nobody(number, masked):
    """Enough is left to tell two callers apart, no more."""
    assert masked == mask_number(number)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("form", range(4))
@pytest.mark.parametrize("text", ["{}", "caller {}.", "'{}'", '{{"ANI":"{}"}}', "({})", "from {}, to {}", "x={}"])
def test_numbers_are_masked_however_they_are_written(number, form, text):
    """E.164, international, national and RFC 3966 forms in any surroundings."""
    written = phonenumbers.format_number(phonenumbers.parse(number), form)

    masked = mask_text(text.format(written, written))

    assert number[-7:] not in "".join(character for character in masked if character.isdigit())


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21 22:46:04.123456",
        "2026-11-21T22:46:04Z",
        "Sat, 21 Nov 2026 22:46:04 GMT",
        "127.0.0.1:6379 and 192.168.100.200",
        "redis://127.0.0.1:6379/0",
        "Task tasks.captorra.deliver[12345678-1234-1234-1234-123456789012] received",
        "Task x[6f9619ff-8b86-d011-b42d-00c04fc964ff] succeeded in 0.012345678901234s",
        "File worker/pump.py, line 1234567, in run",
        "celery@host-20261121 v5.7.0",
        "pid 1234567 after 86400 s",
        "<Task at 0x7f0123456789>",
        "sha256:0123456789abcdef0123456789",
    ],
)
def test_what_is_no_number_stays(text):
    """Times, addresses, versions, ids and places in code stay readable."""
    assert text == mask_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://x.example.com/lead/add?key=SECRETVALUE&a=1",
        "GET /services/calldata?a=1&token=SECRETVALUE HTTP/1.1",
        "https://x?API_KEY=SECRETVALUE'",
        "Cannot connect to redis://:SECRETVALUE@127.0.0.1:6379//",
        "rediss://user:SECRETVALUE@redis.example.com",
        "Authorization: Basic SECRETVALUE==",
        "{'Authorization': 'bearer SECRETVALUE'}",
    ],
)
def test_keys_in_urls_and_headers_are_blanked(text):
    """Query keys, passwords of addresses and Authorization values are cut out of free text."""
    assert "SECRETVALUE" not in mask_text(text)


@given(st.integers(10_000_000, 999_999_999_999_999), st.sampled_from(["", "+"]), st.text(" ,.;'\"()[]", max_size=3))
def test_no_run_of_digits_gets_through(number, plus, around):
    """Any run of 8 to 15 digits between blanks or punctuation is masked."""
    assert str(number) not in mask_text(f"x {around}{plus}{number}{around} y")


@given(st.text())
def test_masking_never_fails(text):
    """Whatever the text, masking gives a text."""
    assert isinstance(mask_text(text), str)


def test_long_texts_are_masked_in_time():
    """Masking is linear enough for a reply of 256 KB."""
    for text in ("1" * 200_000, "1 " * 100_000, "(1" * 100_000, "?key=" * 40_000, "://" * 60_000, "basic " * 40_000):
        assert mask_text(text)


def test_fields_are_treated_by_their_names():
    """Secrets go, numbers are masked, ids stay, everything else is searched."""
    event = {
        "event": "delivery.attempted 0444444444",
        "call_id": "0444444444",
        "delivery_id": "0444444444:crm:create",
        "Token": "abc",
        "body": b"{}",
        "caller": "+61444444444",
        "phone": 61444444444.5,
        "detail": "no such number 0444444444 for key-of-ours/1",
        "items": ["0444444444"],
        "status": 200,
        "elapsed_ms": 1556755937003,
        "reason": None,
    }

    assert redactor(["key-of-ours/1"], trusts_event=True)(None, "info", event) == {
        "event": "delivery.attempted 0444444444",
        "call_id": "0444444444",
        "delivery_id": "0444444444:crm:create",
        "Token": "[blanked]",
        "body": "[blanked]",
        "caller": "+61…444",
        "phone": 61444444444.5,
        "detail": "no such number 04…444 for [blanked]",
        "items": "['04…444']",
        "status": 200,
        "elapsed_ms": 1556755937003,
        "reason": None,
    }


def test_secrets_are_blanked_as_urls_write_them_too():
    """A key that was quoted into a URL is found."""
    redact = redactor(["a/b+c=="], trusts_event=False)

    assert redact(None, "info", {"event": "sent a/b+c== and a%2Fb%2Bc%3D%3D"}) == {
        "event": "sent [blanked] and [blanked]"
    }
