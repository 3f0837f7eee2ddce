"""A call's whole path through real processes: webhook in, three vendors out."""

import threading

from tests.acceptance.stack import END, START, VENDORS, end_of, landed, start_of


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


def test_a_worker_killed_right_after_a_plan_loses_and_doubles_nothing(make_stack):
    """What the plan handed over is nobody's until the lease ends; then it is sent, and sent once."""
    stack = make_stack(common='timeout = "1s"')
    stack.start(workers=0)
    stack.start_worker("dies", app="tests.acceptance.dies_planning")
    assert stack.post("create", START)[0] == 200
    assert stack.post("update", END)[0] == 200
    stack.wait_for(lambda: stack.processes["dies"].poll() is not None, 60, "the worker's death")
    assert [0, 0, 0] == [stack.requests(vendor) for vendor in VENDORS]
    del stack.processes["dies"]

    stack.start_worker("lives", app="tests.chaos.quick")

    stack.wait_for(lambda: landed(stack, 1), 60, "three records")
    assert [1, 1, 1] == [stack.requests(vendor) for vendor in VENDORS]
    assert '"reason": "interrupted"' in stack.log("lives") or "leases_expired" in stack.log("lives")


def test_calls_are_delivered_by_the_worker_that_planned_them_without_a_message(make_stack):
    """A plan hands over what its worker has room for; the queues of the vendors stay empty."""
    stack = make_stack()
    stack.start()
    for number in range(20):
        assert stack.post("create", start_of(f"m-{number}", f"+614915702{number:02}"))[0] == 200
        assert stack.post("update", end_of(f"m-{number}"))[0] == 200
    stack.wait_for(lambda: landed(stack, 20), 60, "all records")

    assert "deliver[" not in stack.log("worker0")


def test_a_worker_of_the_calls_alone_delivers_nothing_itself(make_stack):
    """``-Q`` splits the work by vendor: what another worker is to deliver is not handed over here."""
    stack = make_stack()
    stack.start(workers=0)
    stack.start_worker("plans", "-Q", "calls")
    stack.start_worker("delivers", "-Q", "captorra,comunik8,kapture")
    stack.wait_for(stack.receiver_answers, 60, "the receiver")
    for number in range(5):
        assert stack.post("create", start_of(f"q-{number}", f"+614915702{number:02}"))[0] == 200
        assert stack.post("update", end_of(f"q-{number}"))[0] == 200
    stack.wait_for(lambda: landed(stack, 5), 60, "all records")
    # A line is written after its vendor's answer is noted.
    stack.wait_for(lambda: stack.log("delivers").count("delivery.attempted") == 15, 60, "all lines")

    assert "delivery.attempted" not in stack.log("plans")
