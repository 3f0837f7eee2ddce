"""Who may post and who may look: tokens, networks, and the direct neighbour on loopback."""

import base64
import binascii
import hmac
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import unquote_to_bytes

from worker.config.values import is_loopback

Address = IPv4Address | IPv6Address
Subnet = IPv4Network | IPv6Network

# More tokens than a rotation needs in one URL are noise, and each costs a comparison.
MAX_PRESENTED = 4
# The longest textual address is 45 characters; brackets, a port and a scope come on top.
MAX_ADDRESS = 64
_MAPPED = IPv6Network("::ffff:0:0/96")
# Headers that only a proxy writes; with one of them the peer is not the one who asks.
_FORWARDING = (
    "Forwarded",
    "Via",
    "X-Real-IP",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "True-Client-IP",
    "CF-Connecting-IP",
    "Fastly-Client-IP",
    "X-ProxyUser-Ip",
    "X-Envoy-External-Address",
    "X-Amzn-Trace-Id",
)


class Tokens:
    """A set of tokens; a comparison takes the same time whichever of them it finds."""

    def __init__(self, tokens: Iterable[str]) -> None:
        self._tokens = tuple(token.encode() for token in tokens)

    def __bool__(self) -> bool:
        return bool(self._tokens)

    def accept(self, presented: Iterable[bytes]) -> bool:
        """Return whether one of the presented texts is one of the tokens."""
        found = False
        for text in presented:
            for token in self._tokens:
                found |= hmac.compare_digest(text, token)
        return found


def query_tokens(raw_query: str) -> list[bytes]:
    """Return the values of ``token`` in a URL's query, decoded; a ``+`` is tried as itself and as a blank."""
    found: list[bytes] = []
    for part in raw_query.split("&"):
        if part.startswith("token=") and len(found) < MAX_PRESENTED:
            value = part[6:]
            found.append(unquote_to_bytes(value))
            if "+" in value:
                found.append(unquote_to_bytes(value.replace("+", " ")))
    return found


def basic_password(header: str) -> list[bytes]:
    """Return the password of an ``Authorization: Basic`` header; none when it is not one."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return []
    try:
        pair = base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        return []
    _, colon, password = pair.partition(b":")
    return [password] if colon else []


def bearer_token(header: str) -> list[bytes]:
    """Return the token of an ``Authorization: Bearer`` header; none when it is not one."""
    scheme, _, value = header.partition(" ")
    return [value.strip().encode("utf-8", "surrogateescape")] if scheme.lower() == "bearer" else []


class Network:
    """Which clients may post: those of some networks, seen through a known number of proxies of known networks."""

    def __init__(
        self, *, allow: Iterable[str | Subnet], trusted_proxies: int, proxy_networks: Iterable[str | Subnet] = ()
    ) -> None:
        self._allow = subnets(allow)
        self._count = trusted_proxies
        self.proxies = subnets(proxy_networks)
        self.unrestricted = not (self._allow or self._count or self.proxies)

    def refusal(self, peer: str | None, forwarded_for: Sequence[str]) -> str:
        """Return why this client may not post: ``proxy`` when no known proxy sent it, ``network``, or empty.

        ``forwarded_for``: the lines of X-Forwarded-For in their order. The client is its N-th entry from the right
        (contract, section 5); an entry that is missing or unreadable is refused.
        """
        client = read_address(peer or "")
        if self.proxies and (client is None or not in_networks(client, self.proxies)):
            return "proxy"
        if self._count:
            entries = ",".join(forwarded_for).split(",")
            client = read_address(entries[-self._count].strip()) if len(entries) >= self._count else None
        if client is None or (self._allow and not in_networks(client, self._allow)):
            return "network"
        return ""


def subnets(networks: Iterable[str | Subnet]) -> tuple[Subnet, ...]:
    """Read networks; IPv4 inside IPv6 becomes IPv4."""
    return tuple(_unmapped_network(ip_network(str(network))) for network in networks)


def in_networks(address: Address, networks: Iterable[Subnet]) -> bool:
    """Return whether an address is in one of some networks."""
    return any(address in network for network in networks)


def read_address(text: str) -> Address | None:
    """Read an address, with or without a port; IPv4 inside IPv6 becomes IPv4; ``None`` when unreadable."""
    return _read_address(text) if len(text) <= MAX_ADDRESS else None


@lru_cache(maxsize=4096)
def _read_address(text: str) -> Address | None:
    text = text.strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _unmapped_network(network: Subnet) -> Subnet:
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        bits = network.network_address.packed[-4:]
        return IPv4Network((bits, network.prefixlen - 96))
    return network


def is_direct_neighbour(peer: str | None, headers: Mapping[str, str], *, http10: bool = False) -> bool:
    """Return whether the request comes from this machine itself and through no proxy (contract, section 5).

    A proxy that writes no header of its own is known by what it leaves of the request: nginx's plain ``proxy_pass``
    speaks HTTP/1.0, others pass on the public name in ``Host``.
    """
    if peer is None or not is_loopback(peer) or http10:
        return False
    if any(name in headers for name in _FORWARDING) or any(
        name.lower().startswith(("x-forwarded", "x-original")) for name in headers
    ):
        return False
    return _is_local_name(headers.get("Host", ""))


def _is_local_name(host: str) -> bool:
    """Return whether a ``Host`` may be written by somebody on this machine: no address and no full name of others."""
    address = read_address(host)
    if address is not None:
        return address.is_loopback
    name = host.partition(":")[0]
    return "." not in name or name.endswith(".localhost")
