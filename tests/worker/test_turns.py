"""A few threads work, and the rest hand over and go."""

import threading

import pytest

from worker.concurrency import BoundedExecutor


def _wait(event: threading.Event) -> None:
    assert event.wait(10)


def test_items_are_worked_on_one_after_the_other():
    """In the order in which they came."""
    done: list[str] = []
    turns = BoundedExecutor[str](1)
    for item in "abc":
        turns.take(item, done.append)

    assert ["a", "b", "c"] == done


def test_no_more_than_so_many_are_at_work_and_nothing_is_left_behind():
    """A thread that finds enough at work returns at once; those at work do what it brought."""
    turns = BoundedExecutor[int](2)
    begun, go = threading.Semaphore(0), threading.Event()
    done: list[int] = []
    most, now, lock = [0], [0], threading.Lock()

    def work(item: int) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        begun.release()
        _wait(go)
        with lock:
            now[0] -= 1
            done.append(item)

    busy = [threading.Thread(target=turns.take, args=(item, work)) for item in (1, 2)]
    for thread in busy:
        thread.start()
    for _ in busy:
        assert begun.acquire(timeout=10)
    for item in range(3, 11):
        turns.take(item, work)

    assert [] == done
    go.set()
    for thread in busy:
        thread.join(10)
    assert list(range(1, 11)) == sorted(done)
    assert 2 == most[0]


def test_work_that_raises_gives_its_turn_back():
    """The next item is worked on, and what stood in line behind the fault with it."""
    turns = BoundedExecutor[str](1)
    done: list[str] = []

    def work(item: str) -> None:
        if item == "bad":
            turns.take("behind", work)
            raise ZeroDivisionError
        done.append(item)

    with pytest.raises(ZeroDivisionError):
        turns.take("bad", work)
    turns.take("next", work)

    assert ["behind", "next"] == done
