"""The one Redis is reached by whatever REDIS_URL names it, and the same by the ledger and by kombu."""

import ssl
from collections.abc import Callable, Iterator

import pytest
from kombu.exceptions import OperationalError
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from deploy.local.redis_server import RedisServer
from tests.certificate import make_certificate
from tests.chaos.proxy import Proxy
from worker.amqp import LastingConnection
from worker.broker import broker_settings, open_redis
from worker.redis_address import RedisAddress


def connect(url: str) -> LastingConnection:
    """Open kombu's connection to the Redis that a ``REDIS_URL`` names."""
    settings = broker_settings(RedisAddress.parse(url))
    return LastingConnection(
        settings["broker_url"],
        ssl=settings["broker_use_ssl"],
        transport_options=settings["broker_transport_options"] | {"max_retries": 1, "interval_start": 0},
    )


async def see_both(url: str, **expected: object) -> None:
    """Look at the connections of a client of the ledger and of one of kombu."""
    async with open_redis(url) as redis:
        about = await redis.client_info()
        assert "switchboard" == about["name"]
        assert expected == {name: about[name] for name in expected}
    with connect(url) as connection:
        about = connection.default_channel.client.client_info()
        assert "switchboard" == about["name"]
        assert expected == {name: about[name] for name in expected}


@pytest.mark.parametrize("port", [None, 0], ids=["unix socket", "tcp"])
async def test_both_open_sockets_and_ports_and_the_database_asked_for(
    make_redis_server: Callable[..., RedisServer], port: int | None
):
    """``unix://`` and ``redis://``; the database by ``db`` or in the path, user and password."""
    server = make_redis_server(port=port, appendonly=False)
    async with Redis.from_url(server.url) as redis:
        await redis.execute_command("ACL", "SETUSER", "na@me", "on", ">p@:/?#%", "~*", "&*", "+@all")
    login = "na%40me:p%40%3A%2F%3F%23%25@"
    place = (
        f"unix://{{}}{server.url.removeprefix('unix://')}" if port is None else f"redis://{{}}127.0.0.1:{server.port}"
    )

    await see_both(place.format("") + "?db=3", db=3, user="default")
    await see_both(place.format(login) + "?db=2", db=2, user="na@me")
    if port is not None:
        await see_both(place.format(login) + "/4?db=4", db=4, user="na@me")
        await see_both(place.format("").replace("127.0.0.1", "localhost") + "/1", db=1)


@pytest.mark.parametrize("protocol", [2, 3])
async def test_both_speak_the_protocol_asked_for(make_redis_server: Callable[..., RedisServer], protocol: int):
    """``protocol=2`` and ``protocol=3``."""
    url = f"{make_redis_server(appendonly=False).url}?protocol={protocol}"

    async with open_redis(url) as redis:
        assert str(protocol) == str((await redis.client_info()).get("resp", protocol))  # Redis 6.2 does not tell
        assert protocol == redis.connection_pool.get_protocol()
    with connect(url) as connection:
        client = connection.default_channel.client
        assert str(protocol) == str(client.client_info().get("resp", protocol))
        assert protocol == client.connection_pool.connection_kwargs["protocol"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Return a certificate that is its own authority, and its key."""
    cert, key = make_certificate(tmp_path_factory.mktemp("tls"))
    return str(cert), str(key)


@pytest.fixture
def tls_port(redis_server: RedisServer, certificate: tuple[str, str], request: pytest.FixtureRequest) -> Iterator[int]:
    """Return a port where Redis is reached by TLS; with the parameter ``True`` only by who has the certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificate[0])
    context.load_cert_chain(*certificate)
    if request.param:
        context.verify_mode = ssl.CERT_REQUIRED
    assert redis_server.port
    proxy = Proxy(redis_server.port, tls=context)
    proxy.start()
    yield proxy.port
    proxy.stop()


async def see_neither(url: str) -> None:
    """Neither a client of the ledger nor one of kombu gets a connection."""
    async with open_redis(url) as redis:
        with pytest.raises(RedisConnectionError):
            await redis.ping()
    with connect(url) as connection, pytest.raises(OperationalError):
        _ = connection.default_channel


@pytest.mark.parametrize("tls_port", [False], indirect=True)
async def test_both_check_the_certificate_unless_told_not_to(tls_port: int, certificate: tuple[str, str]):
    """``ssl_ca_certs`` and ``ssl_cert_reqs``; without either the system's authorities must vouch."""
    url = f"rediss://localhost:{tls_port}/1"

    await see_neither(url)
    await see_neither(f"{url}?ssl_cert_reqs=required")
    await see_neither(f"{url}?ssl_cert_reqs=CERT_OPTIONAL")
    await see_both(f"{url}?ssl_ca_certs={certificate[0]}", db=1)
    await see_both(f"{url}?ssl_cert_reqs=CERT_NONE", db=1)
    await see_both(f"{url}?ssl_cert_reqs=none&protocol=2", db=1)


@pytest.mark.parametrize("tls_port", [True], indirect=True)
async def test_both_show_a_certificate_of_their_own(tls_port: int, certificate: tuple[str, str]):
    """``ssl_certfile`` and ``ssl_keyfile``."""
    url = f"rediss://127.0.0.1:{tls_port}/0?ssl_ca_certs={certificate[0]}"

    await see_neither(url)
    await see_both(f"{url}&ssl_certfile={certificate[0]}&ssl_keyfile={certificate[1]}", db=0)
