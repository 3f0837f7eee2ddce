"""``[receiver]``: senders, tokens, proxies and connections."""

import re
from pathlib import Path

import pytest

from tests.worker.config.configured import CONTRACT, faults_of, load
from worker.config.receiver import faults_of_host
from worker.config.values import is_monotonous, is_printed

ROOT = Path(__file__).parents[3]
REST = CONTRACT.partition("[calls]")[2]
SMITH = 'name = "smith-law"\ntokens = ["smith-token-0123456789"]\nservice_ids = ["101", "102"]\n'
JONES = 'name = "jones"\ntokens = ["jones-token-0123456789"]\nservice_ids = ["201"]\nrate = "90/m"\n'


def receiver(text: str) -> str:
    """Return the contract's file with another ``[receiver]``."""
    return f"[receiver]\n{text}\n[calls]{REST}"


def senders(*tables: str) -> str:
    """Return the contract's file with senders."""
    return receiver("\n".join(f"[[receiver.senders]]\n{table}" for table in tables))


def test_senders_are_read_with_their_rates(tmp_path):
    """The default is 500 a second; all tokens are secrets."""
    settings = load(tmp_path, senders(SMITH, JONES))

    smith, jones = settings.receiver.senders
    assert ("smith-law", ("101", "102"), 500.0) == (smith.name, smith.service_ids, smith.rate_per_s)
    assert ("jones", 1.5) == (jones.name, jones.rate_per_s)
    assert {"smith-token-0123456789", "jones-token-0123456789"} <= settings.secrets
    assert "token-0123" not in repr(settings.receiver)
    assert 2 == len(settings.receiver.posting_tokens)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (senders(SMITH.replace("smith-law", "Smith Law")), "receiver.senders[0].name: must be 1 to 40 of"),
        (senders(SMITH.replace("smith-law", "x" * 41)), "receiver.senders[0].name: must be 1 to 40 of"),
        (senders(SMITH, JONES.replace("jones", "smith-law", 1)), "receiver.senders[1].name: there is another sender"),
        (senders(SMITH, JONES.replace("jones-token", "smith-token")), "receiver.senders[1].tokens[0]: stands here tw"),
        (senders(SMITH.replace("smith-token-0123456789", "short")), "receiver.senders[0].tokens[0]: must be a text of"),
        (senders(SMITH.replace('["101", "102"]', "[]")), "receiver.senders[0].service_ids: must not be empty"),
        (senders(SMITH.replace('"101"', "101")), 'receiver.senders[0].service_ids[0]: must be a text: "101"'),
        (senders(SMITH.replace('"101"', '"1\\n2"')), "receiver.senders[0].service_ids[0]: must hold no control"),
        (senders(SMITH.replace('"101"', "'1\"2'")), "receiver.senders[0].service_ids[0]: must hold no control"),
        (senders('name = "x"\nservice_ids = ["1"]\n'), "receiver.senders[0].tokens: is required"),
        (senders('name = "x"\ntokens = ["smith-token-0123456789"]\n'), "receiver.senders[0].service_ids: is required"),
        (senders(JONES.replace("90/m", "0/s")), "receiver.senders[0].rate: must be a number above 0"),
        (senders(JONES.replace("rate", "rte")), "receiver.senders[0].rte: unknown key; did you mean 'rate'?"),
        (
            receiver('tokens = ["delacon-token-0123456789"]\n[[receiver.senders]]\n' + SMITH),
            "receiver.tokens: must not",
        ),
        (receiver('senders = "x"'), "receiver.senders: must be written as [[receiver.senders]]"),
        (receiver("senders = [1]"), "receiver.senders[0]: must be a table"),
        (receiver('tokens = ["delacon-token-0123456789", "delacon-token-0123456789"]'), "receiver.tokens[1]: stands"),
        (
            receiver('ops_tokens = ["smith-token-0123456789"]\n[[receiver.senders]]\n' + SMITH),
            "receiver.ops_tokens: must not hold one of tokens",
        ),
        (receiver("trusted_proxies = 1"), "receiver.trusted_proxies: needs tokens or senders"),
        (receiver('proxy_networks = ["10.0.0.1/8"]'), "receiver.proxy_networks[0]: must be a network"),
        (receiver("max_connections = 0"), "receiver.max_connections: must be between 1 and"),
        (receiver("max_connections = 100000"), "receiver.max_connections: must be between 1 and"),
    ],
)
def test_a_broken_rule_of_the_receiver_is_a_fault(tmp_path, text, fault):
    """Each is told at its place, and no token is shown."""
    found = faults_of(tmp_path, text)

    assert any(f" {fault}" in one for one in found), found
    assert not [one for one in found if "token-0123" in one]


def printed_secrets() -> list[str]:
    """Return the token and the password that stand in the example."""
    text = (ROOT / "deploy/env.example").read_text()
    found = re.findall(r"^#?(?:DELACON_TOKEN|FLOWER_BASIC_AUTH)=(?:\w+:)?(\S+)$", text, re.MULTILINE)
    assert 2 == len(found)
    return found


def test_what_the_example_prints_is_refused(tmp_path):
    """As a token of Delacon, of a sender, and of operators."""
    for secret in printed_secrets():
        for text in (
            receiver(f'tokens = ["{secret}"]'),
            receiver(f'ops_tokens = ["{secret}"]'),
            senders(SMITH.replace("smith-token-0123456789", secret)),
        ):
            assert any("is the one that is printed in the example" in one for one in faults_of(tmp_path, text))


@pytest.mark.parametrize(
    "secret",
    [
        "CHANGE-THIS-TOKEN-0123",
        "changeme-changeme-1",
        "please-replace-me-0123",
        "your-token-0123456",
        "a-token-of-16-or-more",
    ],
)
def test_placeholders_of_other_examples_are_refused_too(secret):
    """However they are written."""
    assert is_printed(secret)


@pytest.mark.parametrize("secret", ["delacon-token-0123456789", "exchange-rates-2026-x", "a-token-for-tests-only"])
def test_other_secrets_are_none_of_the_printed(secret):
    """A word that only looks alike is no placeholder."""
    assert not is_printed(secret)


def test_sixteen_equal_characters_are_told_and_not_refused():
    """The contract asks for a length; `check` warns."""
    assert is_monotonous("a" * 16)
    assert is_monotonous("1212121212121212")
    assert not is_monotonous("delacon-token-01")


@pytest.mark.parametrize(
    ("text", "host", "words"),
    [
        ('tokens = ["delacon-token-0123456789"]', "0.0.0.0", []),
        ("", "127.0.0.1", []),
        ("", "0.0.0.0", ["receiver.tokens"]),
        ('tokens = ["delacon-token-0123456789"]\ntrusted_proxies = 1', "::1", []),
        ('tokens = ["delacon-token-0123456789"]\ntrusted_proxies = 1', "0.0.0.0", ["receiver.proxy_networks"]),
        ('tokens = ["delacon-token-0123456789"]\ntrusted_proxies = 2', "192.0.2.7", ["receiver.proxy_networks"]),
        ('tokens = ["delacon-token-0123456789"]\ntrusted_proxies = 1\nproxy_networks = ["10.0.0.0/8"]', "0.0.0.0", []),
        ("[[receiver.senders]]\n" + SMITH, "0.0.0.0", []),
    ],
)  # fmt: skip
def test_beyond_loopback_tokens_and_known_proxies_are_needed(tmp_path, text, host, words):
    """On loopback neither is."""
    faults = faults_of_host(load(tmp_path, receiver(text)).receiver, host)

    assert words == [fault.partition(":")[0] for fault in faults]
