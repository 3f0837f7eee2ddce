"""How fast webhooks are acknowledged: at full speed, with every write synced, and at ease."""

import os
from statistics import median
from typing import Any

from redis import Redis

from deploy.local.redis_server import RedisServer, find_binary
from tests.bench.figures import Figure, Limit, alternate, column, cpu_a_unit, middle, ratio_limit
from tests.bench.floors.process import listening
from tests.bench.scale import Scale
from tests.bench.system import System, drive, running, spent, wait_until
from tests.bench.usage import cpu_s

FLOOR = "tests.bench.floors.receiver"


def _take(system: System, **order: Any) -> dict[str, Any]:
    system.flush()
    before = system.cpu()
    run = drive(system.stack.port, kind="pairs", **order)
    if run["refused"] or run["lost"]:
        raise AssertionError(f"{run['refused']} webhooks refused, {run['lost']} lost")
    cpu = spent(before, system.cpu())
    return run | {"cpu": {"driver": run["cpu_s"], "receiver": cpu["receiver"], "redis": cpu["redis"]}}


def _floor(port: int, pid: int, **order: Any) -> dict[str, Any]:
    before = cpu_s(pid)
    run = drive(port, kind="plain", **order)
    return run | {"cpu": {"driver": run["cpu_s"], "floor": cpu_s(pid) - before}}


def _full_speed(scale: Scale, name: str, *, appendfsync: str, must: float, aim: float, timed: bool) -> list[Figure]:
    count = scale.of(40_000)
    with running(appendfsync=appendfsync) as system, listening(FLOOR) as (port, pid):
        system.start_receiver()
        _take(system, count=2_000)
        _floor(port, pid, count=2_000)
        runs, floors = alternate(
            scale.pairs, lambda _: _take(system, count=count), lambda _: _floor(port, pid, count=count)
        )
    rate, floor = column(runs, "per_s"), column(floors, "per_s")
    limits, note = [ratio_limit(rate, floor, must=must, aim=aim)], ""
    if timed:
        limits.append(Limit(name="p99 ms", value=middle(runs, "p99_ms"), must=20, aim=15, at_most=True))
        note = f"p99 of the floor {middle(floors, 'p99_ms'):.3g} ms"
    cpu = cpu_a_unit(runs) | {"floor": cpu_a_unit(floors)["floor"]}
    return [Figure(row=name, unit="acks/s", subject=rate, floor=floor, limits=limits, cpu=cpu, note=note)]


def ack(scale: Scale) -> list[Figure]:
    """Measure 64 connections at full speed."""
    return _full_speed(scale, "ack", appendfsync="everysec", must=0.55, aim=0.70, timed=True)


def ack_always(scale: Scale) -> list[Figure]:
    """Measure the same with every write synced to the disk."""
    return _full_speed(scale, "ack, AOF always", appendfsync="always", must=0.25, aim=0.38, timed=False)


def ack_at_ease(scale: Scale) -> list[Figure]:
    """Measure 500 webhooks a second, sent whatever becomes of those before."""
    with running() as system:
        system.start_receiver()
        _take(system, count=1_000, rate=500)
        runs = [_take(system, count=scale.of(5_000), rate=500) for _ in range(scale.pairs)]
    limits = [
        Limit(name="p50 ms", value=middle(runs, "p50_ms"), must=4, aim=2, at_most=True),
        Limit(name="p99 ms", value=middle(runs, "p99_ms"), must=15, aim=8, at_most=True),
    ]
    return [
        Figure(row="ack at ease", unit="ms p50", subject=column(runs, "p50_ms"), limits=limits, cpu=cpu_a_unit(runs))
    ]


def ack_replicas(scale: Scale) -> list[Figure]:
    """Measure acknowledgements that wait for a replica, on loopback, beside those that do not; it has both to take."""
    count = scale.of(40_000)
    with running() as system:
        replica = RedisServer(system.stack.folder / "replica", binary=find_binary(os.environ), appendfsync="everysec")
        with replica:
            system.client.config_set("repl-diskless-sync-delay", 0)
            with Redis.from_url(replica.url) as client:
                client.replicaof("127.0.0.1", system.redis.port or 0)
            wait_until(lambda: _state_of_replica(system) == "online", 30, "the replica")

            def asking(replicas: int) -> dict[str, Any]:
                system.stack.environ["REDIS_MIN_REPLICAS"] = str(replicas)
                system.start_receiver()
                _take(system, count=2_000)
                run = _take(system, count=count)
                if "redis.refused" in system.stack.log("receiver"):
                    said = [line for line in system.stack.log("receiver").splitlines() if "webhook.taken" not in line]
                    raise AssertionError(f"the receiver went to its spool: {said[:9]}")
                system.stop_processes()
                return run

            runs, without = alternate(scale.pairs, lambda _: asking(1), lambda _: asking(0))
    rate, floor = column(runs, "per_s"), column(without, "per_s")
    limits = [
        ratio_limit(rate, floor, must=0.75, aim=0.9, name="of without"),
        Limit(name="p99 ms", value=middle(runs, "p99_ms"), must=30, aim=15, at_most=True),
    ]
    note = f"p99 without {middle(without, 'p99_ms'):.3g} ms"
    cpu = cpu_a_unit(runs) | {f"without: {role}": ms for role, ms in cpu_a_unit(without).items()}
    return [
        Figure(
            row="ack, REDIS_MIN_REPLICAS 1", unit="acks/s", subject=rate, floor=floor, limits=limits, cpu=cpu, note=note
        )
    ]


def _state_of_replica(system: System) -> str:
    return str(system.client.info("replication").get("slave0", {}).get("state"))


def two_receivers(scale: Scale) -> list[Figure]:
    """Measure two receivers on one port against one; each has its turn, for there are two cores for everything."""
    count = scale.of(40_000)
    with running() as system:

        def served_by(processes: int) -> dict[str, Any]:
            system.start_receiver("--processes", str(processes))
            wait_until(lambda: system.stack.log("receiver").count("receiver.listening") == processes, 30, "receivers")
            _take(system, count=2_000)
            run = _take(system, count=count)
            system.stop_processes()
            return run

        runs, floors = alternate(scale.pairs, lambda _: served_by(2), lambda _: served_by(1))
    rate, floor = column(runs, "per_s"), column(floors, "per_s")
    of_one = median(two / one for two, one in zip(rate, floor, strict=True))
    # What one receiver, Redis and the driver use for an acknowledgement is all that these cores have to give.
    most = (os.cpu_count() or 1) / sum(cpu_a_unit(floors).values()) * 1000 / median(floor)
    return [
        Figure(
            row="two receivers", unit="acks/s", subject=rate, floor=floor,
            limits=[Limit(name="of one", value=of_one, must=None, aim=1.4)],
            cpu=cpu_a_unit(runs) | {f"one: {role}": ms for role, ms in cpu_a_unit(floors).items()},
            note=f"all cores at the cost of one hold {most:.2f} of it",
        )
    ]  # fmt: skip
