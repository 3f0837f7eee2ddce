"""A call's whole path through real processes: webhook in, three vendors out."""

import threading

from tests.acceptance.stack import END, START, VENDORS, landed


def test_the_documents_bodies_land_once_at_each_vendor(make_stack):
    """Delacon's two sample bodies, as they stand, make one record at each vendor."""
    stack = make_stack()
    stack.start()

    assert (200, {"PLA_Call_Id": "1122334", "success": "true", "error": ""}) == stack.post("create", START)
    assert (200, {"PLA_Call_Id": "1122334", "success": "true", "error": ""}) == stack.post("update", END)
    stack.wait_for(lambda: landed(stack, 1), 20, "three records")
    assert [1, 1, 1] == [stack.requests(vendor) for vendor in VENDORS]


def test_an_end_before_its_start_lands_once(make_stack):
    """The order of arrival does not matter, and the address does not either."""
    stack = make_stack()
    stack.start()

    stack.post("", END)
    stack.post("", START)
    stack.wait_for(lambda: landed(stack, 1), 20, "three records")


def test_two_hundred_copies_of_each_land_once(make_stack):
    """A call that is pushed again and again, both events at once, is one record and one request at each vendor."""
    stack = make_stack()
    stack.start(workers=2)

    def push() -> None:
        for _ in range(50):
            assert stack.post("create", START)[0] == 200
            assert stack.post("update", END)[0] == 200

    threads = [threading.Thread(target=push) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    stack.wait_for(lambda: landed(stack, 1), 20, "three records")
    assert [1, 1, 1] == [stack.requests(vendor) for vendor in VENDORS]


def test_a_worker_killed_in_the_middle_of_a_batch_loses_and_doubles_nothing(make_stack):
    """Kill -9 while attempts are under way: another worker takes them up after their lease, once each."""
    stack = make_stack(common='timeout = "1s"\nconcurrency = 8')
    stack.start()
    for vendor in VENDORS:
        stack.lay_fault({"vendor": vendor, "latency_ms": 300})
    numbers = [f"+6149157{number:04d}" for number in range(100, 160)]
    for place, number in enumerate(numbers):
        body = START.replace(b"1122334", b"kill-%d" % place).replace(b"+61444444444", number.encode())
        assert stack.post("create", body)[0] == 200
        assert stack.post("update", END.replace(b"1122334", b"kill-%d" % place))[0] == 200
    stack.wait_for(lambda: len(stack.records("captorra")) > 5, 20, "a batch under way")

    stack.kill("worker0")
    stack.start_worker("worker1")

    stack.wait_for(lambda: landed(stack, len(numbers)), 60, "every call at every vendor")
    for vendor in VENDORS:
        assert len(numbers) == len(stack.records(vendor))
