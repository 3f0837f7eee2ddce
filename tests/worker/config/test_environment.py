"""The variables of the environment."""

from pathlib import Path

import pytest

from worker.config.environment import Environment
from worker.errors import SettingsError

REDIS = {"REDIS_URL": "redis://127.0.0.1:6379/0"}


def test_defaults_are_those_of_the_contract():
    """Only ``REDIS_URL`` is required."""
    environment = Environment.read(REDIS, terminal=False)

    assert environment == Environment(
        redis_url="redis://127.0.0.1:6379/0",
        redis_min_replicas=0,
        config=Path("switchboard.toml"),
        host="127.0.0.1",
        port=8080,
        spool_path=Path("var/spool.db"),
        journal_dir=None,
        spool_volatile=False,
        log_format="json",
        log_level="info",
        metrics_host="127.0.0.1",
        metrics_port=None,
        console_host="127.0.0.1",
        console_port=8090,
    )


def test_logs_for_people_on_a_terminal():
    """The default format follows where logs go; ``LOG_FORMAT`` is stronger."""
    assert Environment.read(REDIS, terminal=True).log_format == "console"
    assert Environment.read({**REDIS, "LOG_FORMAT": "JSON"}, terminal=True).log_format == "json"


def test_every_variable_is_read():
    """All variables of the contract's table."""
    environment = Environment.read(
        {
            "REDIS_URL": "rediss://user:pw@redis.example.com:6380/1",
            "REDIS_MIN_REPLICAS": "2",
            "SWITCHBOARD_CONFIG": "/etc/switchboard.toml",
            "HOST": "0.0.0.0",
            "PORT": "0",
            "SPOOL_PATH": "/var/spool.db",
            "LOG_LEVEL": "Debug",
            "METRICS_PORT": "9100",
            "METRICS_HOST": "::",
        }
    )

    assert (environment.config, environment.spool_path) == (Path("/etc/switchboard.toml"), Path("/var/spool.db"))
    assert environment.redis_min_replicas == 2
    assert (environment.host, environment.port, environment.log_level) == ("0.0.0.0", 0, "debug")
    assert (environment.metrics_host, environment.metrics_port) == ("::", 9100)


def test_an_empty_spool_path_means_no_spool():
    """The Procfile sets it empty; every other empty variable counts as unset."""
    environment = Environment.read({**REDIS, "SPOOL_PATH": "", "PORT": "", "LOG_LEVEL": " ", "METRICS_PORT": ""})

    assert environment.spool_path is None
    assert (environment.port, environment.log_level, environment.metrics_port) == (8080, "info", None)


@pytest.mark.parametrize(("value", "volatile"), [("1", True), ("0", False), ("", False)])
def test_a_volatile_spool_is_said_to_be_one(value, volatile):
    """Only ``1`` says that the spool's disk dies with the process."""
    assert volatile is Environment.read({**REDIS, "SPOOL_VOLATILE": value}).spool_volatile


SERVICE_LINK = (
    " (Kubernetes sets such a value for a Service of that name: set enableServiceLinks to false, or rename it)"
)
NO_PORT = "must be a port between 0 and 65535; 0 takes a free one"
NO_HOST = "must be the name or the address of a host, without a scheme or a port"


@pytest.mark.parametrize("name", ["PORT", "METRICS_PORT"])
@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("tcp://10.0.75.166:5555", NO_PORT + SERVICE_LINK),
        ("udp://10.0.75.166:53", NO_PORT + SERVICE_LINK),
        ("65536", NO_PORT),
        ("9" * 5000, NO_PORT),
        ("-1", NO_PORT),
        ("80a", NO_PORT),
        ("٨٠", NO_PORT),
        ("8080.0", NO_PORT),
    ],
)
def test_a_port_that_is_none_is_one_sentence(name, value, said):
    """Also what Kubernetes sets for a Service of that name, of which nobody knows who set it."""
    with pytest.raises(SettingsError) as caught:
        Environment.read({**REDIS, name: value})

    assert [f"environment: {name} {said}"] == caught.value.faults


@pytest.mark.parametrize("name", ["HOST", "METRICS_HOST"])
@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("tcp://10.0.75.166:8080", NO_HOST + SERVICE_LINK),
        ("http://example.com", NO_HOST),
        ("localhost:8080", NO_HOST),
        ("two words", NO_HOST),
        ("[::1]", NO_HOST),
    ],
)
def test_a_host_that_is_none_is_one_sentence(name, value, said):
    """A host is a name or an address, and nothing beside it."""
    with pytest.raises(SettingsError) as caught:
        Environment.read({**REDIS, name: value})

    assert [f"environment: {name} {said}"] == caught.value.faults


@pytest.mark.parametrize("value", ["0.0.0.0", "::", "::1", "fe80::1%eth0", "localhost", "my_host-1.example.com"])
def test_good_hosts(value):
    """Names and addresses of both families."""
    assert value == Environment.read({**REDIS, "HOST": value}).host


def test_redis_need_not_be_given_where_it_is_brought_along():
    """``switchboard up`` brings its own."""
    assert Environment.read({}, redis_required=False).redis_url == ""


@pytest.mark.parametrize("url", ["unix:///run/redis.sock", "unix:///run/redis.sock?db=2", "redis://:pw@[::1]:1/0"])
def test_good_addresses_of_redis(url):
    """The three schemes of the contract."""
    assert url == Environment.read({"REDIS_URL": url}).redis_url


@pytest.mark.parametrize(
    "url",
    ["localhost:6379", "http://secretword@x", "redis://", "unix://", "redis://h:secretword", "redis://[secretword"],
)
def test_bad_addresses_of_redis(url):
    """Others are refused without being shown."""
    with pytest.raises(SettingsError) as caught:
        Environment.read({"REDIS_URL": url})

    assert len(caught.value.faults) == 1
    assert "secretword" not in str(caught.value)


def test_all_faults_are_told_at_once():
    """Every bad variable is named."""
    with pytest.raises(SettingsError) as caught:
        Environment.read({"PORT": "65536", "METRICS_PORT": "x", "LOG_FORMAT": "xml", "LOG_LEVEL": "loud"})

    assert caught.value.faults == [
        "environment: REDIS_URL is required",
        "environment: PORT must be a port between 0 and 65535; 0 takes a free one",
        "environment: LOG_FORMAT must be console or json",
        "environment: LOG_LEVEL must be debug, info, warning, error or critical",
        "environment: METRICS_PORT must be a port between 0 and 65535; 0 takes a free one",
    ]


def test_the_password_of_redis_is_not_shown():
    """``repr`` leaves the address out."""
    assert "pw" not in repr(Environment.read({"REDIS_URL": "redis://:pw@127.0.0.1"}))
