"""The Callcap stand-in as a process, for tests of ``switchboard numbers``."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from tests.standins_process import running_standins

EXACT = ("--account", "L-3", "--phone-number", "3165550142")


class Standin:
    """The stand-in's control side."""

    def __init__(self, url: str) -> None:
        self.url = url

    def posts(self) -> int:
        """Return how many POSTs came."""
        return sum(entry["method"] == "POST" for entry in self._get("requests?vendor=callcap")["requests"])

    def asked(self) -> int:
        """Return how many requests came."""
        return self._get("requests?vendor=callcap&limit=0")["counts"].get("callcap", 0)

    def kept(self) -> list:
        """Return what was provisioned."""
        return self._get("records?vendor=callcap")

    def lay(self, **fault) -> None:
        """Lay a fault."""
        data = json.dumps({"vendor": "callcap", **fault}).encode()
        urllib.request.urlopen(f"{self.url}/control/faults", data=data, timeout=10).close()

    def reset(self) -> None:
        """Make it as new."""
        urllib.request.urlopen(f"{self.url}/control/reset", data=b"", timeout=10).close()

    def _get(self, path: str):
        with urllib.request.urlopen(f"{self.url}/control/{path}", timeout=10) as reply:
            return json.load(reply)


@contextmanager
def running() -> Iterator[Standin]:
    """Run the stand-ins."""
    with running_standins() as url:
        yield Standin(url)


def callcap_at(url: str, encoding: str = "form") -> str:
    """Write the configuration's table for Callcap at ``url``."""
    return f'[callcap]\nurl = "{url}/callcap/v3"\napi_key = "standin-callcap-key"\nencoding = "{encoding}"\n'
