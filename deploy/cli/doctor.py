"""``switchboard doctor``: looks whether everything that should run does."""

import asyncio
import http.client
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from redis import RedisError
from redis.asyncio import Redis

from deploy.cli.console import Failed, Misconfigured, emit, json_option, say, shown
from deploy.cli.session import read_environment, read_settings
from deploy.cli.spool import look
from receiver.ready import durability
from worker.broker import open_redis
from worker.ledger.ledger import Ledger
from worker.ledger.overview import Overview

OLDEST_DUE_S = 60.0  # due work is taken within a second; later, nobody takes it
REDIS_S = 5.0
FLOWER_S = 2.0
LEAST_REDIS = (6, 2)
_LOSES = {
    "always": "a killed Redis loses nothing",
    "everysec": "a killed Redis may lose up to 2 s; appendfsync always loses nothing",
    "none": "a restarted Redis loses everything: set appendonly yes and appendfsync always",
    "unknown": "Redis does not say whether it keeps what it took",
}


@dataclass(slots=True)
class Findings:
    """What was found: values by name, what is wrong, and what is worth knowing."""

    values: dict[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@click.command
@json_option
def doctor(*, as_json: bool) -> None:
    """Look whether everything that should run does.

    The configuration, Redis and what it keeps when killed, workers, the age of the oldest due work, the spool, and
    whether Flower asks for a password. Status 1 when something is wrong, 2 when the configuration is.
    """
    found = Findings()
    faults, names = _look_at_configuration(found)
    try:
        environment = read_environment()
    except Misconfigured as error:
        faults += [fault for fault in error.faults if fault not in faults]
    else:
        asyncio.run(_look_at_redis(found, environment.redis_url, names))
        _look_at_spool(found, environment.spool_path)
    found.values["flower"] = _look_at_flower(found)
    if as_json:
        emit({"ok": not (faults or found.wrong), **found.values, "problems": [*faults, *found.wrong],
              "warnings": found.warnings})  # fmt: skip
    else:
        for name, value in found.values.items():
            click.echo(shown(f"{name}: {value}"))
    for warning in [] if as_json else found.warnings:
        say(f"warning: {warning}")
    if faults:
        raise Misconfigured([*faults, *found.wrong])
    if found.wrong:
        raise Failed("\n".join(found.wrong))


def _look_at_configuration(found: Findings) -> tuple[list[str], list[str]]:
    """Give the faults, and the names of the destinations."""
    try:
        _, settings = read_settings()
    except Misconfigured as error:
        found.values["configuration"] = "faulty"
        return list(error.faults), []
    found.values["configuration"] = "ok"
    return [], list(settings.destinations)


async def _look_at_redis(found: Findings, redis_url: str, names: list[str]) -> None:
    found.values |= {"redis": "down", "durability": "unknown", "workers": None, "oldest_due_seconds": None}
    try:
        async with open_redis(redis_url, timeout_s=REDIS_S) as redis:
            await _look_at_server(found, redis)
            _look_at_work(found, await Ledger(redis).overview(names))
    except (RedisError, OSError) as error:
        found.wrong.append(f"redis: does not answer: {error}")


async def _look_at_server(found: Findings, redis: Redis) -> None:
    about: dict[str, Any] = await redis.info()
    found.values["redis"] = "ok"
    version = str(about.get("redis_version", "0"))
    if tuple(int(part) for part in version.split(".")[:2] if part.isdigit()) < LEAST_REDIS:
        found.wrong.append(f"redis: {version} is older than 6.2")
    if about.get("role") != "master":
        found.wrong.append("redis: this is a replica, which takes no writes")
    if about.get("cluster_enabled"):
        found.wrong.append("redis: a Cluster cannot be used; give one primary")
    if about.get("maxmemory") and about.get("maxmemory_policy") != "noeviction":
        found.wrong.append(f"redis: maxmemory-policy is {about['maxmemory_policy']}: it may drop calls; set noeviction")
    kept = found.values["durability"] = await durability(redis)
    if kept != "always":
        (found.wrong if kept == "none" else found.warnings).append(f"durability: {kept}: {_LOSES[kept]}")


def _look_at_work(found: Findings, overview: Overview) -> None:
    oldest = round(overview.oldest_due_seconds, 3)
    found.values |= {"workers": overview.workers, "oldest_due_seconds": oldest}
    if not overview.workers:
        found.wrong.append("workers: none has shown itself in the last 10 s")
    if oldest > OLDEST_DUE_S:
        found.wrong.append(f"oldest_due_seconds: {oldest:.0f}: due work is not taken")
    for status in overview.destinations:
        if status.shut_by:
            found.warnings.append(f"destinations: {status.name} is held ({status.shut_by}), {status.queued} wait")
        if status.dead:
            found.warnings.append(f"dead letters: {status.dead} of {status.name}")
    for count, what in (
        (overview.no_start, "calls whose start never came"),
        (overview.unrouted, "calls that match no route"),
        (overview.quarantined, "bodies in quarantine"),
    ):
        if count:
            found.warnings.append(f"{count} {what}")


def _look_at_spool(found: Findings, path: Path | None) -> None:
    try:
        found.values["spool"] = {"state": "ok" if path else "off", **look(path)}
    except Failed as error:
        found.values["spool"] = {"state": "failing"}
        found.wrong.append(f"spool: {error.message}")
        return
    if found.values["spool"]["events"]:
        found.warnings.append(f"spool: {found.values['spool']['events']} events wait for Redis")


def _look_at_flower(found: Findings) -> str:
    """Say whether Flower runs on this machine and asks for a password; an open one is wrong."""
    host = os.environ.get("FLOWER_ADDRESS") or "127.0.0.1"
    connection = http.client.HTTPConnection(host, int(os.environ.get("FLOWER_PORT") or 5555), timeout=FLOWER_S)
    try:
        connection.request("GET", "/")
        reply = connection.getresponse()
        if "tornado" not in (reply.getheader("Server") or "").lower():
            return "not running here"
        if reply.status == http.client.UNAUTHORIZED:
            return "asks for a password"
    except (OSError, ValueError, http.client.HTTPException):
        if not os.environ.get("FLOWER_BASIC_AUTH"):
            found.warnings.append("flower: FLOWER_BASIC_AUTH is not set here, so Flower does not start")
        return "not running here"
    finally:
        connection.close()
    found.wrong.append(f"flower: on {host} it asks for no password")
    return "open"
