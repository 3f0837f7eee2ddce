"""The rules of the configuration's tables."""

import pytest

from tests.worker.config.configured import CONTRACT, faults_of


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("[receiver]", "[reciever]", "reciever"),
        ("max_body", "max_boddy", "receiver.max_boddy"),
        ("end_wait", "endwait", "calls.endwait"),
        ("publish", "publishes", "dead_letters.publishes"),
        ('url = "https://api', 'uri = "https://api', "callcap.uri"),
        ("results =", "result =", "routes[1].result"),
        ("captorra_id", "captora_id", "destinations.smith-law.captora_id"),
    ],
)
def test_an_unknown_key_is_a_fault_that_names_the_nearest(tmp_path, old, new, place):
    """Unknown keys anywhere are refused, with the known key that was probably meant."""
    faults = faults_of(tmp_path, CONTRACT.replace(old, new, 1))

    assert any(f" {place}: unknown key; did you mean " in fault for fault in faults)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (
            'tokens = ["${DELACON_TOKEN}"]',
            'tokens = ["short"]',
            ":2: receiver.tokens[0]: must be a text of",
        ),
        ("tokens = [", 'tokens = "x" # [', ":2: receiver.tokens: must be a list"),
        (
            "ops_tokens = []",
            'ops_tokens = ["${DELACON_TOKEN}"]',
            ":3: receiver.ops_tokens: must not hold",
        ),
        (
            "allow_networks = []",
            'allow_networks = ["10.0.0.0/8", "10.0.0.1/8"]',
            ":4: receiver.allow_networks[1]: ",
        ),
        ("trusted_proxies = 0", "trusted_proxies = true", ":5: receiver.trusted_proxies: must be a whole number"),
        ("max_body = 65536", "max_body = 0", ":6: receiver.max_body: must be between 1 and"),
        ("max_body = 65536", "max_body = 1.5", ":6: receiver.max_body: must be a whole number"),
        ('retention = "30d"', 'retention = "0s"', ":11: calls.retention: must be longer than nothing"),
        ('retention = "30d"', "retention = 30", ":11: calls.retention: must be a text"),
        ('default_region = "AU"', 'default_region = "AUS"', ":14: calls.default_region: must be the two letters"),
        ('default_region = "AU"', 'default_region = "XX"', ":14: calls.default_region: must be the two letters"),
        ("publish = true", "publish = 1", ":44: dead_letters.publish: must be true or false"),
        ("https://api.callcap.com", "http://api.callcap.com", ":47: callcap.url: must be https"),
        ('api_key = "${CALLCAP_KEY}"', 'encoding = "xml"', ":46: callcap.api_key: is required"),
        ('api_key = "${CALLCAP_KEY}"', 'encoding = "xml"', ":48: callcap.encoding: must be 'form' or 'json'"),
    ],
)
def test_rules_of_the_tables(tmp_path, old, new, fault):
    """Each rule that a value breaks is told at its line."""
    assert any(told.startswith(fault) for told in faults_of(tmp_path, CONTRACT.replace(old, new, 1)))


@pytest.mark.parametrize("text", ["receiver = 1", "calls = []", "dead_letters = 'x'", "callcap = 1", "import = 1"])
def test_a_table_that_is_none_is_a_fault(tmp_path, text):
    """A value where a table belongs is refused, not crashed upon."""
    assert faults_of(tmp_path, text)


@pytest.mark.parametrize("text", ["destinations = 1", "routes = 1", "routes = [1]", "destinations.x = 1", "[routes]"])
def test_destinations_and_routes_that_are_none_are_faults(tmp_path, text):
    """The same for the tables that have names or come in numbers."""
    assert faults_of(tmp_path, text)
