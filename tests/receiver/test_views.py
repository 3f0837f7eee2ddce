"""The webhook's answers, case by case of the contract's table."""

import asyncio
import base64
import gzip
import json
import zlib

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.receiver.scripted import OPS_TOKEN, TOKEN, FakeLedger, running_receiver, until

START = {"PLA_Call_Id": "1122334", "PLA_Caller_Phone_Number": "+61444444444", "PLA_CID": "123"}
END = '{\n"PLA_Call_Id":"1122334",\n"PLA_CallResult":"Answered",\n"PLA_Duration":"50s",\n}'
PATHS = ("/services/calldata/create", "/services/calldata/update", "/services/calldata")


async def post(client, receiver, body, *, path="/services/calldata", token=TOKEN, **options):
    """Post a body and return the status and the answer, which always has the three keys, all texts."""
    url = f"{receiver.url}{path}" + (f"?token={token}" if token is not None else "")
    data = json.dumps(body) if isinstance(body, dict) else body
    async with client.post(url, data=data, **options) as response:
        answer = await response.json()

    assert "application/json" == response.headers["Content-Type"]
    assert ["PLA_Call_Id", "success", "error"] == list(answer)
    assert all(isinstance(value, str) for value in answer.values())
    assert (response.status == 200) is (answer["success"] == "true")
    assert (response.status == 200) is (answer["error"] == "")
    return response.status, answer


@pytest.mark.parametrize("path", [*PATHS, "/services/calldata/"])
async def test_a_stored_event_is_acknowledged_with_its_id(client, receiver, path):
    """Every path answers in Delacon's shape, and the call is woken."""
    status, answer = await post(client, receiver, START, path=path)

    assert (200, {"PLA_Call_Id": "1122334", "success": "true", "error": ""}) == (status, answer)
    assert ["1122334"] == receiver.woken
    assert 1 == receiver.counted("start", "stored")


async def test_the_documents_own_trailing_comma_is_accepted(client, receiver):
    """Delacon's sample of an end is not quite JSON."""
    status, _ = await post(client, receiver, END)

    assert 200 == status
    assert receiver.ledger.events["1122334"][0].startswith("e")


async def test_the_same_event_again_is_acknowledged_and_changes_nothing(client, receiver):
    """A sender that lost our answer may repeat itself."""
    answers = [await post(client, receiver, START) for _ in range(3)]

    assert [200] * 3 == [status for status, _ in answers]
    assert 1 == len(receiver.ledger.events["1122334"])
    assert 2 == receiver.counted("start", "same")


async def test_an_event_of_a_removed_call_is_acknowledged(client):
    """Its id is remembered; it is not delivered again."""
    async with running_receiver(ledger=FakeLedger(remembered=frozenset({"1122334"}))) as receiver:
        assert 200 == (await post(client, receiver, START))[0]
        assert [] == receiver.woken


async def test_the_path_decides_only_where_the_keys_do_not(client, receiver):
    """A start posted as an update is a start."""
    await post(client, receiver, START, path="/services/calldata/update")
    await post(client, receiver, {"PLA_Call_Id": "2"}, path="/services/calldata/update")

    assert "s" == receiver.ledger.events["1122334"][0][0]
    assert "p" == receiver.ledger.events["2"][0][0]


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x"]
)
async def test_any_content_type_is_read_as_json(client, receiver, content_type):
    """Nobody's default header loses a call."""
    assert 200 == (await post(client, receiver, START, headers={"Content-Type": content_type}))[0]


@pytest.mark.parametrize(
    "token, authorization, expected",
    [
        (TOKEN, None, 200),
        (None, TOKEN, 200),
        ("wrong-token-0123456789", TOKEN, 200),
        (None, None, 401),
        ("", None, 401),
        ("wrong-token-0123456789", None, 401),
        (TOKEN[:-1], None, 401),
        (TOKEN + "0", None, 401),
        (None, "wrong", 401),
        ("%FF%00", None, 401),
    ],
)
async def test_the_token_comes_in_the_url_or_as_basic_password(client, receiver, *, token, authorization, expected):
    """Any user name goes; nothing is kept of what is refused."""
    headers = {}
    if authorization is not None:
        headers["Authorization"] = "Basic " + base64.b64encode(f"whoever:{authorization}".encode()).decode()
    status, _ = await post(client, receiver, b"not JSON" if expected == 401 else START, token=token, headers=headers)

    assert expected == status
    assert [] == receiver.ledger.bodies


async def test_a_bearer_token_is_no_way_in(client, receiver):
    """The contract names two ways."""
    status, _ = await post(client, receiver, START, token=None, headers={"Authorization": f"Bearer {TOKEN}"})

    assert 401 == status


async def test_an_ops_token_does_not_post(client):
    """Each token opens its own door."""
    async with running_receiver(ledger=FakeLedger(), ops_tokens=(OPS_TOKEN,)) as receiver:
        assert 401 == (await post(client, receiver, START, token=OPS_TOKEN))[0]


@pytest.mark.parametrize(
    "body, error",
    [
        (b"", "not JSON"),
        (b"\x00\xff\xfe", "not JSON"),
        (b"[1,2]", "not a JSON object"),
        (b'"text"', "not a JSON object"),
        (b'{"PLA_Call_Id":"1"', "not JSON"),
        (b'{"PLA_Call_Id":"\xff"}', "not JSON"),
        (b"{}", "PLA_Call_Id"),
        (b'{"PLA_Call_Id":""}', "PLA_Call_Id"),
        (b'{"PLA_Call_Id":"  "}', "PLA_Call_Id"),
        (b'{"PLA_Call_Id":["1"]}', "PLA_Call_Id"),
        (b'{"PLA_Call_Id":true}', "PLA_Call_Id"),
        (b'{"PLA_Call_Id":"a\\u0000b"}', "PLA_Call_Id"),
        (b'{"PLA_Call_Id":"' + b"1" * 101 + b'"}', "PLA_Call_Id"),
        (b"[" * 60000, "not JSON"),
        (b'{"a":' * 100 + b"1" + b"}" * 100, "PLA_Call_Id"),
    ],
)
async def test_an_unusable_body_is_refused_and_kept_as_it_came(client, receiver, body, error):
    """The reason goes to the sender and to quarantine."""
    status, answer = await post(client, receiver, body, path="/services/calldata/create")

    assert 400 == status
    assert error in answer["error"]
    assert [(body, answer["error"], "create")] == receiver.ledger.bodies
    assert {} == receiver.ledger.events


@pytest.mark.parametrize(
    "body",
    [
        b'{"PLA_Call_Id":1122334}',
        b'{"PLA_Call_Id":" 1122334 "}',
        b'{"PLA_Call_Id":"9","PLA_Call_Id":"1122334"}',
        b'\xef\xbb\xbf{"PLA_Call_Id":"1122334"}',
        b'{"PLA_Call_Id":"1122334","x":' + b"9" * 400 + b"}",
        b'{"PLA_Call_Id":"1122334","x":1e400}',
        b'{"PLA_Call_Id":"1122334","x":' + b"[" * 100 + b"]" * 100 + b"}",
        b'{"PLA_Call_Id":"1122334","x":"' + b"y" * 40000 + b'"}',
    ],
)
async def test_odd_values_beside_a_usable_id_lose_no_call(client, receiver, body):
    """Numbers, byte order marks, duplicate keys, depth and length."""
    status, answer = await post(client, receiver, body)

    assert (200, "1122334") == (status, answer["PLA_Call_Id"])


async def test_a_body_at_the_limit_is_taken_and_one_beyond_it_is_not(client):
    """The limit is the configured one, in bytes."""
    async with running_receiver(ledger=FakeLedger(), max_body=1000) as receiver:
        body = json.dumps(START)
        fits = await post(client, receiver, body + " " * (1000 - len(body)))
        long = await post(client, receiver, body + " " * (1001 - len(body)))
        chunked = await post(client, receiver, _chunks(b" " * 5000))

    assert [200, 413, 413] == [fits[0], long[0], chunked[0]]
    assert [] == receiver.ledger.bodies


async def _chunks(body):
    for i in range(0, len(body), 100):
        yield body[i : i + 100]


async def test_a_megabyte_is_refused_with_an_answer_that_arrives(client, receiver):
    """The sender is still sending when it is refused, and must be able to read why."""
    assert 413 == (await post(client, receiver, b"x" * 1_000_000))[0]
    assert 401 == (await post(client, receiver, b"x" * 1_000_000, token="wrong"))[0]


@pytest.mark.parametrize(
    "encoding, data, expected",
    [
        ("gzip", gzip.compress(json.dumps(START).encode(), mtime=0), 200),
        ("GZIP", gzip.compress(json.dumps(START).encode(), mtime=0), 200),
        ("deflate", zlib.compress(json.dumps(START).encode()), 200),
        ("deflate", zlib.compress(json.dumps(START).encode())[2:-4], 200),
        ("gzip", json.dumps(START).encode(), 200),
        ("identity", json.dumps(START).encode(), 200),
        ("br", json.dumps(START).encode(), 200),
        ("br", b"\x0b\x02\x80", 400),
        ("gzip", gzip.compress(json.dumps(START).encode(), mtime=0)[:-9], 400),
        ("gzip", gzip.compress(b"x", mtime=0)[:-1] + b"\x00", 400),
        ("gzip", gzip.compress(b" " * 65537, mtime=0), 413),
        ("gzip", gzip.compress(b" " * 50_000_000, mtime=0), 413),
        ("deflate", zlib.compress(b" " * 5_000_000), 413),
    ],
)
async def test_compressed_bodies(client, receiver, *, encoding, data, expected):
    """Read when good, bounded after decompression, judged as they came when they are not what they say."""
    status, _ = await post(
        client, receiver, data, headers={"Content-Encoding": encoding, "Content-Type": "application/json"}
    )

    assert expected == status
    assert (1 if expected == 400 else 0) == len(receiver.ledger.bodies)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("path", PATHS)
async def test_only_post_is_taken(client, receiver, method, path):
    """Other methods are told so, token or not, in the same shape."""
    async with client.request(method, receiver.url + path) as response:
        answer = await response.json()

    assert 405 == response.status
    assert "POST" == response.headers["Allow"]
    assert {"PLA_Call_Id": "", "success": "false", "error": "only POST is taken here"} == answer


async def test_head_gets_the_status_and_no_body(client, receiver):
    """And the connection stays usable."""
    async with client.head(receiver.url + "/services/calldata") as response:
        assert (405, b"") == (response.status, await response.read())
    assert 200 == (await post(client, receiver, START))[0]


@pytest.mark.parametrize("path", ["/", "/services/calldata/other", "/services/calldata/create/x", "/x?token=" + TOKEN])
async def test_other_paths_are_not_there(client, receiver, path):
    """They answer JSON too."""
    async with client.post(receiver.url + path, data=b"{}") as response:
        answer = await response.json()

    assert 404 == response.status
    assert ("", "false") == (answer["PLA_Call_Id"], answer["success"])


async def test_networks_come_before_everything_else(client):
    """A stranger learns nothing, not even whether its method or token is right."""
    async with running_receiver(ledger=FakeLedger(), allow_networks=("203.0.113.0/24",)) as receiver:
        assert 403 == (await post(client, receiver, START))[0]
        async with client.get(receiver.url + "/services/calldata") as response:
            assert 403 == response.status
        assert {} == receiver.ledger.events
        assert 2 == receiver.counted("unread", "forbidden")


@pytest.mark.parametrize(
    "forwarded, expected", [("203.0.113.9", 200), ("203.0.113.9, 10.0.0.1", 403), ("x", 403), (None, 403)]
)
async def test_behind_a_proxy_the_forwarded_client_counts(client, forwarded, expected):
    """The entry that the trusted proxy wrote."""
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    async with running_receiver(ledger=FakeLedger(), allow_networks=("203.0.113.0/24",), trusted_proxies=1) as receiver:
        assert expected == (await post(client, receiver, START, headers=headers))[0]


async def test_nowhere_to_store_is_503_with_the_id(client):
    """The sender may try again; nothing was promised."""
    async with running_receiver(ledger=FakeLedger(fault=RedisConnectionError("gone"))) as receiver:
        status, answer = await post(client, receiver, START)

    assert (503, "1122334") == (status, answer["PLA_Call_Id"])
    assert 1 == receiver.counted("start", "refused")


async def test_the_spool_takes_what_redis_does_not(client, tmp_path):
    """The sender does not notice; bodies for quarantine go there as well."""
    ledger = FakeLedger(fault=RedisConnectionError("gone"))
    async with running_receiver(ledger=ledger, spool_path=tmp_path / "spool.db") as receiver:
        assert 200 == (await post(client, receiver, START))[0]
        assert 400 == (await post(client, receiver, b"junk"))[0]
        assert receiver.spool is not None
        status = await receiver.spool.status()

    assert (1, 1) == (status.events, status.bodies)
    assert 1 == receiver.counted("start", "spooled")


async def test_without_tokens_anybody_may_post(client):
    """The composition root allows that on loopback only."""
    async with running_receiver(ledger=FakeLedger(), tokens=()) as receiver:
        assert 200 == (await post(client, receiver, START, token=None))[0]


async def test_an_answer_is_sent_only_after_the_write(client, receiver):
    """While the ledger has not answered, neither have we."""
    receiver.ledger.free.clear()
    asked = asyncio.ensure_future(post(client, receiver, START))
    await until(lambda: receiver.ledger.groups)

    assert not asked.done()
    receiver.ledger.free.set()
    assert 200 == (await asked)[0]


async def test_two_hundred_copies_at_once_are_one_event(client, receiver):
    """All are acknowledged."""
    answers = await asyncio.gather(*(post(client, receiver, START) for _ in range(200)))

    assert {200} == {status for status, _ in answers}
    assert 1 == len(receiver.ledger.events["1122334"])
    assert ["1122334"] == receiver.woken


async def test_unicode_ids_come_back_as_they_are(client, receiver):
    """The answer is JSON in UTF-8, its length counted in bytes."""
    _, answer = await post(client, receiver, {"PLA_Call_Id": 'ü"\\😀'})

    assert 'ü"\\😀' == answer["PLA_Call_Id"]
