"""The variables of the process's environment (contract, section 3)."""

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from worker.errors import SettingsError
from worker.redis_address import RedisAddress

_T = TypeVar("_T")

_LEVELS = ("debug", "info", "warning", "error", "critical")
_HIGHEST_PORT = 65535
_HOST = re.compile(r"[A-Za-z0-9._-]+|(?=.*:.*:)[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?")
"""A name, an IPv4 or an IPv6 address; only the system knows whether the host exists."""

_WEB = re.compile(r"https?://[A-Za-z0-9.:\[\]_-]+(/[!-~]*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The settings that differ from machine to machine and so do not stand in the configuration file."""

    redis_url: str = field(repr=False)
    """May hold a password. Empty only where it was not required."""
    redis_min_replicas: int
    """So many replicas must have a write before it is acknowledged."""
    config: Path
    host: str
    port: int
    spool_path: Path | None
    """``None``: no spool."""
    journal_dir: Path | None
    """Where accepted events are appended to a file a day; ``None``: nowhere."""
    spool_volatile: bool
    """The spool's disk dies with the process: what stands only there is kept and delivered, and answered 503."""
    log_format: str
    """``console`` or ``json``."""
    log_level: str
    metrics_host: str
    metrics_port: int | None
    console_host: str
    console_port: int
    flower_url: str = ""
    """Where people reach Flower, for the console's link; empty: no link."""
    otlp_endpoint: str = ""
    """Where traces go, by the extra ``otel``; empty: nowhere."""
    role: str = ""
    """``receiver`` or ``worker``: the process is given the secrets of that role alone. Empty: all of them."""

    @classmethod
    def read(
        cls, environ: Mapping[str, str], *, redis_required: bool = True, terminal: bool | None = None
    ) -> "Environment":
        """Read the variables; raises ``SettingsError`` with every fault, and shows no value that may be secret.

        An empty variable counts as unset, but for ``SPOOL_PATH``, where it means no spool. ``terminal``: whether logs
        go to one (default: look at standard error); the default log format follows it.
        """
        variables = _Variables(environ)
        on_terminal = sys.stderr.isatty() if terminal is None else terminal
        spool_path = environ.get("SPOOL_PATH", "var/spool.db")
        result = cls(
            redis_url=variables.read("REDIS_URL", _redis_url, "", required=redis_required),
            redis_min_replicas=variables.read("REDIS_MIN_REPLICAS", _replicas, 0),
            config=variables.read("SWITCHBOARD_CONFIG", Path, Path("switchboard.toml")),
            host=variables.read("HOST", host_name, "127.0.0.1"),
            port=variables.read("PORT", port_number, 8080),
            spool_path=Path(spool_path) if spool_path else None,
            journal_dir=variables.read("JOURNAL_DIR", Path, None),
            spool_volatile=variables.read("SPOOL_VOLATILE", _one_of("0", "1"), "0") == "1",
            log_format=variables.read("LOG_FORMAT", _one_of("console", "json"), "console" if on_terminal else "json"),
            log_level=variables.read("LOG_LEVEL", _one_of(*_LEVELS), "info"),
            metrics_host=variables.read("METRICS_HOST", host_name, "127.0.0.1"),
            metrics_port=variables.read("METRICS_PORT", port_number, None),
            console_host=variables.read("CONSOLE_HOST", host_name, "127.0.0.1"),
            console_port=variables.read("CONSOLE_PORT", port_number, 8090),
            flower_url=variables.read("FLOWER_URL", web_address, ""),
            otlp_endpoint=variables.read("OTEL_EXPORTER_OTLP_ENDPOINT", _otlp_endpoint, ""),
            role=variables.read("SWITCHBOARD_ROLE", _one_of("receiver", "worker"), ""),
        )
        if variables.faults:
            raise SettingsError(variables.faults)
        return result


class _Variables:
    """Reads variables one by one and keeps their faults."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.faults: list[str] = []

    def read(self, name: str, read: Callable[[str], _T], default: _T, *, required: bool = False) -> _T:
        """Read one variable, or return its default; a fault is kept and the default stands in."""
        value = self._environ.get(name, "").strip()
        if not value:
            if required:
                self.faults.append(f"environment: {name} is required")
            return default
        try:
            return read(value)
        except ValueError as error:
            self.faults.append(f"environment: {name} {error}")
            return default


def _redis_url(value: str) -> str:
    """Check the address of the broker and ledger; the fault does not show it."""
    RedisAddress.parse(value)
    return value


def _otlp_endpoint(value: str) -> str:
    """Check the address of a collector; raises ``ValueError``."""
    if urlsplit(value).scheme not in {"http", "https"} or not urlsplit(value).hostname:
        raise ValueError("must be an address such as http://127.0.0.1:4318")
    try:
        found = find_spec("opentelemetry.exporter.otlp.proto.http")
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise ValueError("needs the extra otel: pip install 'switchboard[otel]'")
    return value


def _replicas(value: str) -> int:
    """Read how many replicas must have a write; raises ``ValueError``."""
    if not (value.isascii() and value.isdigit()) or len(value) > 1:
        raise ValueError("must be a number of replicas between 0 and 9")
    return int(value)


def host_name(value: str) -> str:
    """Check the name or address of a host to listen on; raises ``ValueError``."""
    if not _HOST.fullmatch(value):
        raise ValueError(f"must be the name or the address of a host, without a scheme or a port{_service_link(value)}")
    return value


def port_number(value: str) -> int:
    """Read the number of a port; raises ``ValueError``."""
    if not (value.isascii() and value.isdigit()) or len(value) > len(str(_HIGHEST_PORT)) or int(value) > _HIGHEST_PORT:
        fault = f"must be a port between 0 and {_HIGHEST_PORT}; 0 takes a free one"
        raise ValueError(fault + _service_link(value))
    return int(value)


def web_address(value: str) -> str:
    """Check the address of a page; raises ``ValueError``."""
    if not _WEB.fullmatch(value):
        raise ValueError("must be an address such as https://host/path, without a user or a password")
    return value


def _service_link(value: str) -> str:
    """Return a hint where such a value comes from when nobody set it."""
    if not value.startswith(("tcp://", "udp://")):
        return ""
    return " (Kubernetes sets such a value for a Service of that name: set enableServiceLinks to false, or rename it)"


def _one_of(*choices: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        word = value.lower()
        if word not in choices:
            raise ValueError(f"must be {', '.join(choices[:-1])} or {choices[-1]}")
        return word

    return read
