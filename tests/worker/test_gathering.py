"""One at work, the others hand over."""

import threading

from worker.concurrency import IdBatcher

BATCH = 10


def test_the_first_is_to_do_it_and_the_others_are_not():
    """What they handed over is given to the first, each once, in the order of arrival."""
    gathering = IdBatcher()

    assert gathering.join(["a"])
    assert ["a"] == gathering.take(BATCH)
    assert not gathering.join(["b", "c"])
    assert not gathering.join(["c", "d"])
    assert ["b", "c", "d"] == gathering.take(BATCH)
    assert gathering.take(BATCH) is None
    assert not gathering.join(["e"])
    assert gathering.stay()
    assert ["e"] == gathering.take(BATCH)
    assert not gathering.stay()
    assert gathering.join(["f"])


def test_all_that_is_due_is_asked_for_once():
    """After what was named, however many asked."""
    gathering = IdBatcher()

    assert gathering.join([])
    assert not gathering.join([])
    assert not gathering.join(["a"])
    assert [["a"], [], None] == [gathering.take(BATCH) for _ in range(3)]


def test_who_was_named_twice_does_not_ask_for_all():
    """Only an empty list does."""
    gathering = IdBatcher()

    assert gathering.join(["a"])
    assert not gathering.join(["a"])
    assert [["a"], None] == [gathering.take(BATCH) for _ in range(2)]


def test_batches_are_bounded():
    """What is left comes next."""
    gathering = IdBatcher()
    gathering.join([str(number) for number in range(BATCH + 1)])

    assert [BATCH, 1] == [len(gathering.take(BATCH) or ()) for _ in range(2)]


def test_who_fails_leaves_and_the_next_is_to_do_it():
    """What waited is dropped: the ledger knows it."""
    gathering = IdBatcher()
    gathering.join(["a", "b"])
    gathering.leave()

    assert gathering.join(["c"])
    assert ["c"] == gathering.take(BATCH)


def test_nothing_handed_over_is_left_by_threads_that_come_and_go():
    """However they meet, each id is taken by exactly one, and never two are at work."""
    gathering, at_work = IdBatcher(), threading.Lock()
    taken: list[str] = []
    alone: list[bool] = []

    def work(name: int) -> None:
        for number in range(300):
            if not gathering.join([f"{name}-{number}"]):
                continue
            while gathering.stay():
                batch = gathering.take(BATCH) or []
                alone.append(at_work.acquire(blocking=False))
                taken.extend(batch)
                at_work.release()

    threads = [threading.Thread(target=work, args=[name]) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(f"{name}-{number}" for name in range(4) for number in range(300)) == sorted(taken)
    assert all(alone)
