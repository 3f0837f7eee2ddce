"""The faults, one a row; each is played while a load runs, and returns when it has ended."""

import math
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.acceptance.flood import flood, flooder
from tests.acceptance.stack import ROOT, TOKEN
from tests.chaos.replicated import LaggingSystem, MixedSystem, MovingSystem, SentinelSystem, UnaskedSystem, earlier_code
from tests.chaos.system import WORKERS, System
from tests.crowd import crowd_before

Fault = Callable[[System, "Scale", Random], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much and how long: the full run's figures, or the short one's."""

    calls: int
    rate: float
    share: float
    """Of each fault's full duration and number of kills."""

    def seconds(self, full: float) -> float:
        """Scale a duration."""
        return full * self.share

    def times(self, full: int) -> int:
        """Scale a number of kills."""
        return max(2, round(full * self.share))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the table; ``judged``: whether losses count against the run."""

    name: str
    play: Fault
    judged: bool = True
    most_s: float = 30.0
    """Seconds to recovery. More where work is lost in flight, a worker's or the answer to a claim: it comes back after
    its lease."""
    system: type[System] = System
    """Rows of another than the usual one have one of their own each."""
    p99_s: float = math.inf
    """How long the answers to the load may take; where that is judged, nobody listens to Redis."""


def no_fault(system: System, scale: Scale, rng: Random) -> None:
    """Play nothing: the row to compare with."""


def kill_workers(system: System, scale: Scale, rng: Random) -> None:
    """Kill -9 one worker after the other, and start it again."""
    for _ in range(scale.times(20)):
        name = rng.choice(WORKERS)
        system.stack.kill(name)
        system.start_worker(name)
        time.sleep(rng.uniform(0.5, 2.5))


def freeze_workers(system: System, scale: Scale, rng: Random) -> None:
    """Stop one worker after the other in its tracks until its leases are over, and let it go on."""
    for name in rng.sample(WORKERS, len(WORKERS)):
        pid = system.stack.processes[name].pid
        os.kill(pid, signal.SIGSTOP)
        time.sleep(scale.seconds(45))
        os.kill(pid, signal.SIGCONT)
        time.sleep(scale.seconds(5))


def kill_receiver(system: System, scale: Scale, rng: Random) -> None:
    """Kill -9 the receiver, and start it again."""
    for _ in range(scale.times(10)):
        time.sleep(rng.uniform(0.2, 1.0))
        system.stack.kill("receiver")
        system.start_receiver()


def kill_redis(system: System, scale: Scale, rng: Random) -> None:
    """Kill -9 Redis, and start it again on the same file."""
    for _ in range(scale.times(5)):
        time.sleep(rng.uniform(0.5, 1.5))
        system.redis.kill()
        time.sleep(rng.uniform(0.2, 1.0))
        system.redis.start()


def kill_redis_everysec(system: System, scale: Scale, rng: Random) -> None:
    """Do the same while Redis syncs once a second."""
    for _ in range(scale.times(5)):
        system.control("CONFIG", "SET", "appendfsync", "everysec")
        time.sleep(rng.uniform(0.5, 1.5))
        system.redis.kill()
        time.sleep(rng.uniform(0.2, 1.0))
        system.redis.start()


def freeze_redis(system: System, scale: Scale, rng: Random) -> None:
    """Stop Redis in its tracks."""
    del rng
    system.redis.freeze()
    time.sleep(scale.seconds(15))
    system.redis.thaw()


def fill_redis(system: System, scale: Scale, rng: Random) -> None:
    """Let Redis refuse every write for want of memory."""
    del rng
    system.control("CONFIG", "SET", "maxmemory", "1mb")
    time.sleep(scale.seconds(15))
    system.control("CONFIG", "SET", "maxmemory", "0")


def lose_messages(system: System, scale: Scale, rng: Random) -> None:
    """Delete every Celery list, again and again: the wake-ups are lost."""
    for _ in range(scale.times(20)):
        system.control("DEL", "calls", "captorra", "comunik8", "kapture", "callcap", "unacked", "unacked_index")
        time.sleep(rng.uniform(0.1, 0.5))


def half_open(system: System, scale: Scale, rng: Random) -> None:
    """Let the network to Redis swallow everything."""
    del rng
    system.proxy.swallow()
    time.sleep(scale.seconds(20))
    system.proxy.restore()


def store_and_drop(system: System, scale: Scale, rng: Random) -> None:
    """Let every vendor store and then drop the connection, half of the time."""
    del rng
    system.stack.lift_faults()
    system.stack.lay_fault({"latency_ms": 20, "fail_rate": 0.5, "mode": "store_then_drop"})
    time.sleep(scale.seconds(20))
    system.calm()


def hang(system: System, scale: Scale, rng: Random) -> None:
    """Let Captorra hang."""
    del rng
    system.stack.lift_faults()
    system.stack.lay_fault({"vendor": "captorra", "mode": "hang", "hang_s": 60})
    system.stack.lay_fault({"latency_ms": 20, "fail_rate": 0.02})
    time.sleep(scale.seconds(60))
    system.calm()


def vendor_down(system: System, scale: Scale, rng: Random) -> None:
    """Let Kapture answer 503 to everything."""
    del rng
    system.stack.lift_faults()
    system.stack.lay_fault({"vendor": "kapture", "status": 503})
    system.stack.lay_fault({"latency_ms": 20, "fail_rate": 0.02})
    time.sleep(scale.seconds(180))
    system.calm()


def rolling_restart(system: System, scale: Scale, rng: Random) -> None:
    """End every process by SIGTERM, one after the other, and start it again."""
    del rng
    for _ in range(scale.times(3) - 1):
        for name in WORKERS:
            system.terminate(name)
            system.start_worker(name)
        system.terminate("receiver")
        system.start_receiver()


def full_disk(system: System, scale: Scale, rng: Random) -> None:
    """Let the spool's disk be full while Redis is away: the receiver must refuse, never pretend."""
    del rng
    system.terminate("receiver")
    system.start_receiver(largest_file=192 * 1024)
    os.kill(system.redis.pid, signal.SIGSTOP)
    time.sleep(scale.seconds(15))
    os.kill(system.redis.pid, signal.SIGCONT)
    system.terminate("receiver")
    system.start_receiver()


def fail_over(system: System, scale: Scale, rng: Random) -> None:
    """Let the replica become the primary and back, by FAILOVER and by hand; connections to the old one stay open."""
    with system.replicated() as pair:
        for by_hand in (False, True) * scale.times(4):
            pair.fail_over(by_hand=by_hand)
            time.sleep(rng.uniform(2.0, 4.0))
            pair.wait_until_linked()


def flood_a_call(system: System, scale: Scale, rng: Random) -> None:
    """Post hundreds of large and odd events for one of the load's calls; all of them must be answered 200."""
    del rng
    with flooder() as pool:
        posts = max(200, round(600 * scale.share))
        url = f"http://127.0.0.1:{system.stack.port}/services/calldata?token={TOKEN}"
        statuses = pool.submit(flood, url, f"{system.load}-1", "mixed", posts, 4).result()
    assert [200] * posts == statuses, "the flood was not acknowledged"


def crowd_at_the_door(system: System, scale: Scale, rng: Random) -> None:
    """Hold 4,000 half-open connections of 40 addresses, and 200 that ask and never read."""
    del rng
    seconds = scale.seconds(60)
    with crowd_before(system.stack.port, token=TOKEN, seconds=seconds + 60) as crowd:
        assert crowd.stdout
        assert crowd.stdout.readline() == "there\n"
        time.sleep(seconds)


def lose_the_ledger(system: System, scale: Scale, rng: Random) -> None:
    """Empty Redis while calls come in; put a backup back, and what the journal has, beside receivers that run on."""
    backup = str(system.stack.folder / f"{system.load}.sb")
    made = system.command("ledger", "backup", backup)
    time.sleep(scale.seconds(15) + rng.uniform(0.0, 1.0))
    system.control("FLUSHALL")
    time.sleep(rng.uniform(1.0, 3.0))
    for name in WORKERS:
        system.terminate(name)
    assert system.command("ledger", "info")["changed"]["what"] == "emptied"
    restored = system.command("ledger", "restore", backup, "--merge")
    assert restored["calls"] + restored["kept"] == made["calls"]
    system.command("import", "--journal")
    system.command("ledger", "check", "--fix")
    system.start_workers()


def move_the_ledger(system: System, scale: Scale, rng: Random) -> None:
    """Restore a backup on another server while the first goes on; take the rest from the journal, and change over."""
    assert isinstance(system, MovingSystem)
    backup = str(system.stack.folder / f"{system.load}.sb")
    made = system.command("ledger", "backup", backup)
    time.sleep(scale.seconds(15) + rng.uniform(0.0, 1.0))
    restored = system.command("ledger", "restore", backup, redis_url=system.other.url)
    assert restored["calls"] == made["calls"]
    for name in WORKERS:
        system.terminate(name)
    system.move()
    assert system.command("import", "--journal")["new"]
    system.command("ledger", "check", "--fix")
    system.start_workers()


def kill_primary(system: System, scale: Scale, rng: Random) -> None:
    """Kill -9 the primary; the Sentinels promote a replica, and the old one comes back as another."""
    del rng
    assert isinstance(system, SentinelSystem)
    for _ in range(max(1, scale.times(3) - 1)):
        old = system.sentinels.kill_primary()
        time.sleep(scale.seconds(5))
        system.sentinels.start(old)
        system.sentinels.wait_until_whole()


def switch_primary(system: System, scale: Scale, rng: Random) -> None:
    """Ask the Sentinels for a planned failover."""
    del rng
    assert isinstance(system, SentinelSystem)
    for _ in range(max(1, scale.times(3) - 1)):
        system.sentinels.switch()
        time.sleep(scale.seconds(5))
        system.sentinels.wait_until_whole()


def part_primary(system: System, scale: Scale, rng: Random) -> None:
    """Part the primary and its clients from replicas and Sentinels, so that there are two primaries for a while.

    Two vendors are down until the old primary has become a replica, so that what it took alone is owed then; the third
    goes on, and its contacts must not be made again by the new primary.
    """
    del rng
    assert isinstance(system, SentinelSystem)
    system.stack.lift_faults()
    for vendor in ("captorra", "comunik8"):
        system.stack.lay_fault({"vendor": vendor, "status": 503})
    system.stack.lay_fault({"latency_ms": 20})
    system.sentinels.part(seconds=scale.seconds(10))
    system.sentinels.wait_until_whole()
    system.calm()


def lag_and_kill(system: System, scale: Scale, rng: Random) -> None:
    """Let the replica be 3 s behind, then kill the primary and promote the replica by hand."""
    del rng
    assert isinstance(system, LaggingSystem)
    time.sleep(scale.seconds(15))
    system.lose_primary()


def roll(system: System, scale: Scale, rng: Random) -> None:
    """Replace each process by one of the version before, and again by one of this, mixed on one Redis."""
    del rng
    old = earlier_code(system.stack.folder / "earlier", EARLIER)
    for code in (old, ROOT):
        for name in (*WORKERS, "receiver"):
            system.terminate(name)
            system.stack.code = code
            system.start_receiver() if name == "receiver" else system.start_worker(name)
            time.sleep(scale.seconds(10))


LEASE_S = 90.0
EARLIER = "d2e3d6e"  # the last one without a format number
ROWS = (
    Row(name="none", play=no_fault),
    Row(name="worker SIGKILL", play=kill_workers, most_s=LEASE_S),
    Row(name="worker SIGSTOP", play=freeze_workers, most_s=LEASE_S),
    Row(name="receiver SIGKILL", play=kill_receiver),
    Row(name="Redis SIGKILL, AOF always", play=kill_redis, most_s=LEASE_S),
    Row(name="Redis SIGKILL, AOF everysec", play=kill_redis_everysec, judged=False),
    Row(name="Redis SIGSTOP", play=freeze_redis, most_s=LEASE_S),
    Row(name="Redis out of memory", play=fill_redis),
    Row(name="every Celery list deleted", play=lose_messages),
    Row(name="network to Redis half-open", play=half_open, most_s=LEASE_S),
    Row(name="vendors store and drop the connection", play=store_and_drop),
    Row(name="a vendor hangs", play=hang),
    Row(name="a vendor is down", play=vendor_down),
    Row(name="rolling SIGTERM of all processes", play=rolling_restart),
    Row(name="spool disk full, Redis away", play=full_disk),
    Row(name="planned failover, connections kept", play=fail_over, most_s=10.0),
    Row(name="one call id flooded", play=flood_a_call, p99_s=0.25),
    Row(name="half-open connections by the thousand", play=crowd_at_the_door),
    Row(name="rolling upgrade and back", play=roll, most_s=LEASE_S, system=MixedSystem),
    Row(name="Sentinel, primary SIGKILL", play=kill_primary, most_s=LEASE_S, system=SentinelSystem),
    Row(name="Sentinel, planned switch", play=switch_primary, most_s=LEASE_S, system=SentinelSystem),
    Row(name="Sentinel, two primaries for 10 s", play=part_primary, most_s=LEASE_S, system=SentinelSystem),
    Row(name="replica 3 s behind, primary SIGKILL", play=lag_and_kill, most_s=LEASE_S, system=LaggingSystem),
    Row(
        name="Sentinel, planned switch, REDIS_MIN_REPLICAS 0",
        play=switch_primary,
        system=UnaskedSystem,
        judged=False,
    ),
    Row(
        name="Sentinel, two primaries for 10 s, REDIS_MIN_REPLICAS 0",
        play=part_primary,
        system=UnaskedSystem,
        judged=False,
    ),
    Row(
        name="ledger moved to another server by backup and journal",
        play=move_the_ledger,
        most_s=LEASE_S,
        system=MovingSystem,
    ),
    Row(name="ledger emptied, backup and journal put back", play=lose_the_ledger, most_s=LEASE_S),
)
