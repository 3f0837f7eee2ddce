"""Tokens, networks and the neighbour on loopback."""

import base64

import pytest
from multidict import CIMultiDict

from receiver.auth import (
    Network,
    Tokens,
    basic_password,
    bearer_token,
    is_direct_neighbour,
    query_tokens,
    read_address,
)
from worker.config.values import is_loopback


def basic(user: str, password: str) -> str:
    """Write a Basic header."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    "presented, accepted",
    [
        ([b"first-token-0123456"], True),
        ([b"second-token-012345"], True),
        ([b"wrong", b"second-token-012345"], True),
        ([b"first-token-012345"], False),
        ([b"first-token-01234567"], False),
        ([b""], False),
        ([b"\xff\xfe"], False),
        ([], False),
    ],
)
def test_any_of_the_tokens_opens_and_nothing_else(presented, accepted):
    """During a rotation two tokens are good; a part of one is not."""
    assert accepted is Tokens(["first-token-0123456", "second-token-012345"]).accept(presented)


def test_no_tokens_accept_nothing():
    """An empty set is falsy, so that a caller must decide what that means."""
    assert not Tokens([])
    assert not Tokens([]).accept([b""])


@pytest.mark.parametrize(
    "query, tokens",
    [
        ("token=abc", [b"abc"]),
        ("a=1&token=abc&b=2", [b"abc"]),
        ("token=a%2Bb", [b"a+b"]),
        ("token=a+b", [b"a+b", b"a b"]),
        ("token=%FF", [b"\xff"]),
        ("token=", [b""]),
        ("Token=abc", []),
        ("xtoken=abc", []),
        ("", []),
    ],
)
def test_reads_tokens_from_the_query(query, tokens):
    """The name is exact, the value is decoded, a plus may have been meant as itself."""
    assert tokens == query_tokens(query)


def test_a_query_full_of_tokens_costs_a_bounded_number_of_comparisons():
    """Only the first few are looked at."""
    assert 4 == len(query_tokens("&".join(f"token={i}" for i in range(1000))))


@pytest.mark.parametrize(
    "header, password",
    [
        (basic("any", "secret"), [b"secret"]),
        (basic("", "a:b"), [b"a:b"]),
        (basic("ü", "ö").replace("Basic", "bAsIc"), ["ö".encode()]),
        ("Basic " + base64.b64encode(b"nocolon").decode(), []),
        ("Basic !!!", []),
        ("Basic ü", []),
        ("Basic", []),
        ("Bearer abc", []),
        ("", []),
    ],
)
def test_reads_the_password_of_basic(header, password):
    """Any user name goes; what is not Basic gives nothing."""
    assert password == basic_password(header)


def test_reads_the_token_of_bearer():
    """The scheme's case does not matter."""
    assert [b"abc"] == bearer_token("bearer abc ")
    assert [] == bearer_token("Basic abc")


@pytest.mark.parametrize(
    "text, address",
    [
        ("10.0.0.1", "10.0.0.1"),
        ("10.0.0.1:5060", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("[2001:db8::1]:80", "2001:db8::1"),
        ('"[2001:db8::1]"', "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("unknown", None),
        ("10.0.0", None),
        ("", None),
        ("1" * 5000, None),
    ],
)
def test_reads_addresses_as_proxies_write_them(text, address):
    """A port, brackets and quotes are cut; IPv4 in IPv6 is IPv4."""
    found = read_address(text)

    assert address == (None if found is None else str(found))


@pytest.mark.parametrize(
    "peer, allowed",
    [("10.1.2.3", True), ("::ffff:10.1.2.3", True), ("2001:db8::5", True), ("11.0.0.1", False), (None, False)],
)
def test_without_proxies_the_peer_counts(peer, allowed):
    """X-Forwarded-For is not believed when no proxy is trusted."""
    network = Network(allow=["10.0.0.0/8", "2001:db8::/32"], trusted_proxies=0)

    assert ("" if allowed else "network") == network.refusal(peer, ["10.9.9.9"])


@pytest.mark.parametrize(
    "proxies, lines, allowed",
    [
        (1, ["10.1.1.1"], True),
        (1, ["11.1.1.1, 10.1.1.1"], True),
        (1, ["10.1.1.1, 11.1.1.1"], False),
        (2, ["10.1.1.1, 11.1.1.1"], True),
        (2, ["10.1.1.1", "11.1.1.1"], True),
        (3, ["10.1.1.1, 11.1.1.1"], False),
        (1, ["10.1.1.1, nonsense"], False),
        (1, [""], False),
        (1, [], False),
    ],
)
def test_behind_proxies_the_nth_entry_from_the_right_counts(proxies, lines, allowed):
    """What a client writes to the left of it changes nothing; unreadable is refused."""
    refusal = Network(allow=["10.0.0.0/8"], trusted_proxies=proxies).refusal("10.0.0.1", lines)

    assert ("" if allowed else "network") == refusal


def test_behind_a_proxy_an_unreadable_client_is_refused_even_when_all_networks_may_post():
    """The contract refuses an unreadable entry whatever the networks."""
    network = Network(allow=[], trusted_proxies=1)

    assert not network.unrestricted
    assert "" == network.refusal("10.0.0.1", ["203.0.113.9"])
    assert "network" == network.refusal("10.0.0.1", ["junk"])


def test_a_mapped_network_means_its_ipv4_part():
    """A list may be written for dual-stack sockets."""
    assert "" == Network(allow=["::ffff:10.0.0.0/104"], trusted_proxies=0).refusal("10.1.1.1", [])


def test_no_networks_and_no_proxies_restrict_nobody():
    """The check is then left out altogether."""
    assert Network(allow=[], trusted_proxies=0).unrestricted


@pytest.mark.parametrize(
    "host, loopback",
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False),
     ("example.com", False), ("", False), ("::ffff:127.0.0.1", True), ("::ffff:10.0.0.1", False),
     ("web.localhost", True), ("127.0.0.1.example.com", False)],
)  # fmt: skip
def test_knows_loopback(host, loopback):
    """Only what is certainly this machine counts."""
    assert loopback is is_loopback(host)


@pytest.mark.parametrize(
    "peer, headers, direct",
    [
        ("127.0.0.1", {}, True),
        ("::ffff:127.0.0.1", {"Host": "x"}, True),
        ("10.0.0.1", {}, False),
        (None, {}, False),
        ("127.0.0.1", {"x-forwarded-for": "127.0.0.1"}, False),
        ("127.0.0.1", {"x-forwarded-proto": "https"}, False),
        ("127.0.0.1", {"forwarded": "for=1.2.3.4"}, False),
        ("127.0.0.1", {"via": "1.1 proxy"}, False),
        ("127.0.0.1", {"x-real-ip": "1.2.3.4"}, False),
    ],
)
def test_a_neighbour_is_direct_only_without_any_forwarding_header(peer, headers, direct):
    """A proxy on the same machine must not open what is inside to everybody behind it."""
    assert direct is is_direct_neighbour(peer, CIMultiDict(headers))
