"""Secrets do not survive in texts that are kept."""

import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import captorra, comunik8
from schemas.blanking import blank, secrets_of
from schemas.kapture import customer
from tests.destinations import make_destination


@pytest.mark.parametrize("secret", ["s3cret-key", "a/b+c=d&e", 'quo"te\\back', "per%cent"])
def test_a_secret_is_blanked_in_every_form_it_is_written_in(secret):
    """As it is, quoted for a URL, escaped for JSON, and as PHP escapes slashes."""
    escaped = json.dumps(secret)[1:-1]
    forms = [secret, quote(secret, safe=""), quote(secret), escaped, escaped.replace("/", "\\/")]

    assert all("x [blanked] y" == blank(f"x {form} y", [secret]) for form in forms)


@given(
    st.lists(st.text(alphabet="abc123", min_size=1, max_size=6), max_size=4), st.text(alphabet="abc123 ", max_size=60)
)
def test_no_secret_is_left(secrets, text):
    """Also where one secret is a part of another."""
    shown = blank(text, secrets).replace("[blanked]", "\n")

    assert not [secret for secret in secrets if secret in shown]


def test_nothing_is_blanked_without_secrets():
    """An empty secret is none."""
    assert "abc" == blank("abc", ["", ""])


def test_the_secrets_of_a_destination_come_without_their_scheme():
    """So a vendor's reply that repeats the key alone, or the whole header, is blanked."""
    one = make_destination(customer.SPEC, {"auth_key": "Basic abc123"})
    many = make_destination(customer.SPEC, {"auth_key": None, "auth_keys": {"add": "a1", "update": "b2"}})
    dialler = make_destination(comunik8.SPEC, {"api_key": "c3"})
    firm = make_destination(captorra.SPEC)

    assert ("abc123",) == secrets_of(customer.SPEC, one.options)
    assert {"a1", "b2"} == set(secrets_of(customer.SPEC, many.options))
    assert ("c3",) == secrets_of(comunik8.SPEC, dialler.options)
    assert () == secrets_of(captorra.SPEC, firm.options)
