"""What ``switchboard doctor`` asks the receiver itself: its environment is its own, and nobody else knows it."""

import http.client
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from deploy.cli.findings import Findings
from worker.config.environment import Environment

RECEIVER_S = 5.0
MOST_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Told:
    """What a receiver answered."""

    ready: bool
    parts: dict[str, Any] | None
    """``None``: it tells them to nobody without a token of ``ops_tokens``."""


def address_of(environment: Environment) -> str:
    """Return where a receiver of this environment is asked from this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(environment.host, environment.host)  # noqa: S104
    return f"http://[{host}]:{environment.port}" if ":" in host else f"http://{host}:{environment.port}"


def ask(url: str, ops_tokens: Sequence[str]) -> Told:
    """Ask a receiver's ``/readyz``; raises ``OSError`` or ``ValueError`` where no receiver answers."""
    place = urlsplit(url)
    if place.scheme not in {"http", "https"} or not place.hostname:
        raise ValueError("give an address such as http://127.0.0.1:8080")
    kind = http.client.HTTPSConnection if place.scheme == "https" else http.client.HTTPConnection
    connection = kind(place.hostname, place.port, timeout=RECEIVER_S)
    try:
        headers = {"Authorization": f"Bearer {ops_tokens[0]}"} if ops_tokens else {}
        connection.request("GET", f"{place.path.rstrip('/')}/readyz", headers=headers)
        reply = connection.getresponse()
        said = json.loads(reply.read(MOST_BYTES))
    except http.client.HTTPException as error:
        raise ValueError("what answers is no receiver") from error
    finally:
        connection.close()
    if reply.status not in {200, 503} or not isinstance(said, dict) or not {"status", "redis"} & said.keys():
        raise ValueError("what answers is no receiver")
    return Told(reply.status == http.client.OK, said if "redis" in said else None)


def look_at_receiver(found: Findings, url: str, *, ops_tokens: Sequence[str], config: str, named: bool) -> None:
    """Ask the receiver at ``url`` and judge its answer; ``named``: the operator said that there is one.

    ``config`` is the digest of the configuration that this command reads.
    """
    try:
        told = ask(url, ops_tokens)
    except (OSError, ValueError) as error:
        found.values["receiver"] = "does not answer"
        sentence = f"receiver: none answers at {url}: {error}"
        if named:
            found.wrong.append(sentence)
        else:
            found.warnings.append(f"{sentence}; where it runs elsewhere, name it with --receiver")
        return
    found.values["receiver"] = "ok" if told.ready else "stores nothing"
    if not told.ready:
        found.wrong.append(f"receiver: at {url} no webhook can be stored now")
    if told.parts is None:
        found.warnings.append("receiver: it tells no more without one of its ops_tokens; this configuration has none")
        return
    _judge_spool(found, told.parts.get("spool") or {})
    _judge_config(found, told.parts.get("config") or {}, config)
    if refused := told.parts.get("refused"):
        counts = ", ".join(f"{reason} {count}" for reason, count in refused.items())
        found.warnings.append(f"receiver: it has refused requests since it started, by reason: {counts}")
    if told.parts.get("redis") != "ok" and found.values.get("redis") == "ok":
        found.wrong.append("receiver: it reaches no Redis, and this command does")


def _judge_spool(found: Findings, spool: dict[str, Any]) -> None:
    """Judge the spool that the receiver has, whatever this command's environment says of one."""
    found.values["spool"] = {**(found.values.get("spool") or {}), **spool}
    match spool.get("state"):
        case "off":
            found.warnings.append("spool: off at the receiver: while Redis is away every webhook is refused, and gone")
        case "volatile":
            found.warnings.append(
                "spool: volatile at the receiver: what comes while Redis is away is answered 503 and may be lost"
            )
        case "failing":
            found.wrong.append("spool: failing at the receiver: its disk takes nothing")
        case _:
            pass
    waiting = f"spool: {spool.get('events')} events wait for Redis"
    if spool.get("events") and waiting not in found.warnings:
        found.warnings.append(waiting)


def _judge_config(found: Findings, told: dict[str, Any], config: str) -> None:
    digest = told.get("digest")
    if digest and config and digest != config:
        found.warnings.append(
            f"configuration: the receiver works by another file ({digest}) than this command reads ({config})"
        )
