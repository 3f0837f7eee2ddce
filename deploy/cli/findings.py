"""The findings of ``switchboard doctor`` on Redis, the work, the receiver, the spool and Flower."""

import http.client
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from redis import RedisError, ResponseError
from redis.asyncio import Redis

from deploy.cli.output import Failed, counted
from deploy.cli.spool import look
from deploy.cli.values import iso
from receiver.health import durability
from worker.broker import open_redis
from worker.build import LEDGER_FORMAT
from worker.config.environment import Environment, port_number
from worker.config.values import is_loopback
from worker.ledger.do_not_call import fault_of, loaded_list
from worker.ledger.keys import SHELF_KEY
from worker.ledger.ledger import Ledger
from worker.ledger.overview import Overview
from worker.ledger.schema import at_time, changed_in_words, read_schema
from worker.ledger.sign_ins import differing
from worker.primary import NotPrimaryError
from worker.redis_address import RedisAddress

OLDEST_DUE_S = 60.0  # due work is taken within a second; later, nobody takes it
REDIS_S = 5.0
LIST_SOON_S = 3 * 86_400.0  # for so long a list that gets too old is told beforehand
FLOWER_S = 2.0
FLOWER_PORT = 5555  # its own default
LEAST_REDIS = (6, 2)
_LOSES = {
    "always": "a killed Redis loses nothing",
    "everysec": "a killed Redis may lose up to 2 s; appendfsync always loses nothing",
    "none": "a restarted Redis loses everything: set appendonly yes and appendfsync always",
    "unknown": "Redis does not say whether it keeps what it took, or this user may not ask (INFO, CONFIG GET)",
}


@dataclass(slots=True)
class Findings:
    """What was found: values by name, what is wrong, and what is worth knowing."""

    values: dict[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


async def look_at_redis(
    found: Findings, redis_url: str, names: Mapping[str, str], *, config: str, list_ages: Mapping[str, float]
) -> None:
    """Look at the Redis server, the workers and the due work.

    ``names``: the destinations of this configuration, each with its vendor; ``config``: the digest of its file;
    ``list_ages``: those that ask for a do-not-call list, and how old it may be in seconds.
    """
    _look_at_address(found, redis_url)
    found.values |= {"redis": "down", "durability": "unknown", "workers": None, "oldest_due_seconds": None}
    try:
        async with open_redis(redis_url, timeout_s=REDIS_S) as redis:
            ledger = Ledger(redis)
            await _look_at_server(found, redis)
            await _look_at_schema(found, redis)
            overview = await ledger.overview(names)
            _look_at_work(found, overview)
            _look_at_configurations(found, overview, config)
            _look_at_queues(found, overview, names)
            await _look_at_list(found, ledger, list_ages, now_ms=overview.now_ms)
            await _try_a_write(found, ledger)
    except (RedisError, OSError) as error:
        found.wrong.append(f"redis: does not answer: {error}")


async def _look_at_server(found: Findings, redis: Redis) -> None:
    await redis.ping()
    found.values["redis"] = "ok"
    kept = found.values["durability"] = await durability(redis)
    if kept != "always":
        (found.wrong if kept == "none" else found.warnings).append(f"durability: {kept}: {_LOSES[kept]}")
    try:
        about: dict[str, Any] = await redis.info()
    except ResponseError:
        found.warnings.append(
            "redis: this user may not run INFO, so version, role, Cluster and maxmemory-policy are unknown"
        )
        return
    version = str(about.get("redis_version", "0"))
    if tuple(int(part) for part in version.split(".")[:2] if part.isdigit()) < LEAST_REDIS:
        found.wrong.append(f"redis: {version} is older than 6.2")
    if about.get("role") != "master":
        found.wrong.append("redis: this is a replica, which takes no writes")
    if about.get("cluster_enabled"):
        found.wrong.append("redis: a Cluster cannot be used; give one primary")
    if about.get("maxmemory") and about.get("maxmemory_policy") != "noeviction":
        found.wrong.append(f"redis: maxmemory-policy is {about['maxmemory_policy']}: it may drop calls; set noeviction")


async def _look_at_schema(found: Findings, redis: Redis) -> None:
    schema = await read_schema(redis)
    shelved = await redis.zcard(SHELF_KEY)
    found.values["ledger"] = {"format": schema.format, "set_aside": shelved or None}
    if schema.fault:
        found.wrong.append(f"ledger: {schema.fault}")
    elif schema.format < LEDGER_FORMAT:
        found.warnings.append(
            f"ledger: it has format {schema.format}, and this version writes {LEDGER_FORMAT}: run `switchboard ledger"
            " migrate`"
        )
    if shelved:
        found.warnings.append(
            f"ledger: {counted(shelved, 'record')} set aside, unreadable here; `switchboard ledger check`"
        )
    if schema.changed:
        found.wrong.append(f"ledger: {changed_in_words(schema.changed)}")
    if schema.restored:
        taken = at_time(schema.restored["taken_ms"])
        found.warnings.append(
            f"ledger: restored from a backup of {taken}; it does not know what was delivered, paused, suppressed or"
            " erased after that"
        )


async def _try_a_write(found: Findings, ledger: Ledger) -> None:
    """Try the write that every webhook needs, whatever the server reports."""
    try:
        await ledger.ping()
    except NotPrimaryError:
        if not any("replica" in wrong for wrong in found.wrong):
            found.wrong.append("redis: this is a replica, or has none that it needs: it takes no writes")
    except ResponseError as error:
        found.wrong.append(f"redis: takes no writes: {error}")


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


async def _look_at_list(found: Findings, ledger: Ledger, list_ages: Mapping[str, float], *, now_ms: int) -> None:
    """Look whether leads are held for want of a do-not-call list, or will be soon."""
    listed = await loaded_list(ledger)
    if listed is not None:
        found.values["do_not_call"] = {"numbers": listed.count, "loaded_at": iso(listed.loaded_ms)}
    for name, age_s in list_ages.items():
        if fault := fault_of(listed, age_s=age_s, now_ms=now_ms):
            found.wrong.append(
                f"do-not-call: {name} holds its leads, for {fault}; run `switchboard suppress import FILE`"
            )
        elif fault_of(listed, age_s=age_s - LIST_SOON_S, now_ms=now_ms):
            found.warnings.append(f"do-not-call: within 3 days the list is too old, and {name} holds its leads")


def _look_at_address(found: Findings, redis_url: str) -> None:
    address = RedisAddress.parse(redis_url)
    beyond = [host for host, _ in address.hosts if not is_loopback(host)]
    if beyond and not address.password:
        found.warnings.append(f"redis: no password is given for {', '.join(beyond)}: anyone who reaches it reads all")


def _look_at_configurations(found: Findings, overview: Overview, config: str) -> None:
    found.values["configurations"] = configurations = differing(overview.sign_ins, config) or None
    for digest, workers in (configurations or {}).items():
        whose = f"worker {', '.join(sorted(workers))}" if workers else "this command"
        found.warnings.append(f"configuration: {whose} works by file {digest}: the files of the processes differ")


def _look_at_queues(found: Findings, overview: Overview, names: Mapping[str, str]) -> None:
    """Look for work that nothing will take: queues without a worker, and destinations without a configuration."""
    if overview.sign_ins and all(one.queues for one in overview.sign_ins):
        consumed = {queue for one in overview.sign_ins for queue in one.queues}
        for queue in sorted({"calls", *names.values()} - consumed):
            found.wrong.append(f"queues: no worker takes from {queue!r}: what is due there waits")
    for status in overview.destinations:
        if names and status.name not in names and status.queued:
            found.warnings.append(
                f"destinations: {status.name} is not in this configuration, and {status.queued} wait for it; "
                f"`switchboard deliveries cancel --destination {status.name}` ends them"
            )


def look_at_spool(found: Findings, path: Path | None) -> None:
    """Look whether the spool can be read, and whether something waits in it."""
    try:
        found.values["spool"] = {"state": "ok" if path else "off", **look(path)}
    except Failed as error:
        found.values["spool"] = {"state": "failing"}
        found.wrong.append(f"spool: {error.message}")
        return
    if found.values["spool"]["events"]:
        found.warnings.append(f"spool: {counted(found.values['spool']['events'], 'event')} waiting for Redis")


def look_at_flower(found: Findings) -> str:
    """Return whether Flower runs on this machine and asks for a password; an open one is wrong."""
    host = os.environ.get("FLOWER_ADDRESS") or "127.0.0.1"
    try:
        port = port_number(os.environ.get("FLOWER_PORT", "").strip() or str(FLOWER_PORT))
    except ValueError as error:
        found.wrong.append(f"flower: FLOWER_PORT {error}")
        return "not looked for"
    connection = http.client.HTTPConnection(host, port, timeout=FLOWER_S)
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
    """Judge the receiver's spool, which may be another one than this command's environment names."""
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
    waiting = f"spool: {counted(spool.get('events') or 0, 'event')} waiting for Redis"
    if spool.get("events") and waiting not in found.warnings:
        found.warnings.append(waiting)


def _judge_config(found: Findings, told: dict[str, Any], config: str) -> None:
    digest = told.get("digest")
    if digest and config and digest != config:
        found.warnings.append(
            f"configuration: the receiver works by another file ({digest}) than this command reads ({config})"
        )
