"""Messages on their way: signed JSON to a web address, everything else by Apprise, and a redirect is a failure."""

import base64
import hashlib
import hmac
from collections.abc import Iterator

import pytest

from tasks.alerts.sending import send, signed_headers
from tests.alert_sink import AlertSink
from worker.config.alerts import AlertTarget
from worker.http.client import HttpClient
from worker.ledger.alerts import Message

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Apprise's modules

LAW = {"destination": "law", "reason": "unauthorized", "words": "no"}
MESSAGE = Message(
    message_id="blocked-1-5-begun", kind="begun", alert="blocked-1", since_ms=1_772_452_800_000,
    begun_ms=1_772_452_801_000, at_ms=1_772_452_801_000, facts={"cause": "blocked", "count": 1, "destinations": [LAW]},
)  # fmt: skip


@pytest.fixture
def sink() -> Iterator[AlertSink]:
    """Return a sink."""
    made = AlertSink()
    yield made
    made.close()


async def _send(address: str, secret: str = "") -> str:
    async with HttpClient.open() as http:
        return await send(AlertTarget(address=address, secret=secret), MESSAGE, http=http, now_s=1_772_452_802)


async def test_a_web_address_is_posted_json(sink: AlertSink):
    """With its id in a header, so that a receiver that was told twice knows it."""
    assert "" == await _send(f"{sink.url}/hook?key=1")
    [(method, path, headers, _)] = sink.requests
    [body] = sink.messages

    assert ("POST", "/hook?key=1", "blocked-1-5-begun") == (method, path, headers["webhook-id"])
    assert "webhook-signature" not in headers
    assert ("alert.begun", "blocked", "2026-03-02T12:00:00+00:00") == (body["type"], body["cause"], body["since"])
    assert "Blocked, waiting for a person: law (unauthorized)" == body["title"]
    assert body["text"].endswith("law: unauthorized: no")


@pytest.mark.parametrize(
    ("secret", "key"), [("plain-secret", b"plain-secret"), ("whsec_c2VjcmV0", b"secret"), ("whsec_!", b"whsec_!")]
)
def test_a_signature_is_that_of_standard_webhooks(secret: str, key: bytes):
    """HMAC-SHA256 over id, time and body; a secret that begins with whsec_ is Base64."""
    made = hmac.new(key, b"m1.7.{}", hashlib.sha256).digest()
    headers = signed_headers(b"{}", message_id="m1", at_s=7, secret=secret)

    assert f"v1,{base64.b64encode(made).decode()}" == headers["webhook-signature"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 400, 404, 410, 500])
async def test_what_is_no_2xx_has_not_arrived(sink: AlertSink, status: int):
    """A redirect is not followed: nothing is known at its end."""
    sink.status, sink.location = status, f"{sink.url}/elsewhere"

    assert f"status {status}" == await _send(f"{sink.url}/hook")
    assert 1 == len(sink.requests)


async def test_a_server_that_is_away_has_not_been_told(free_port: int):
    """The reason is that of deliveries."""
    assert "connect" == await _send(f"http://127.0.0.1:{free_port}/hook")


@pytest.mark.parametrize(
    ("status", "reason"), [(200, ""), (500, "refused"), (301, "refused"), (302, "refused"), (307, "refused")]
)
async def test_apprise_tells_the_others_and_follows_no_redirect(sink: AlertSink, status: int, reason: str):
    """Of a redirected POST it would make a GET without a body, and call it a success."""
    address = sink.url.replace("http://", "json://")
    sink.answers = lambda number: status if number == 0 else 200
    sink.location = f"{sink.url}/elsewhere"

    assert reason == await _send(f"{address}/hook")
    assert {"/hook"} == {path.rstrip("/") for _, path, _, _ in sink.requests}
    assert sink.messages[0]["title"] == "Blocked, waiting for a person: law (unauthorized)"


async def test_an_address_that_apprise_does_not_know_is_a_failure():
    """It is tried again, and seen in alerts list."""
    assert "refused" == await _send("nonsense://nowhere")
