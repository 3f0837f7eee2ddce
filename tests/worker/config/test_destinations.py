"""The rules of ``[destinations.NAME]``."""

import pytest

from tests.worker.config.configured import faults_of, load

HEAD = """\
[destinations.{name}]
vendor = "captorra"
captorra_id = "111111"
timezone = "America/New_York"
"""
URL = 'url = "https://captrack01.captorra.com/create"\n'


def destination(tmp_path, more: str = "", *, name: str = "law", url: str = URL):
    """Load one Captorra destination."""
    return load(tmp_path, HEAD.format(name=name) + url + more).destinations[name]


def faults(tmp_path, more: str = "", *, name: str = "law", url: str = URL) -> list[str]:
    """Return the faults of one Captorra destination, without file and line."""
    return [fault.split(": ", 1)[1] for fault in faults_of(tmp_path, HEAD.format(name=name) + url + more)]


@pytest.mark.parametrize("name", ["a", "smith-law", "0", "-", "a" * 40])
def test_good_names(tmp_path, name):
    """A name is 1 to 40 of a-z, 0-9 and -."""
    assert name == destination(tmp_path, name=name).name


@pytest.mark.parametrize("name", ["A", "smith_law", "a" * 41, '"a:b"', '""', '"ü"', '"a\\n"', "calls"])
def test_bad_names(tmp_path, name):
    """Other names are faults, and so is the name of the dead letters without a destination."""
    assert len(faults(tmp_path, name=name)) == 1


def test_a_bad_name_hides_no_other_fault(tmp_path):
    """All of the table's are told at once."""
    found = faults(tmp_path, 'key = "${MISSING_KEY}"\nrate = "often"\n', name="Law", url='url = "http://x.example"\n')

    assert ["Law", "Law.key", "Law.rate", "Law.url"] == sorted(
        f.split(": ")[0].removeprefix("destinations.") for f in found
    )


@pytest.mark.parametrize(
    "url",
    [
        "https://crm.example.com",
        "https://crm.example.com:8443/a/b%20c",
        "http://127.0.0.1:9000/x",
        "http://127.5.5.5",
        "http://localhost:1",
        "http://crm.localhost",
        "http://[::1]:80/",
        "https://192.0.2.1",
    ],
)
def test_good_urls(tmp_path, url):
    """Https anywhere, http on loopback; the url is kept as it was written."""
    assert url == destination(tmp_path, url=f'url = "{url}"\n').url


@pytest.mark.parametrize(
    "url",
    [
        "http://crm.example.com",
        "http://192.168.0.1",
        "http://localhost.example.com",
        "http://0.0.0.0",
        "ftp://crm.example.com",
        "crm.example.com",
        "https://",
        "https:///path",
        "https://crm.example.com/?key=1",
        "https://crm.example.com/?",
        "https://crm.example.com/#x",
        "https://user:secretword@crm.example.com",
        "https://user@crm.example.com",
        "https://crm.example.com:99999",
        "https://crm.example.com:x",
        "https://[::1",
        "https://crm.example.com/a b",
        "https://bücher.example.com",
        "https://crm.example.com\\r\\nX: y",
        "",
        "  ",
    ],
)
def test_bad_urls(tmp_path, url):
    """Everything else is one fault, which does not show the url."""
    found = faults(tmp_path, url=f'url = "{url}"\n')

    assert len(found) == 1
    assert found[0].startswith("destinations.law.url: must ")
    assert "secretword" not in found[0]


def test_plain_http_may_be_allowed(tmp_path):
    """``allow_http`` lifts the rule, for this destination."""
    assert destination(tmp_path, "allow_http = true", url='url = "http://crm.example.com"\n')


def test_a_url_is_required(tmp_path):
    """No url: a fault at the table."""
    assert faults(tmp_path, url="") == ["destinations.law.url: is required"]


def test_every_generic_key_is_read(tmp_path):
    """All keys that every destination may set."""
    one = destination(
        tmp_path,
        'phone_format = "e164"\nregion = "us"\ntimeout = "60s"\nconcurrency = 1\nrate = "90/m"\nmax_age = "2d"\n'
        'retry = ["0.5s", "1m"]\n',
    )

    assert (one.phone_format, one.region, one.timeout_s, one.concurrency) == ("e164", "US", 60, 1)
    assert (one.rate_per_s, one.max_age_s, one.retry_s) == (1.5, 2 * 86400, (0.5, 60))


def test_max_age_may_be_off(tmp_path):
    """``off`` is stronger than the vendor's default."""
    text = (
        '[destinations.d]\nvendor = "comunik8"\nurl = "https://d.example.com"\napi_key = "k"\ntype = "t"\nemail = "e"\n'
    )

    assert load(tmp_path, text).destinations["d"].max_age_s == 86400
    assert load(tmp_path, text + 'max_age = "off"').destinations["d"].max_age_s is None


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('phone_format = "E164"', "phone_format: must be 'national' or 'e164' or 'digits'"),
        ('region = "Texas"', "region: must be the two letters of a country, such as AU, US or GB"),
        ('timeout = "61s"', "timeout: must be at most 60s"),
        ('timeout = "0s"', "timeout: must be longer than nothing"),
        ("timeout = 20", "timeout: must be a text"),
        ("concurrency = 0", "concurrency: must be 1 or more"),
        ('concurrency = "50"', "concurrency: must be a whole number, without quotation marks"),
        ('rate = "100"', "rate: must be a number above 0 and a unit of time, such as 100/s, 90/m or 500/h"),
        ('rate = "0/s"', "rate: must be a number above 0 and a unit of time, such as 100/s, 90/m or 500/h"),
        ('max_age = "never"', "max_age: not a duration; write a number and a unit, such as 10s, 30m, 4h or 30d"),
        ('retry = "5s"', "retry: must be a list"),
        ('retry = ["5s", "soon"]', "retry[1]: not a duration; write a number and a unit, such as 10s, 30m, 4h or 30d"),
        ("allow_http = 1", "allow_http: must be true or false, without quotation marks"),
        ("fields = 1", "fields: must be a table"),
        ("fields = { String01 = 1 }", "fields.String01: must be a text"),
        ('fields = { String01 = "{nothing}" }', "fields.String01: unknown name {nothing}"),
        ('fields = { Name = "" }', "fields.Name: captorra requires this field: it cannot be dropped"),
    ],
)
def test_each_broken_rule_is_told(tmp_path, line, fault):
    """A bad value of a generic key is one fault at its key."""
    assert [f"destinations.law.{fault}"] == faults(tmp_path, line)


def test_fields_override_drop_and_add(tmp_path):
    """``fields`` replaces a template, drops an optional one with an empty text, and adds keys of its own."""
    one = destination(tmp_path, 'fields = { String01 = "{PLA_Other}!", String02 = "", Custom = "{caller}" }')

    assert one.fields["String01"].source == "{PLA_Other}!"
    assert one.fields["String02"] is None
    assert one.fields["Custom"].source == "{caller}"
    assert one.fields["String03"].source == "{page_called_from}"


def test_an_unknown_vendor_is_one_fault(tmp_path):
    """What an unknown vendor's keys mean cannot be known, so only the vendor is told."""
    text = '[destinations.x]\nvendor = "capturra"\nurl = "https://x.example.com"\ncaptorra_id = "1"'

    assert faults_of(tmp_path, text) == [":2: destinations.x.vendor: must be one of captorra, comunik8, kapture"]


@pytest.mark.parametrize("vendor", ["", "vendor = 1\n"])
def test_a_vendor_is_required(tmp_path, vendor):
    """A destination without a readable vendor is one fault."""
    assert len(faults_of(tmp_path, f'[destinations.x]\n{vendor}url = "https://x.example.com"')) == 1
