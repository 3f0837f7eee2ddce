"""``[delacon]``: where Delacon's own list is."""

import pytest

from tests.worker.config.configured import CONTRACT, ENVIRON, faults_of, load
from worker.config.delacon import REPORT_URL

TABLE = """
[delacon]
auth = "${REPORT_KEY}"
service_ids = ["101", "102"]
"""
GIVEN = {**ENVIRON, "REPORT_KEY": "a-report-key-0123"}


def test_the_report_is_delacons_own_in_sydneys_time(tmp_path):
    """Unless the table says otherwise; the key is never shown."""
    settings = load(tmp_path, CONTRACT + TABLE, GIVEN)
    other = load(
        tmp_path, CONTRACT + TABLE + 'timezone = "Australia/Perth"\nreport_url = "https://x.example/r"\n', GIVEN
    )

    assert settings.delacon is not None
    assert other.delacon is not None
    assert (REPORT_URL, "Australia/Sydney") == (settings.delacon.report_url, settings.delacon.timezone.key)
    assert ("https://x.example/r", "Australia/Perth") == (other.delacon.report_url, other.delacon.timezone.key)
    assert ("101", "102") == settings.delacon.service_ids
    assert GIVEN["REPORT_KEY"] not in repr(settings)
    assert GIVEN["REPORT_KEY"] in settings.secrets


def test_without_the_table_nothing_is_audited(tmp_path):
    """It is optional."""
    assert load(tmp_path).delacon is None


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('report_url = "http://x.example/r"', "delacon.report_url: must be https"),
        ('report_url = "https://x.example/r?a=b"', "delacon.report_url: must not hold a query"),
        ('timezone = "Mars/Olympus"', "delacon.timezone: unknown time zone"),
        ('servces = ["1"]', "delacon.servces: "),
    ],
)
def test_a_broken_rule_is_told_at_its_place(tmp_path, line, fault):
    """All faults at once, status 2."""
    assert [fault] == [fault for told in faults_of(tmp_path, f"{CONTRACT}{TABLE}{line}\n", GIVEN) if fault in told]


def test_the_key_and_the_services_are_required(tmp_path):
    """Both are told at once."""
    faults = " ".join(faults_of(tmp_path, f"{CONTRACT}\n[delacon]\n"))

    assert "delacon.auth" in faults
    assert "delacon.service_ids" in faults


def test_http_is_allowed_where_it_is_asked_for(tmp_path):
    """As for a destination."""
    text = f'{CONTRACT}{TABLE}report_url = "http://x.example/r"\nallow_http = true\n'

    assert load(tmp_path, text, GIVEN).delacon is not None
