"""The journal: every line on the disk in its order, a full disk told once, old files gone, erased events too."""

import resource
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from receiver import journal as journals
from receiver.journal import Journal, Lines, erase, files_in, read_line
from worker.ledger.records import Incoming

DAY = datetime(2026, 11, 29, 12, tzinfo=UTC)


def item(number: int, *, call_id: str = "") -> Incoming:
    """Make an event."""
    return Incoming(call_id or f"c{number}", number, f's{{"a":"{number}"}}')


def kept(folder: Path) -> list[Incoming]:
    """Read all that a journal has."""
    return list(Lines(files_in(folder)))


def opened(folder: Path, *, day: list[datetime] | None = None, **options: Any) -> Journal:
    """Open a journal whose day the test may change."""
    days_now = day or [DAY]
    return Journal(folder, retention=timedelta(days=30), now=lambda: days_now[0], **options)


def wait_for(fact: Callable[[], Any]) -> None:
    """Poll a fact; fails when it does not come true."""
    deadline = time.monotonic() + 10
    while not fact():
        assert time.monotonic() < deadline


def test_all_events_stand_there_in_their_order(tmp_path: Path):
    """Those that came with others and those that came alone; the file is its owner's."""
    journal = opened(tmp_path / "j")
    for start in range(0, 100, 10):
        journal.add([item(number) for number in range(start, start + 10)])
    journal.close()

    assert kept(tmp_path / "j") == [item(number) for number in range(100)]
    [file] = files_in(tmp_path / "j")
    assert file.name == "events-2026-11-29.jsonl"
    assert oct(file.stat().st_mode & 0o777) == "0o600"


def test_several_receivers_share_a_folder(tmp_path: Path):
    """No line of one is cut by another's."""
    made = [opened(tmp_path) for _ in range(3)]
    threads = [
        threading.Thread(target=lambda j=j, n=n: [j.add([item(n * 1000 + i)]) for i in range(200)])
        for n, j in enumerate(made)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for journal in made:
        journal.close()

    lines = Lines(files_in(tmp_path))
    assert sorted(one.received_us for one in lines) == sorted(n * 1000 + i for n in range(3) for i in range(200))
    assert lines.unreadable == []


def test_a_day_has_a_file_and_old_ones_go(tmp_path: Path):
    """A file is kept until its last event is older than the retention."""
    for old in ("2026-10-29", "2026-10-30", "2026-11-01"):
        (tmp_path / f"events-{old}.jsonl").write_bytes(b"")
    (tmp_path / "events-notes.jsonl").write_bytes(b"")
    day = [DAY]
    journal = opened(tmp_path, day=day)
    journal.add([item(1)])
    wait_for(lambda: any(b"c1" in path.read_bytes() for path in tmp_path.glob("events-2026-11-29*")))
    day[0] = DAY + timedelta(days=1)
    journal.add([item(2)])
    journal.close()

    assert [file.name for file in files_in(tmp_path)] == [
        "events-2026-11-01.jsonl", "events-2026-11-29.jsonl", "events-2026-11-30.jsonl",
    ]  # fmt: skip
    assert (tmp_path / "events-notes.jsonl").exists()


def test_a_full_disk_is_told_once_and_stops_nothing_else(tmp_path: Path):
    """It says so once, and goes on by itself when there is room; a torn line spoils no other."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    journal = opened(tmp_path, try_again_s=0)
    journal.add([item(1)])
    wait_for(lambda: kept(tmp_path))
    with capture_logs() as logs:
        resource.setrlimit(resource.RLIMIT_FSIZE, (files_in(tmp_path)[0].stat().st_size + 10, hard))
        try:
            journal.add([item(2)])
            wait_for(lambda: journal.fault)
            journal.add([item(3)])
            journal.add([item(4)])
            wait_for(lambda: not journal.waiting)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        journal.add([item(5)])
        journal.close()

    assert [line["event"] for line in logs if line["event"] != "journal.pruned"] == [
        "journal.stopped", "journal.resumed",
    ]  # fmt: skip
    assert journal.fault == ""
    found = kept(tmp_path)
    assert found[0] == item(1)
    assert found[-1] == item(5)


def test_a_disk_that_hangs_takes_no_more_memory_than_there_is(tmp_path: Path):
    """What is beyond is lost to the journal alone, and told."""
    journal = opened(tmp_path, max_waiting=100)
    with journals.locked(tmp_path), capture_logs() as logs:
        for number in range(1000):
            journal.add([item(number)])

        assert journal.fault == "the disk does not keep up"
    journal.close()
    assert [line["event"] for line in logs] == ["journal.stopped"]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path):
    """As a full disk is."""
    (tmp_path / "file").write_bytes(b"")
    journal = opened(tmp_path / "file" / "j")

    journal.add([item(1)])
    journal.close()

    assert journal.fault == "Not a directory"


def test_erased_events_leave_the_files_while_a_receiver_writes(tmp_path: Path):
    """The receiver goes on in the new file; nothing else is lost, torn lines stay."""
    journal = opened(tmp_path)
    journal.add([item(1, call_id="gone"), item(2)])
    wait_for(lambda: len(kept(tmp_path)) == 2)
    with files_in(tmp_path)[0].open("ab") as file:
        file.write(b"torn\n")

    count = erase(tmp_path, lambda one: one.call_id == "gone")
    journal.add([item(3)])
    journal.close()

    lines = Lines(files_in(tmp_path))
    assert (count, list(lines), len(lines.unreadable)) == (1, [item(2), item(3)], 1)
    assert all(b"gone" not in path.read_bytes() for path in tmp_path.iterdir())


@given(st.one_of(st.binary(max_size=60), st.builds(orjson.dumps, st.lists(st.one_of(st.integers(0, 3), st.text())))))
def test_any_line_is_an_event_or_none(line: bytes):
    """Whatever a disk or a later version left there."""
    found = read_line(line)

    assert found is None or isinstance(found, Incoming)
    assert read_line(orjson.dumps([1, 5, "c", "s{}", "more"])) == Incoming("c", 5, "s{}")
    assert read_line(orjson.dumps([2, 5, "c", "s{}"])) is None


@pytest.mark.parametrize("line", [b"0", b"null", b"true", b"{}", b'"text"', b"[]", b"[1]", b"nonsense"])
def test_json_that_is_no_event_is_none(line: bytes):
    """A torn line may be JSON by itself."""
    assert None is read_line(line)
