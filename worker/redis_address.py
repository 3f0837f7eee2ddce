"""Reads ``REDIS_URL``, once for the ledger, kombu, Flower and the command line (contract, section 3)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

SCHEMES = ("redis", "rediss", "unix", "sentinel", "sentinels")
REDIS_PORT = 6379
SENTINEL_PORT = 26379
_HIGHEST_DATABASE = 65535  # far above what any server is set to

_TLS_OPTIONS = ("ssl_ca_certs", "ssl_cert_reqs", "ssl_certfile", "ssl_keyfile")
_SENTINEL_OPTIONS = ("sentinel_username", "sentinel_password")
_OPTIONS = ("db", "protocol", *_TLS_OPTIONS, *_SENTINEL_OPTIONS)
_CERT_REQS = {
    "none": "none", "optional": "optional", "required": "required",
    "CERT_NONE": "none", "CERT_OPTIONAL": "optional", "CERT_REQUIRED": "required",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisAddress:
    """Where the one primary is, and how to log in."""

    hosts: tuple[tuple[str, int], ...] = ()
    """The primary's name and port, or those of the Sentinels; empty where it is a socket."""
    path: str = ""
    """Of a unix socket."""
    master: str = ""
    """The name that the Sentinels know the primary by; empty where there are none."""
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    db: int = 0
    protocol: int | None = None
    """RESP 2 or 3; ``None``: the library's choice."""
    tls: Mapping[str, str] | None = None
    """The ``ssl_`` options; ``None``: no TLS."""
    sentinel_username: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> "RedisAddress":
        """Read a URL; raises ``ValueError`` with a sentence that shows no value of it."""
        scheme, _, rest = url.partition("://")
        if scheme not in SCHEMES:
            raise ValueError(f"must begin with {', '.join(f'{name}://' for name in SCHEMES[:-1])} or {SCHEMES[-1]}://")
        if "#" in rest or any(char.isspace() for char in rest):
            raise ValueError("holds a # or a blank: in a password, percent-encode it (%23, %20)")
        rest, _, query = rest.partition("?")
        netloc, slash, path = rest.partition("/")
        login, _, places = netloc.rpartition("@")
        username, colon, password = login.partition(":")
        options = _options(query, scheme)
        values: dict[str, Any] = {
            "username": _decoded(username), "password": _decoded(password) if colon else None,
            "protocol": _protocol(options), "tls": _tls(options, scheme),
            **{name: options.get(name) for name in _SENTINEL_OPTIONS},
        }  # fmt: skip
        if scheme == "unix":
            if places or not path:
                raise ValueError("must name a socket's path, as unix:///run/redis.sock does")
            return cls(path=slash + unquote(path), db=_database("", options), **values)
        if scheme in {"redis", "rediss"}:
            if "," in places:
                raise ValueError("must name one host; several are Sentinels: sentinel://")
            return cls(hosts=(_host(places, REDIS_PORT),), db=_database(path, options), **values)
        master, _, database = path.partition("/")
        if not master:
            raise ValueError("must name the Sentinels' primary, as sentinel://host1:26379,host2:26379/mymaster/0 does")
        hosts = tuple(_host(place, SENTINEL_PORT) for place in places.split(","))
        return cls(hosts=hosts, master=unquote(master), db=_database(database, options), **values)

    @property
    def tls_options(self) -> dict[str, str]:
        """Return the arguments of a TLS connection: redis-py's names, and the certificate required by default."""
        return {"ssl_cert_reqs": "required", **self.tls} if self.tls is not None else {}

    @property
    def sentinel_login(self) -> dict[str, str]:
        """Return the arguments by which to log in at a Sentinel."""
        given = {"username": self.sentinel_username, "password": self.sentinel_password}
        return {name: value for name, value in given.items() if value}

    @property
    def kombu_url(self) -> str:
        """Return kombu's URL of it: a socket has another scheme, and each Sentinel has a URL of its own."""
        name = quote(self.username or "", safe="")
        secret = "" if self.password is None else ":" + quote(self.password, safe="")
        login = f"{name}{secret}@" if name or secret else ""
        if self.path:
            return f"redis+socket://{login}{quote(self.path)}?virtual_host={self.db}"
        scheme = "sentinel" if self.master else "redis" if self.tls is None else "rediss"
        places = (f"[{host}]:{port}" if ":" in host else f"{quote(host)}:{port}" for host, port in self.hosts)
        return ";".join(f"{scheme}://{login}{place}/{self.db}" for place in places)


def _options(query: str, scheme: str) -> dict[str, str]:
    if "@" in query:  # a ? in a password that is not percent-encoded: what comes after it is no option
        raise ValueError("has an @ after the ?; special characters of a password are percent-encoded (%3F, %40)")
    options: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in _OPTIONS:
            raise ValueError(f"has an unknown option {name[:40]!r} after the ?; there are {', '.join(_OPTIONS)}")
        if name in options:
            raise ValueError(f"has the option {name} twice")
        if name in _TLS_OPTIONS and scheme not in {"rediss", "sentinels"}:
            raise ValueError(f"has the option {name}, which is for rediss:// and sentinels://")
        if name in _SENTINEL_OPTIONS and scheme not in {"sentinel", "sentinels"}:
            raise ValueError(f"has the option {name}, which is for sentinel:// and sentinels://")
        options[name] = value
    return options


def _tls(options: Mapping[str, str], scheme: str) -> dict[str, str] | None:
    if scheme not in {"rediss", "sentinels"}:
        return None
    found = {name: options[name] for name in _TLS_OPTIONS if name in options}
    if "ssl_cert_reqs" in found:
        if found["ssl_cert_reqs"] not in _CERT_REQS:
            raise ValueError(f"has ssl_cert_reqs, which must be one of {', '.join(_CERT_REQS)}")
        found["ssl_cert_reqs"] = _CERT_REQS[found["ssl_cert_reqs"]]
    for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"):
        if name in found and not Path(found[name]).is_file():
            raise ValueError(f"has {name}, which names no file")
    if "ssl_keyfile" in found and "ssl_certfile" not in found:
        raise ValueError("has ssl_keyfile without ssl_certfile")
    return found


def _protocol(options: Mapping[str, str]) -> int | None:
    value = options.get("protocol")
    if value not in {None, "2", "3"}:
        raise ValueError("has protocol, which must be 2 or 3")
    return int(value) if value else None


def _database(path: str, options: Mapping[str, str]) -> int:
    """Return the database, which the path or the option ``db`` names; 0 where neither does."""
    given = ([path] if path else []) + ([options["db"]] if "db" in options else [])
    numbers = set()
    for value in given:
        if not (value.isascii() and value.isdigit()) or int(value[:6]) > _HIGHEST_DATABASE:
            raise ValueError("must name the database by its number, as /4 or ?db=4")
        numbers.add(int(value))
    if len(numbers) > 1:
        raise ValueError("names two databases: one in its path, another by db")
    return numbers.pop() if numbers else 0


def _host(place: str, default_port: int) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{place}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(
            "must name a host, and a port between 1 and 65535; special characters of a password are percent-encoded"
        ) from None
    if not host or port == 0 or parts.username is not None:
        raise ValueError("must name a host")
    return unquote(host), port or default_port


def _decoded(text: str) -> str | None:
    return unquote(text) or None
