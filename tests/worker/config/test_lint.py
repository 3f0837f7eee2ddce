"""Warnings about valid configurations."""

import pytest

from tests.worker.config.configured import CONTRACT, load
from worker.config.lint import warnings

ALL_CALLED_BACK = {"dialler"}


def warned(tmp_path, text: str) -> list[str]:
    """Return the warnings of a configuration whose dialler calls people back."""
    return warnings(load(tmp_path, text), calls_back=lambda destination: destination.name in ALL_CALLED_BACK)


def test_the_contracts_file_needs_none(tmp_path):
    """A good configuration is silent."""
    assert warned(tmp_path, CONTRACT) == []


def test_a_dialler_that_may_be_sent_answered_calls(tmp_path):
    """A route without results, or with others than missed ones, is warned of once a destination."""
    for results in ("", 'results = ["answered"]', 'results = ["busy", "voicemail"]'):
        found = warned(tmp_path, CONTRACT.replace('results = ["unanswered", "busy"]', results))

        assert len([text for text in found if text.startswith("destinations.dialler: may be sent answered calls")]) == 1


def test_an_empty_configuration(tmp_path):
    """No token and no route are worth a word."""
    assert warned(tmp_path, "") == [
        "receiver.tokens: there is none, so the receiver starts on loopback only",
        "routes: there is none, so every call is kept as unrouted",
    ]


OPEN = '[[routes]]\nto = ["dialler"]\nresults = ["unanswered", "busy"]'
PARTED = '[[routes]]\nto = ["crm"]\nservice_ids = ["1"]\n'


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (CONTRACT, 0),
        (CONTRACT + PARTED, 1),
        (CONTRACT + PARTED + OPEN, 2),
        (CONTRACT.replace(OPEN, OPEN + '\nservice_ids = ["1"]'), 0),
    ],
)
def test_a_route_that_joins_services_which_others_part(tmp_path, text, count):
    """A caller whom one firm missed and another answered would not be called back."""
    settings = load(tmp_path, text)
    found = warnings(settings, calls_back=lambda _: False, withdraws=lambda destination: destination.name == "dialler")

    assert count == sum("has no service_ids, while other routes part the services" in one for one in found)


@pytest.mark.parametrize("url", ["https://crm.example.com", "https://crm.example.com/", "https://crm.example.com//"])
def test_a_url_without_a_path_where_calls_are_posted_to_it(tmp_path, url):
    """Captorra's address is used as it stands: without its path every call would be a 404."""
    whole = "https://captrack01.captorra.com/api/captorracalltracking/create"

    [found] = warned(tmp_path, CONTRACT.replace(whole, url))

    assert found.startswith("destinations.smith-law: url has no path")


def test_a_url_without_a_path_where_the_vendor_adds_one(tmp_path):
    """Comunik8's and Kapture's are written so in the contract, and nobody is warned."""
    assert "/" not in CONTRACT.split('url = "https://dialler')[1].splitlines()[0]
    assert warned(tmp_path, CONTRACT) == []


def test_odd_times_results_and_unused_destinations(tmp_path):
    """What is valid and still looks like a slip."""
    text = (
        CONTRACT.replace('remember = "400d"', 'remember = "1d"')
        .replace('end_wait = "4h"', 'end_wait = "1m"')
        .replace('["smith-law", "crm"]', '["crm"]\nresults = ["answerd"]')
    )

    assert warned(tmp_path, text) == [
        "calls.remember: is shorter than retention, so an id may be forgotten before its call",
        "calls.start_wait: is longer than end_wait",
        "destinations.smith-law: no route leads to it",
        "routes[0].results: 'answerd' is none of Delacon's results",
    ]


def test_a_default_region_that_is_no_destinations(tmp_path):
    """A number without + is read as one of the default region, which is odd where no account is of it."""
    american = CONTRACT.replace('vendor = "captorra"', 'vendor = "captorra"\nregion = "US"')
    british = american.replace('vendor = "comunik8"', 'vendor = "comunik8"\nregion = "GB"')

    assert warned(tmp_path, american) == []
    [warning] = warned(tmp_path, british.replace('vendor = "kapture"', 'vendor = "kapture"\nregion = "US"'))
    assert warning.startswith("calls.default_region: is AU, and the region of every destination is another (GB, US)")
