"""Logging of a process: our own lines and those of libraries, in one form, on standard error."""

import logging
import logging.config
import sys
import time
from collections.abc import Iterable, MutableMapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, BinaryIO, TextIO, cast

import orjson
import structlog
from structlog.typing import Processor

from worker.redaction import redactor

_LINE_PER_TASK = ("celery.app.trace", "celery.worker.strategy")
"""They write two lines a task, "received" and "succeeded"; what became of deliveries is in our own lines."""

_LINE_PER_REQUEST = ("aiohttp.access", "tornado.access")
"""They write URLs, in which tokens stand; the metrics count requests."""


class _LastingStream:
    """A stream whose faults cost lines and nothing else: a full disk, or a reader that is gone."""

    def __init__(self, stream: TextIO | BinaryIO) -> None:
        self._stream: Any = stream

    def write(self, line: Any) -> None:
        with suppress(OSError):
            self._stream.write(line)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


_quick: list[_LastingStream] = []
"""The streams of quick lines; empty: they go through the logger, or nowhere."""


def write_quick(event: str, rows: Iterable[tuple[float, dict[str, Any]]]) -> None:
    """Write an info line for each row: epoch seconds, and one field or more that hold no number and no secret.

    A tenth of the usual way's price, for what happens thousands of times a second: nothing is looked through.
    """
    if _quick:
        name = b'Z","level":"info","event":%b,' % orjson.dumps(event)
        second, begun = -1, b""
        lines = []
        for at, fields in rows:
            whole = int(at)
            if whole != second:
                second, begun = whole, time.strftime('{"timestamp":"%Y-%m-%dT%H:%M:%S', time.gmtime(whole)).encode()
            rest = orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)
            lines.append(b"%b.%06d%b%b" % (begun, (at - whole) * 1e6, name, rest[1:]))
        _quick[0].write(b"".join(lines))
        _quick[0].flush()
        return
    log = structlog.get_logger(__name__)
    for _, fields in rows:
        log.info(event, **fields)


def configure_logging(
    log_format: str, level: str = "info", *, secrets: Iterable[str] = (), stream: TextIO | None = None
) -> None:
    """Send all logging to ``stream`` (default: standard error) as ``json`` or ``console`` lines.

    May be called again, such as once the settings' ``secrets`` are known; they are blanked wherever they appear.
    """
    stream = _own(sys.stderr if stream is None else stream)
    secrets = tuple(secrets)
    number = logging.getLevelNamesMapping()[level.upper()]
    lasting = _LastingStream(stream)
    first: list[Processor] = [structlog.contextvars.merge_contextvars, structlog.processors.format_exc_info]
    last: list[Processor]
    factory: Any
    # Our own lines go straight to the stream: the way through the logging module costs twice as much.
    if log_format == "json":
        last = [_as_json]
        lines = _LastingStream(stream.buffer)
        factory = structlog.BytesLoggerFactory(file=cast("BinaryIO", lines))
        _quick[:] = [lines] if number <= logging.INFO else []
    else:
        _quick.clear()
        last = [
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback),
        ]
        factory = structlog.WriteLoggerFactory(file=cast("TextIO", lasting))
    structlog.configure(
        processors=[*first, redactor(secrets, trusts_event=True), *last],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=factory,
        cache_logger_on_first_use=False,  # a second call must reach every logger
    )
    chain = [structlog.stdlib.add_logger_name, *first, redactor(secrets, trusts_event=False)]
    logging.config.dictConfig(_foreign_config(chain, last, number=number, stream=lasting))
    logging.captureWarnings(capture=True)


def _own(stream: TextIO) -> TextIO:
    """Return another object for the same file: what cannot be written stays in it, and is no fault at the exit."""
    try:
        return open(stream.fileno(), "w", encoding="utf-8", errors="backslashreplace", closefd=False)
    except OSError:
        return stream


def _as_json(_logger: Any, method: str, event: MutableMapping[str, Any]) -> bytes:
    """Write the line; time and level come first, for eyes that read JSON."""
    line = {"timestamp": datetime.now(UTC), "level": method, "event": event.pop("event", ""), **event}
    return orjson.dumps(line, default=repr, option=orjson.OPT_UTC_Z)


def _as_text(_logger: Any, _method: str, line: Any) -> str:
    """Return the text that the logging module wants."""
    return line.decode() if isinstance(line, bytes) else str(line)


def _foreign_config(
    chain: list[Processor], last: list[Processor], *, number: int, stream: _LastingStream
) -> dict[str, Any]:
    """Return the one configuration of the logging module, through which Celery, kombu, redis and aiohttp write."""
    quiet = number if number <= logging.DEBUG else max(number, logging.WARNING)
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "lines": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": chain,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    *last,
                    _as_text,
                ],
            }
        },
        "handlers": {"stream": {"class": "logging.StreamHandler", "stream": stream, "formatter": "lines"}},
        "root": {"handlers": ["stream"], "level": number},
        "loggers": {
            **{name: {"level": quiet} for name in _LINE_PER_TASK},
            **{name: {"level": logging.WARNING} for name in _LINE_PER_REQUEST},
        },
    }
