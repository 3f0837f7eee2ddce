"""No phone number, token or key leaves the ledger: logs, task messages, events, Flower and metrics are searched."""

import base64

import pytest
import redis

from deploy.local.redis_server import free_port
from tests.acceptance.leaks import Tap, forms_of_number, forms_of_secret, leaks
from tests.acceptance.looks import Flower, get
from tests.acceptance.troubles import (
    CONFIG,
    KEYS,
    NUMBERS,
    OPS_TOKEN,
    REDIS_PASSWORD,
    SECRETS,
    crash,
    play,
    post_badly,
)

WORDS = (
    "delivery.attempted",
    "delivery.dead_lettered",
    "destination.changed",
    "leases_expired",
    '"level":"debug"',
    "[debug",
)
"""What the logs must hold for the search to mean anything."""


@pytest.fixture
def vendor_keys(monkeypatch):
    """Start the stand-ins, which come after this, with keys that URLs and JSON write in several ways."""
    for vendor, key in KEYS.items():
        monkeypatch.setenv(f"STANDINS_{vendor}_KEYS", key)


@pytest.fixture
def locked_redis_url(redis_url):
    """Return the address of an empty Redis that asks for a password."""
    url = redis_url.replace("//", f"//:{REDIS_PASSWORD}@")
    with redis.Redis.from_url(redis_url) as client:
        client.config_set("requirepass", REDIS_PASSWORD)
    yield url
    with redis.Redis.from_url(url) as client:
        client.config_set("requirepass", "")


def look(flower: Flower) -> dict[str, str]:
    """Return Flower's answers."""
    tasks = flower.json("/api/tasks")
    paths = ["/api/tasks", "/api/workers?refresh=1", "/tasks", "/metrics", "/api/queues/length"]
    return {path: flower.get(path)[1] for path in [*paths, *(f"/task/{uuid}" for uuid in list(tasks)[:5])]}


def test_nothing_secret_leaves_the_ledger(vendor_keys, locked_redis_url, make_stack):
    """After every kind of trouble: DEBUG logs of both forms, messages, events, Flower's answers, both metrics."""
    port = str(free_port())
    stack = make_stack(
        redis_url=locked_redis_url, config=CONFIG, common='timeout = "1s"\nretry = ["1s"]',
        environ={"LOG_LEVEL": "debug", "METRICS_PORT": port},
    )  # fmt: skip
    messages: list[tuple[str, str]] = []
    with Tap(locked_redis_url, lambda place, text: messages.append((place, text))):
        flower = Flower(stack)
        stack.start_receiver()
        stack.start_worker("worker0", app="tests.chaos.quick")
        stack.environ |= {"LOG_FORMAT": "console", "METRICS_PORT": ""}
        stack.start_worker("worker1", app="tests.chaos.quick")
        stack.wait_for(lambda: flower.sees("worker0") and flower.sees("worker1"), 40, "Flower and the workers")
        stack.wait_for(stack.receiver_answers, 20, "the receiver")
        assert [401, 405, 400, 413, 401] == post_badly(stack)
        play(stack, locked_redis_url)
        texts = {"worker's metrics": get(f"http://127.0.0.1:{port}/metrics")[1]}
        crash(stack)
        texts |= look(flower)
        texts["receiver's metrics"] = get(f"http://127.0.0.1:{stack.port}/metrics", user=f"x:{OPS_TOKEN}")[1]
        stack.stop()
    for number, (place, text) in enumerate(messages):
        texts[f"{place} #{number}"] = text
    logs = {log.name: log.read_text(errors="replace") for log in stack.folder.glob("*.log")}

    assert {"receiver.log", "worker0.log", "worker1.log", "worker2.log", "flower.log"} == logs.keys()
    for words in WORDS:
        assert any(words in log for log in logs.values()), words
    assert {"calls", "captorra", "comunik8", "kapture", "captorra.dead"} <= {place for place, _ in messages}
    assert any("celeryev" in place for place, _ in messages)
    assert "switchboard_deliveries_total" in texts["worker's metrics"]
    assert "switchboard_webhooks_total" in texts["receiver's metrics"]
    for words in (':law:create"', '"callbacks"', "task-succeeded"):  # handed on, and inside the body and events
        assert any(words in text for _, text in messages), words
    assert set() == leaks(texts | logs, numbers=NUMBERS, secrets=set().union(*map(forms_of_secret, SECRETS)))


def test_the_search_finds_what_it_looks_for():
    """In every form in which a number or a key could stand."""
    numbers = forms_of_number("0491570157", country="61")
    key = "kapture/key+for-tests=="
    texts = {
        "written": "0491 570 157",
        "dialled": "+61 491-570-157",
        "in a URL": "?key=kapture%2Fkey%2Bfor-tests%3D%3D",
        "as Basic": f"Basic {base64.b64encode(f'x:{key}'.encode()).decode()}",
    }

    assert texts.keys() == {place for place, _ in leaks(texts, numbers=numbers, secrets=forms_of_secret(key))}
    assert set() == leaks({"masked": "+61…157 [blanked]"}, numbers=numbers, secrets=forms_of_secret(key))
