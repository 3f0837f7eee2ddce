"""The local journal: durable before the answer, whole after a kill, shared by several processes."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from receiver.spool.file import MAX_BODIES, Body, SpoolError, SpoolFile, drain_lock
from receiver.spool.spool import MAX_JOBS, Spool
from worker.ledger.records import Incoming


def items(*numbers: int) -> list[Incoming]:
    """Make events whose receipt is their number."""
    return [Incoming(f"call-{n}", n, f's{{"PLA_CID":"{n}"}}') for n in numbers]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a place in a folder that is not there yet."""
    return tmp_path / "var" / "spool.db"


def test_gives_events_back_in_order_after_reopening(path):
    """What was put is there in the next life, oldest first."""
    first = SpoolFile(path)
    first.put(items(1, 2))
    first.put(items(3))
    first.close()
    again = SpoolFile(path)

    assert items(1, 2, 3) == [spooled.item for spooled in again.batch(10, now_us=0)]
    assert items(1, 2) == [spooled.item for spooled in again.batch(2, now_us=0)]
    again.close()


def test_settled_events_are_gone_and_postponed_ones_wait(path):
    """A refused event is put back and comes again after its time."""
    file = SpoolFile(path)
    file.put(items(1, 2, 3))
    one, two, _ = (spooled.seq for spooled in file.batch(10, now_us=0))
    file.settle(done=[one], postponed=[two], until_us=500)

    assert items(3) == [spooled.item for spooled in file.batch(10, now_us=499)]
    assert items(2, 3) == [spooled.item for spooled in file.batch(10, now_us=500)]
    file.close()


def test_tells_how_much_it_holds(path):
    """Count, oldest receipt and bytes; an empty one has no oldest."""
    file = SpoolFile(path)
    empty = file.status()
    file.put(items(7, 5))
    file.keep(Body(1, "create", "not JSON", b"\x00\xff"))
    status = file.status()
    file.close()

    assert (0, 0, None) == (empty.events, empty.bodies, empty.oldest_us)
    assert (2, 1, 5) == (status.events, status.bodies, status.oldest_us)
    assert status.size_bytes > 0


def test_keeps_a_bounded_number_of_bodies(path):
    """A flood of nonsense does not take the disk of the events; the bytes come back as they were."""
    file = SpoolFile(path)
    big = Body(1, "either", "not JSON", b"\x00\xff" * 1024 * 1024)
    kept = [file.keep(big) for _ in range(10)]
    found = file.bodies(100)
    file.drop_bodies([seq for seq, _ in found])

    assert [True] * 8 + [False] * 2 == kept
    assert [big] * 8 == [body for _, body in found]
    assert file.keep(big)
    assert MAX_BODIES == 1000
    file.close()


def test_a_full_disk_refuses_the_whole_group_and_keeps_what_was_there(path):
    """Nothing of a refused group is stored; after room is made it goes on."""
    file = SpoolFile(path, max_pages=40)
    stored = 0

    def fill():
        nonlocal stored
        for n in range(1000):
            file.put([Incoming(f"a{n}", n, "s" + "x" * 2000), Incoming(f"b{n}", n, "s" + "x" * 2000)])
            stored += 2

    with pytest.raises(SpoolError, match="full"):
        fill()

    assert stored == file.status().events
    assert stored > 0
    file.settle(done=[spooled.seq for spooled in file.batch(1000, now_us=0)])
    file.shrink()
    file.put(items(1))
    assert 1 == file.status().events
    file.close()


def test_drained_disk_is_given_back(path):
    """After a long outage the file is small again."""
    file = SpoolFile(path)
    file.put([Incoming(str(n), n, "s" + "x" * 1000) for n in range(2000)])
    before = file.status().size_bytes
    file.settle(done=[spooled.seq for spooled in file.batch(5000, now_us=0)])
    file.shrink()

    assert before > 2_000_000
    assert file.status().size_bytes < 100_000
    file.close()


def test_the_file_is_for_its_owner_only(path):
    """Phone numbers stand in it, and in its side files."""
    file = SpoolFile(path)
    file.put(items(1))
    modes = {p.name: p.stat().st_mode & 0o777 for p in path.parent.iterdir()}
    file.close()

    assert {"spool.db": 0o600, "spool.db-wal": 0o600, "spool.db-shm": 0o600} == modes


def test_a_file_that_is_no_spool_is_refused_and_left_alone(tmp_path):
    """A wrong SPOOL_PATH must not cost anybody a file."""
    path = tmp_path / "letter.txt"
    path.write_text("Dear reader, " * 100)
    with pytest.raises(SpoolError, match=r"letter\.txt"):
        SpoolFile(path)

    assert path.read_text().startswith("Dear reader")


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    """A folder where the file should be, a file where the folder should be."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError):
        SpoolFile(tmp_path)
    with pytest.raises(SpoolError):
        SpoolFile(tmp_path / "file" / "spool.db")


def test_one_at_a_time_drains(path):
    """The lock is the process's own and ends with it."""
    SpoolFile(path).close()
    with drain_lock(path) as mine, drain_lock(path) as other:
        assert (True, False) == (mine, other)
    with drain_lock(path) as again:
        assert again


def test_a_lock_leaves_nothing_behind_and_trips_over_nothing_left_behind(path):
    """An earlier version left ``spool.db-drain``, which another user's receiver could not open."""
    SpoolFile(path).close()
    before = sorted(path.parent.iterdir())
    with drain_lock(path) as mine:
        assert mine
    assert before == sorted(path.parent.iterdir())

    path.with_name(path.name + "-drain").mkdir()  # not to be opened for writing, by whomever
    with drain_lock(path) as mine:
        assert mine


def test_a_lock_keeps_sqlites_own(path):
    """Taking and giving back the lock drops none of SQLite's: whoever closes last does not take the journal away."""
    file = SpoolFile(path)
    file.put(items(1))
    with drain_lock(path):
        pass
    pid = os.fork()
    if not pid:  # another process opens and closes the file, as ``switchboard spool status`` does
        SpoolFile(path).close()
        os._exit(0)
    assert 0 == os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    assert path.with_name(path.name + "-wal").exists()
    file.close()


def test_a_folder_that_is_gone_is_a_fault_of_the_spool(tmp_path):
    """It is told as such, and not as an error of the system."""
    with pytest.raises(SpoolError), drain_lock(tmp_path / "gone" / "spool.db"):
        pass


@pytest.mark.skipif(os.getuid() != 0, reason="only root can act as another user")
@pytest.mark.parametrize("mode", [0o755, 0o555])
def test_root_who_drains_first_does_not_keep_the_receiver_from_draining(mode):
    """Nor does a folder in which the receiver may not make files."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    path = folder / "spool.db"
    try:
        os.chown(folder, NOBODY, NOBODY)
        as_nobody(lambda: SpoolFile(path).put(items(1)))
        with drain_lock(path) as mine:
            assert mine
        folder.chmod(mode)
        as_nobody(lambda: _drains(path))
    finally:
        shutil.rmtree(folder)


NOBODY = 65534


def as_nobody(work):
    """Do something in a process of another user."""
    pid = os.fork()
    if not pid:
        status = 1
        try:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            work()
            status = 0
        finally:
            os._exit(status)
    assert 0 == os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _drains(path):
    with drain_lock(path) as mine:
        assert mine


def test_several_processes_share_one_file(path):
    """Two connections write in turn, and both see everything."""
    one, two = SpoolFile(path), SpoolFile(path)
    for n in range(0, 50, 2):
        one.put(items(n))
        two.put(items(n + 1))

    assert 50 == one.status().events == two.status().events
    one.close()
    two.close()


def test_a_locked_file_refuses_in_time(path):
    """Somebody who holds the file for long costs a refusal, not a hanging answer."""
    file = SpoolFile(path)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(SpoolError, match="locked"):
        file.put(items(1))
    holder.execute("ROLLBACK")
    holder.close()
    file.put(items(1))

    assert 1 == file.status().events
    file.close()


_WRITER = """
import sys
from pathlib import Path
from receiver.spool.file import SpoolFile
from worker.ledger.records import Incoming
file = SpoolFile(Path(sys.argv[1]))
for n in range(100000):
    file.put([Incoming(str(n), n, "s" + "x" * 500)])
    sys.stdout.write(f"{n}\\n")
    sys.stdout.flush()
"""


def test_what_was_acknowledged_survives_a_kill(path):
    """SIGKILL in the middle of writing: every put that returned is there, and the file is whole."""
    for _ in range(3):
        before = SpoolFile(path)
        there = before.status().events
        before.close()
        writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        acknowledged = 0
        while acknowledged < 20:
            assert writer.stdout.readline()
            acknowledged += 1
        writer.kill()
        acknowledged += len(writer.stdout.read().splitlines())
        writer.stdout.close()
        writer.wait()
        after = SpoolFile(path)
        found = after.status().events - there
        after.close()

        assert acknowledged <= found <= acknowledged + 1


def test_what_is_removed_is_overwritten_though_its_page_stays_in_use(path):
    """An event beside it is kept, and nothing of the removed one is left once the WAL has been emptied."""
    file = SpoolFile(path)
    file.put([Incoming("kept", 1, "s-kept"), Incoming("gone", 2, "s-0491570156"), Incoming("kept", 3, "s-kept")])
    file.shrink()
    assert b"0491570156" in path.read_bytes()
    file.settle(done=[2])
    file.shrink()

    assert not [one for one in path.parent.iterdir() if b"0491570156" in one.read_bytes()]
    assert 2 == file.status().events
    file.close()


async def test_the_thread_does_the_same(path):
    """The asynchronous face stores, gives back and closes."""
    spool = Spool.at(path)
    await spool.put(items(1, 2))
    batch = await spool.batch(1, now_us=0)
    await spool.settle(done=[batch[0].seq])
    await spool.probe()
    status = await spool.status()
    await spool.close()

    assert items(1) == [spooled.item for spooled in batch]
    assert 1 == status.events


async def test_a_disk_that_hangs_costs_a_bounded_number_of_jobs(path):
    """Beyond it the spool refuses at once; what was begun is still done."""
    spool = Spool.at(path)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    jobs = [asyncio.ensure_future(spool.put(items(n))) for n in range(MAX_JOBS)]
    await asyncio.sleep(0)
    with pytest.raises(SpoolError, match="keep up"):
        await spool.put(items(99))
    holder.execute("ROLLBACK")
    holder.close()
    done = await asyncio.gather(*jobs, return_exceptions=True)
    await spool.close()

    assert done.count(None) >= MAX_JOBS - 1
