"""Log lines of a process."""

import io
import json
import logging
import warnings

import pytest
import structlog

from worker.log import configure_logging, write_quick

NAMES = ("celery.app.trace", "celery.worker.strategy", "aiohttp.access", "tornado.access")


class Stream(io.TextIOWrapper):
    """Standard error in memory."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)

    @property
    def text(self) -> str:
        """Return what was written."""
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode()

    @property
    def lines(self) -> list[dict[str, object]]:
        """Return the JSON lines."""
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def stream():
    """Return a stream, and put logging back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield Stream()
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in NAMES:
        logging.getLogger(name).setLevel(logging.NOTSET)


def test_our_lines_are_json_with_time_and_level_first(stream):
    """One object a line; bound values are in it."""
    configure_logging("json", stream=stream)
    with structlog.contextvars.bound_contextvars(call_id="1122334"):
        structlog.get_logger("ours").warning("delivery.attempted", attempt=2, name="Jürgen", odd={1})

    (line,) = stream.lines
    assert list(line)[:3] == ["timestamp", "level", "event"]
    assert str(line.pop("timestamp")).endswith("Z")
    assert line == {
        "level": "warning",
        "event": "delivery.attempted",
        "attempt": 2,
        "name": "Jürgen",
        "odd": "{1}",
        "call_id": "1122334",
    }


@pytest.mark.parametrize("name", ["celery.worker.consumer", "kombu.connection", "redis", "aiohttp.server", "asyncio"])
def test_lines_of_libraries_have_the_same_form(stream, name):
    """What Celery, kombu, redis and aiohttp log is JSON too, with the logger's name, and redacted."""
    configure_logging("json", stream=stream, secrets=["a-secret-of-ours"])
    logging.getLogger(name).error("Lost %s for %s, a-secret-of-ours", "redis://:pw@127.0.0.1:6379//", "+61444444444")

    (line,) = stream.lines
    del line["timestamp"]
    assert line == {
        "level": "error",
        "event": "Lost redis://[blanked]@127.0.0.1:6379// for +61…444, [blanked]",
        "logger": name,
    }


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_form_of_a_line_shows_numbers_or_secrets(stream, log_format):
    """Events, fields, tracebacks and warnings of both kinds of loggers are scanned."""
    secret, number = "a-secret-of-ours", "+61444444444"
    configure_logging(log_format, "debug", stream=stream, secrets=[secret])
    for log in (structlog.get_logger("ours"), logging.getLogger("theirs")):
        try:
            _ = {f"https://x/?key={secret}": 1}[number]
        except KeyError:
            log.exception("failed")
    structlog.get_logger("ours").info("sent", caller=number, detail=f"to {number} with {secret}", body={"ANI": number})
    logging.getLogger("theirs").info("sent to %s with %s", number, secret)
    warnings.resetwarnings()
    warnings.warn(f"old number {number} of {secret}", stacklevel=1)

    assert stream.text.count("KeyError") >= 2
    assert stream.text.count("+61…444") >= 5
    assert "old number" in stream.text
    assert "44444444" not in stream.text
    assert secret not in stream.text


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_levels_hold_for_both_kinds(stream, log_format):
    """``info`` leaves out debug lines, ours and the libraries'."""
    configure_logging(log_format, "info", stream=stream)
    for log in (structlog.get_logger("ours"), logging.getLogger("theirs")):
        log.debug("quiet")
        log.info("loud")

    assert stream.text.count("loud") == 2
    assert "quiet" not in stream.text


def test_tasks_and_requests_have_no_lines_of_their_own(stream):
    """Celery's two lines a task show only at debug; access lines, in which tokens stand, never."""
    for level in ("info", "debug"):
        configure_logging("json", level, stream=stream)
        for name in NAMES:
            logging.getLogger(name).info("line of %s at %s", name, level)

    assert [line["event"] for line in stream.lines] == [
        "line of celery.app.trace at debug",
        "line of celery.worker.strategy at debug",
    ]


def test_a_failed_task_is_still_told(stream):
    """Errors of tasks pass at every level."""
    configure_logging("json", "info", stream=stream)
    logging.getLogger("celery.app.trace").error("Task raised unexpected")

    assert stream.lines[0]["level"] == "error"


def test_a_second_call_takes_the_place_of_the_first(stream):
    """Secrets that become known later are blanked from then on, by loggers that were used before, too."""
    log = structlog.get_logger("ours")
    configure_logging("json", stream=stream)
    log.info("before", detail="x a-secret-of-ours")
    configure_logging("json", stream=stream, secrets=["a-secret-of-ours"])
    log.info("after", detail="x a-secret-of-ours")
    logging.getLogger("theirs").warning("after")

    assert [line.get("detail") for line in stream.lines] == ["x a-secret-of-ours", "x [blanked]", None]


@pytest.mark.parametrize(
    ("log_format", "level", "lines"), [("json", "info", 2), ("json", "warning", 0), ("console", "info", 2)]
)
def test_quick_lines_are_lines_like_the_others(stream: Stream, log_format: str, level: str, lines: int):
    """Each with its own time, in the form and from the level on that were asked for."""
    configure_logging(log_format, level, stream=stream)
    write_quick("webhook.taken", [(1_772_452_800.5, {"call_id": "c1"}), (1_772_452_801.0, {"call_id": "c2"})])
    text = stream.text

    assert lines == text.count("webhook.taken")
    if log_format == "json" and lines:
        first = json.loads(text.splitlines()[0])
        wanted = {"timestamp": "2026-03-02T12:00:00.500000Z", "level": "info", "event": "webhook.taken"}
        assert {**wanted, "call_id": "c1"} == first


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_stream_that_takes_nothing_harms_nobody(stream, form):
    """A full disk, or a reader that is gone; the lines are lost."""

    class Full(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, _: object) -> int:
            raise OSError(28, "No space left on device")

    configure_logging(form, stream=io.TextIOWrapper(io.BufferedWriter(Full(), 16), encoding="utf-8"))
    structlog.get_logger("ours").info("call.planned", call_id="1122334")
    logging.getLogger("celery").warning("theirs")
    write_quick("webhook.taken", [(1.0, {"call_id": "1122334"})])
