"""The settings as a whole."""

import pytest

from tests.worker.config.configured import CONTRACT, ENVIRON, SPECS, faults_of, load
from worker.config.routes import Route
from worker.config.settings import lease_s, load_settings
from worker.errors import SettingsError


def test_the_file_of_the_contract_loads(tmp_path):
    """Every value of the contract's example arrives where it belongs."""
    settings = load(tmp_path)

    assert settings.receiver.tokens == ("delacon-token-0123456789",)
    assert (settings.receiver.ops_tokens, settings.receiver.allow_networks) == ((), ())
    assert (settings.receiver.trusted_proxies, settings.receiver.max_body) == (0, 65536)
    assert (settings.calls.end_wait_s, settings.calls.start_wait_s) == (4 * 3600, 120)
    assert (settings.calls.retention_s, settings.calls.dead_retention_s) == (30 * 86400, 90 * 86400)
    assert (settings.calls.remember_s, settings.calls.default_region) == (400 * 86400, "AU")
    assert list(settings.destinations) == ["smith-law", "dialler", "crm"]
    assert settings.routes == (
        Route(to=("smith-law", "crm")),
        Route(to=("dialler",), results=frozenset({"unanswered", "busy"})),
    )
    assert settings.publish_dead_letters
    assert settings.callcap is not None
    assert (settings.callcap.url, settings.callcap.encoding) == ("https://api.callcap.com/v3", "form")
    assert settings.import_columns == {}


def test_defaults_are_those_of_the_contract(tmp_path):
    """What the file leaves out is as the contract says; an empty file is valid."""
    given = load(tmp_path)
    empty = load(tmp_path, "")

    assert empty.calls == given.calls
    assert (empty.receiver.tokens, empty.receiver.max_body) == ((), 65536)
    assert (empty.destinations, empty.routes, empty.callcap) == ({}, (), None)
    assert empty.publish_dead_letters


def test_results_are_read_as_those_of_calls(tmp_path):
    """Whatever spelling Delacon and the file use, a route matches what it means."""
    text = CONTRACT.replace('["unanswered", "busy"]', '["No Answer", "BUSY", "Voicemail"]')

    assert frozenset({"unanswered", "busy", "voicemail"}) == load(tmp_path, text).routes[1].results


def test_a_destination_has_the_defaults_of_the_contract(tmp_path):
    """The commented lines of the example are the defaults; a Comunik8 lead ages after a day."""
    destinations = load(tmp_path).destinations
    law, dialler = destinations["smith-law"], destinations["dialler"]

    assert (law.name, law.vendor, law.phone_format, law.region) == ("smith-law", "captorra", "national", "AU")
    assert (law.timeout_s, law.concurrency, law.rate_per_s) == (20, 50, None)
    assert list(law.retry_s) == [5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800, 28800]
    assert (law.max_age_s, dialler.max_age_s, destinations["crm"].max_age_s) == (None, 86400, None)
    assert law.fields["String01"] is not None
    assert law.options.captorra_id == "111111"


def test_a_lease_outlives_its_attempt(tmp_path):
    """The lease is the timeout and half a minute."""
    law = load(tmp_path).destinations["smith-law"]

    assert lease_s(law) == 50


def test_secrets_are_known_and_not_shown(tmp_path):
    """Every token and key is listed as a secret, and ``repr`` shows none."""
    text = CONTRACT.replace("ops_tokens = []", 'ops_tokens = ["ops-token-0123456789"]')
    settings = load(tmp_path, text)

    assert {*ENVIRON.values(), "ops-token-0123456789"} == settings.secrets
    assert not [secret for secret in settings.secrets if secret in repr(settings)]


def test_all_faults_are_told_at_once_with_their_places(tmp_path):
    """A file with many faults names each with line and place, in the order of the file."""
    text = (
        CONTRACT.replace("trusted_proxies = 0", "trusted_proxies = -1")
        .replace('start_wait = "2m"', 'start_wait = "2 minutes"')
        .replace('timezone = "America/New_York"', "")
        .replace('type = "motor-trade"', 'typ = "motor-trade"')
        .replace('to = ["smith-law", "crm"]', 'to = ["smith-law", "cmr"]')
        .replace("publish = true", 'publish = "yes"')
    )

    faults = faults_of(tmp_path, text)

    assert [":5:", ":10:", ":16:", ":22:", ":26:", ":37:", ":44:"] == [fault.split(" ")[0] for fault in faults]
    assert [fault.split(": ")[1] for fault in faults] == [
        "receiver.trusted_proxies",
        "calls.start_wait",
        "destinations.smith-law.timezone",
        "destinations.dialler.type",
        "destinations.dialler.typ",
        "routes[0].to[1]",
        "dead_letters.publish",
    ]


def test_a_missing_variable_is_one_fault(tmp_path):
    """A variable that is not set is named once, and nothing else is said about its place."""
    environ = {name: value for name, value in ENVIRON.items() if name not in {"DELACON_TOKEN", "KAPTURE_KEY"}}

    assert faults_of(tmp_path, CONTRACT, environ) == [
        ":2: receiver.tokens[0]: the environment variable DELACON_TOKEN is not set",
        ":33: destinations.crm.auth_key: the environment variable KAPTURE_KEY is not set",
    ]


def test_no_fault_shows_a_secret(tmp_path):
    """Bad tokens and keys are refused without being shown."""
    environ = {**ENVIRON, "DELACON_TOKEN": "shörtsecret", "COMUNIK8_KEY": "key with blanks", "KAPTURE_KEY": "schlüssel"}

    faults = faults_of(tmp_path, CONTRACT, environ)

    assert len(faults) == 3
    assert not [fault for fault in faults if "secret" in fault or "blanks," in fault or "schl" in fault]


def test_a_variable_in_the_wrong_place_is_not_shown(tmp_path):
    """A fault that quotes its value blanks what came from the environment."""
    text = CONTRACT.replace("America/New_York", "${DELACON_TOKEN}").replace('["smith-law', '["${KAPTURE_KEY}')
    faults = faults_of(tmp_path, text)

    assert len([fault for fault in faults if "[blanked]" in fault]) == 2
    assert not [secret for secret in ENVIRON.values() if secret in "".join(faults)]


def test_import_columns(tmp_path):
    """A column map leads from a header to one of Delacon's keys; anything else is a fault."""
    assert load(tmp_path, '[import.columns]\n"Call ID" = "PLA_Call_Id"').import_columns == {"Call ID": "PLA_Call_Id"}
    assert faults_of(tmp_path, '[import.columns]\n"Call ID" = "call_id"\nx = 1') == [
        ':2: import.columns."Call ID": must be a key of Delacon, which begin with PLA_',
        ":3: import.columns.x: must be a text",
    ]


def test_import_dates(tmp_path):
    """A zone by its IANA name, and forms of dates that tell the minute; by default the form of Delacon's report."""
    plain = load(tmp_path, "")
    assert (None, ("%d/%m/%Y %H:%M:%S",)) == (plain.import_timezone, plain.import_date_formats)
    text = '[import]\ntimezone = "Australia/Sydney"\ndate_formats = ["%m/%d/%y %I:%M %p", "%Y-%m-%d %H:%M:%S %z"]'
    read = load(tmp_path, text)
    assert read.import_timezone is not None
    assert "Australia/Sydney" == read.import_timezone.key
    assert ("%m/%d/%y %I:%M %p", "%Y-%m-%d %H:%M:%S %z") == read.import_date_formats
    forms = '"%d/%m/%Y", "%d/%m/%Y %I:%M", "dd/mm/yyyy", "%Q", "%c %Z"'
    bad = f'[import]\ntimezone = "Sydney"\ndate_formats = [{forms}]\ntimezones = "x"'
    assert [fault.split(": ")[1] for fault in faults_of(tmp_path, bad)] == [
        "import.timezone", *(f"import.date_formats[{place}]" for place in range(5)), "import.timezones",
    ]  # fmt: skip


def test_callcap_may_be_plain_http_when_allowed(tmp_path):
    """``allow_http`` holds for Callcap's url too."""
    text = '[callcap]\nurl = "http://callcap.example.com"\napi_key = "k"\nallow_http = true'

    callcap = load(tmp_path, text).callcap

    assert callcap is not None
    assert callcap.url == "http://callcap.example.com"


def test_a_missing_file_is_a_fault(tmp_path):
    """No file: one sentence with its name."""
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path / "nothing.toml", {}, specs=SPECS)

    assert caught.value.faults == [f"{tmp_path}/nothing.toml: cannot be read: No such file or directory"]


ALERTS = """
[[alerts]]
when = ["dead_letter"]
to = ["${ALERT_URL}", "https://example.com/${ALERT_PATH}"]
secret = "${ALERT_SECRET}"

[delacon]
auth = "${DELACON_REPORT_KEY}"
service_ids = ["123"]
"""


def test_a_role_needs_no_secrets_of_the_others(tmp_path):
    """A receiver tells nobody and audits nothing: it lacks the keys of those; a worker needs them."""
    text = CONTRACT + ALERTS
    own = {"SWITCHBOARD_ROLE": "receiver", "DELACON_TOKEN": ENVIRON["DELACON_TOKEN"]}
    (tmp_path / "switchboard.toml").write_text(text)
    settings = load_settings(tmp_path / "switchboard.toml", own, specs=SPECS)

    assert settings.alerts
    assert settings.delacon is not None
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path / "switchboard.toml", ENVIRON | {"SWITCHBOARD_ROLE": "worker"}, specs=SPECS)
    missing = {fault.split("variable ")[1].split()[0] for fault in caught.value.faults}
    assert {"ALERT_URL", "ALERT_PATH", "ALERT_SECRET", "DELACON_REPORT_KEY"} == missing
