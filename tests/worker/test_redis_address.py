"""REDIS_URL is read once: the same for the ledger, kombu, Flower and the command line."""

from pathlib import Path
from typing import Any

import pytest
from kombu import Connection

from worker.broker import broker_settings
from worker.config.environment import Environment
from worker.errors import SettingsError
from worker.redis_address import RedisAddress
from worker.sentinels import sentinel_options


@pytest.fixture
def pem(tmp_path: Path) -> str:
    """Return a file where a certificate may stand."""
    path = tmp_path / "ca.pem"
    path.write_text("")
    return str(path)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://redis.example.com", {"hosts": (("redis.example.com", 6379),)}),
        ("redis://127.0.0.1:6380/2", {"hosts": (("127.0.0.1", 6380),), "db": 2}),
        ("redis://127.0.0.1/?db=4", {"hosts": (("127.0.0.1", 6379),), "db": 4}),
        ("redis://127.0.0.1/4?db=4", {"hosts": (("127.0.0.1", 6379),), "db": 4}),
        ("redis://[::1]:1/0", {"hosts": (("::1", 1),)}),
        ("redis://[2001:db8::7]", {"hosts": (("2001:db8::7", 6379),)}),
        ("redis://h?protocol=2", {"hosts": (("h", 6379),), "protocol": 2}),
        ("redis://:secret@h", {"hosts": (("h", 6379),), "password": "secret"}),
        ("redis://name@h", {"hosts": (("h", 6379),), "username": "name"}),
        (
            "redis://na%40me:p%40%3A%2F%3F%23%25@h",
            {"hosts": (("h", 6379),), "username": "na@me", "password": "p@:/?#%"},
        ),
        ("unix:///run/redis.sock", {"path": "/run/redis.sock"}),
        ("unix:///run/my%20redis.sock?db=3", {"path": "/run/my redis.sock", "db": 3}),
        (
            "unix://name:p%2Fw@/run/redis.sock?db=2&protocol=3",
            {"path": "/run/redis.sock", "db": 2, "protocol": 3, "username": "name", "password": "p/w"},
        ),
        ("rediss://h", {"hosts": (("h", 6379),), "tls": {}}),
        ("rediss://h?ssl_cert_reqs=CERT_NONE", {"hosts": (("h", 6379),), "tls": {"ssl_cert_reqs": "none"}}),
        ("rediss://h?ssl_cert_reqs=none", {"hosts": (("h", 6379),), "tls": {"ssl_cert_reqs": "none"}}),
        ("rediss://h?ssl_cert_reqs=CERT_REQUIRED", {"hosts": (("h", 6379),), "tls": {"ssl_cert_reqs": "required"}}),
        ("rediss://h?ssl_cert_reqs=CERT_OPTIONAL", {"hosts": (("h", 6379),), "tls": {"ssl_cert_reqs": "optional"}}),
        (
            "sentinel://user:pw@s1:26379,s2:1,[::1]/mymaster/5",
            {
                "hosts": (("s1", 26379), ("s2", 1), ("::1", 26379)), "master": "mymaster", "db": 5,
                "username": "user", "password": "pw",
            },
        ),
        (
            "sentinel://s1/my%2Fmaster?db=5&sentinel_username=watch&sentinel_password=p%26w",
            {
                "hosts": (("s1", 26379),), "master": "my/master", "db": 5,
                "sentinel_username": "watch", "sentinel_password": "p&w",
            },
        ),
        ("sentinels://s1/m", {"hosts": (("s1", 26379),), "master": "m", "tls": {}}),
    ],
)  # fmt: skip
def test_what_a_url_says(url: str, expected: dict[str, Any]):
    """Every scheme and option of the contract; what is percent-encoded is decoded."""
    assert RedisAddress(**expected) == RedisAddress.parse(url)


@pytest.mark.parametrize(
    "url",
    [
        "localhost:6379", "http://secretword@x", "redis:/h", "redis://", "redis:///4", "redis://h:secretword",
        "redis://[secretword", "redis://h:0", "redis://h:65536", "redis://h1,h2", "redis://h/secretword", "redis://h/-1",
        "redis://h/4/", "redis://h/99999999", "redis://h/4?db=5", "redis://h/0?db=4", "redis://h?db=1&db=1",
        "redis://h?db=", "redis://h?db=x", "redis://h?protocol=4", "redis://h?protocol=", "redis://h?health_check_interval=1",
        "redis://h?socket_timeout=1", "redis://h?virtual_host=1", "redis://h?ssl_cert_reqs=none",
        "redis://h?sentinel_password=secretword", "redis://h?DB=4", "redis://:pa?secretword@h", "redis://u:12?secretword@h",
        "redis://u:12?x@secretword", "redis://u:12/secretword@h", "redis://:secret#word@h", "redis://:secret word@h",
        "rediss://h?ssl_cert_reqs=maybe", "rediss://h?ssl_cert_reqs=cert_none", "rediss://h?ssl_ca_certs=/secretword",
        "rediss://h?ssl_certfile=", "rediss://h?ssl_check_hostname=false", "unix://", "unix:///", "unix://run/redis.sock",
        "unix:///run/redis.sock?ssl_ca_certs=x", "sentinel://s1", "sentinel://s1/", "sentinel:///m", "sentinel://s1,/m",
        "sentinel://s1:0/m", "sentinel://s1/m/x", "sentinel://s1/m/1?db=2", "sentinel://s1/m?ssl_cert_reqs=none",
        "sentinel://s1/m?master_name=n", "rediss+sentinel://s1/m", "redis://u:secretword@v@h1,h2",
    ],
)  # fmt: skip
def test_what_is_no_address(url: str):
    """Each is a fault of the environment, told in a sentence that shows nothing of the URL that may be secret."""
    with pytest.raises(SettingsError) as caught:
        Environment.read({"REDIS_URL": url})

    [fault] = caught.value.faults
    assert fault.startswith("environment: REDIS_URL ")
    assert "secretword" not in fault
    assert "secret" not in repr(caught.value.__context__)


def test_certificates_are_files(pem: str):
    """A key needs its certificate; both, and the authority's, must be there."""
    address = RedisAddress.parse(f"rediss://h?ssl_ca_certs={pem}&ssl_certfile={pem}&ssl_keyfile={pem}")

    assert {"ssl_cert_reqs": "required", "ssl_ca_certs": pem, "ssl_certfile": pem, "ssl_keyfile": pem} == (
        address.tls_options
    )
    with pytest.raises(ValueError, match="without ssl_certfile"):
        RedisAddress.parse(f"rediss://h?ssl_keyfile={pem}")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://127.0.0.1:6380/2", ("127.0.0.1", 6380, "2", None, None)),
        ("redis://h?db=4", ("h", 6379, "4", None, None)),
        ("rediss://na%40me:p%40%3A%2F%3F%23%25@h", ("h", 6379, "0", "na@me", "p@:/?#%")),
        ("redis://:pw@[::1]:7/1", ("::1", 7, "1", None, "pw")),
        ("sentinel://user:p%2Cw@s1,s2:1/m/3", ("s1", 26379, "3", "user", "p,w")),
    ],
)
def test_kombu_understands_the_same(url, expected):
    """Its own URL of the address is read by kombu to the same parts."""
    settings = broker_settings(RedisAddress.parse(url))
    with Connection(settings["broker_url"]) as connection:
        assert expected == (
            connection.hostname, connection.port, connection.virtual_host, connection.userid, connection.password,
        )  # fmt: skip
        assert url.split("://")[0].rstrip("s") == connection.transport_cls.rstrip("s")


def test_kombu_is_told_of_every_sentinel():
    """Each has a URL of its own, with the login and the database of the primary."""
    settings = broker_settings(RedisAddress.parse("sentinel://:pw@s1,[::1]:2/m/3?sentinel_password=sp&protocol=2"))

    assert "sentinel://:pw@s1:26379/3;sentinel://:pw@[::1]:2/3" == settings["broker_url"]
    assert ("m", 2) == (
        settings["broker_transport_options"]["master_name"], settings["broker_transport_options"]["protocol"]
    )  # fmt: skip
    assert "sp" == settings["broker_transport_options"]["sentinel_kwargs"]["password"]


def test_tls_to_all_is_for_the_sentinels_too():
    """``sentinels://``: the primary and those who name it."""
    address = RedisAddress.parse("sentinels://s1/m?ssl_cert_reqs=none&sentinel_username=watch")

    assert {"ssl_cert_reqs": "none"} == broker_settings(address)["broker_use_ssl"]
    assert (True, "none", "watch") == tuple(
        sentinel_options(address)[name] for name in ("ssl", "ssl_cert_reqs", "username")
    )


def test_nothing_secret_is_shown():
    """Not by the address's own text."""
    address = RedisAddress.parse("sentinel://user:pw-one@s1/m?sentinel_password=pw-two")

    assert "pw-" not in repr(address)
