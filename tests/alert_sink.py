"""A real HTTP server that receives alerts, and can be told to refuse, to redirect or to be away."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class AlertSink:
    """Records every request; ``status`` is what it answers, with ``location`` where that is a redirect."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.status = 204
        self.location = ""
        self.answers: Callable[[int], int] | None = None
        """What it answers to each request, by its number from 0; instead of ``status``."""
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _take(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                number = len(sink.requests)
                sink.requests.append((self.command, self.path, dict(self.headers), body))
                status = sink.answers(number) if sink.answers else sink.status
                self.send_response(status)
                if sink.location:
                    self.send_header("Location", sink.location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_POST = do_GET = _take  # noqa: N815  http.server's names

            def log_message(self, *_: Any) -> None:
                """Be quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        """Return the address, without a path."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def messages(self) -> list[dict[str, Any]]:
        """Return the bodies that were posted and taken, in their order."""
        return [json.loads(body) for method, _, _, body in self.requests if method == "POST"]

    def told(self, cause: str) -> list[str]:
        """Return the kinds of messages about a cause, in their order."""
        return [one["type"].removeprefix("alert.") for one in self.messages if one["cause"] == cause]

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
