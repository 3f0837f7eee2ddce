"""``switchboard send``: webhooks from a file, or generated, to a receiver."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import deploy.local
from deploy.local.webhooks import read_file
from schemas.delacon.events import read_event

TOKEN = "a-token-for-tests-only"
SAMPLE = Path(deploy.local.__file__).parent / "calls.jsonl"


class Receiver(ThreadingHTTPServer):
    """Answers as the receiver does, and keeps what it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.posts: list[tuple[str, bytes]] = []

    @property
    def url(self) -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Receiver

    def do_POST(self):
        """Take a webhook with the right token and an id."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        password = (
            base64.b64decode(self.headers.get("Authorization", "Basic Og==").split()[1]).decode().partition(":")[2]
        )
        self.server.posts.append((self.path, body))
        error = "" if b"PLA_Call_Id" in body else "PLA_Call_Id is missing"
        error = error if password == TOKEN else "wrong token"
        answer = json.dumps({"PLA_Call_Id": "", "success": "false" if error else "true", "error": error}).encode()
        self.send_response(400 if error else 200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Return a receiver."""
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_generated_calls_have_a_start_and_an_end(cli, receiver):
    """The start goes before the end; the ids of the calls are printed, one a line."""
    result = cli.run("send", "--count", "3", "--url", receiver.url, DELACON_TOKEN=TOKEN)

    ids = result.stdout.splitlines()
    assert 3 == len(set(ids))
    assert "6 of 6 webhooks acknowledged" in result.stderr
    for call_id in ids:
        paths = [path for path, body in receiver.posts if json.loads(body)["PLA_Call_Id"] == call_id]
        assert ["/services/calldata/create", "/services/calldata/update"] == paths
    kinds = {path: read_event(body, path_kind="either").kind for path, body in receiver.posts}
    assert {"/services/calldata/create": "s", "/services/calldata/update": "e"} == kinds


def test_json_tells_what_came_of_it(cli, receiver):
    """One value: webhooks, acknowledged, refusals and the ids."""
    shown = cli.json("send", "--count", "2", "--url", f"{receiver.url}/services/calldata/", "--token", TOKEN)

    assert (4, 4, [], 2) == (
        shown["webhooks"], shown["acknowledged"], shown["refusals"], len(set(shown["call_ids"])),
    )  # fmt: skip


def test_a_file_is_sent_in_its_order(cli, receiver):
    """The bundled sample, as it stands: raw bodies to the byte, times counted back from now."""
    result = cli.run("send", str(SAMPLE), "--url", receiver.url, "--token", TOKEN)
    lines = [json.loads(line) for line in SAMPLE.read_text(encoding="utf-8").splitlines()]

    assert len(lines) == len(receiver.posts)
    assert lines[1]["raw"].encode() == receiver.posts[1][1]
    assert [line["path"] for line in lines] == [
        path.removeprefix("/services/calldata").strip("/") or "either" for path, _ in receiver.posts
    ]
    started_ms = int(json.loads(receiver.posts[2][1])["PLA_CallStartTime"])
    assert abs(time.time() * 1000 - 3_000_000 - started_ms) < 60_000
    assert "SB-1001-answered-au" in result.stdout.splitlines()


def test_an_object_or_a_list_of_events_is_a_file_too(cli, receiver, tmp_path):
    """What preview takes, send takes."""
    file = tmp_path / "events.json"
    file.write_text(json.dumps([{"PLA_Call_Id": "a-1"}, {"PLA_Call_Id": "a-1", "PLA_CallResult": "Busy"}], indent=1))

    assert ["a-1"] == cli.json("send", str(file), "--url", receiver.url, "--token", TOKEN)["call_ids"]
    assert 2 == len(receiver.posts)


def test_what_is_not_acknowledged_is_status_1(cli, receiver, free_port, tmp_path):
    """A wrong token, an unusable body, nobody there: each cause with its count."""
    assert "wrong token" in cli.run("send", "--url", receiver.url, "--token", "wrong-wrong-wrong", status=1).stderr
    file = tmp_path / "raw.jsonl"
    file.write_text('{"path": "create", "raw": "nonsense"}\n')
    shown = cli.json("send", str(file), "--url", receiver.url, "--token", TOKEN, status=1)
    assert [{"error": "400 PLA_Call_Id is missing", "count": 1}] == shown["refusals"]
    assert "no answer" in cli.run("send", "--url", f"http://127.0.0.1:{free_port}", status=1).stderr


def test_the_rate_is_kept(cli, receiver):
    """Five calls at 20 a second take at least 0.2 s."""
    began = time.monotonic()
    cli.run("send", "--count", "5", "--rate", "20/s", "--url", receiver.url, "--token", TOKEN)

    assert 0.2 <= time.monotonic() - began


def test_the_address_follows_port(cli, receiver):
    """Without --url it is the receiver of this machine."""
    cli.run("send", "--token", TOKEN, PORT=str(receiver.server_port))

    assert 2 == len(receiver.posts)


def test_the_token_of_the_configuration_is_for_the_receiver_here_alone(cli, receiver):
    """Without --token and DELACON_TOKEN; an address that was given is not told it."""
    here = cli.json("send", PORT=str(receiver.server_port))
    elsewhere = cli.json("send", "--url", receiver.url, status=1)

    assert (2, 0) == (here["acknowledged"], elsewhere["acknowledged"])


def test_wrong_use(cli, tmp_path):
    """A file with a count, an address that is none, lines that are no webhooks: status 2, every line told."""
    file = tmp_path / "lines.jsonl"
    file.write_text('{"path": "create"}\nnonsense\n{"path": "other", "body": {}}\n\n{"path": "create", "body": {}}\n')

    cli.run("send", str(file), "--count", "2", status=2)
    cli.run("send", "--url", "calls.example.com", status=2)
    assert ["line 1", "line 2", "line 3"] == [
        line.split(":")[0] for line in cli.run("send", str(file), status=2).stderr.splitlines()
    ]


def test_placeholders():
    """now_ms, and moments before and after it."""
    [webhook] = read_file('{"path": "create", "raw": "{{now_ms}} {{now_ms-90}} {{ now_ms + 5 }}"}\n', now_ms=1000)

    assert b"1000 910 1005" == webhook.body
