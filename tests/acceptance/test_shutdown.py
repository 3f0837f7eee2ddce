"""How worker processes end, and how they refuse to start."""

import signal
import subprocess
import sys
import time

from tests.acceptance.stack import END, ROOT, START, VENDORS, landed


def test_sigterm_ends_a_worker_within_25_seconds_though_every_vendor_hangs(make_stack):
    """Attempts with a timeout of 60 s are cut, recorded as unknown, and tried again by the next worker at once."""
    stack = make_stack(common='timeout = "60s"')
    stack.start()
    for vendor in VENDORS:
        stack.lay_fault({"vendor": vendor, "mode": "hang", "hang_s": 90})
    stack.post("create", START)
    stack.post("update", END)
    stack.wait_for(lambda: all(stack.requests(vendor) for vendor in VENDORS), 20, "three attempts under way")

    began = time.monotonic()
    worker = stack.processes.pop("worker0")
    worker.send_signal(signal.SIGTERM)

    assert 0 == worker.wait(30)
    assert time.monotonic() - began < 25

    stack.lift_faults()
    stack.start_worker("worker1")
    stack.wait_for(lambda: landed(stack, 1), 20, "three records")


def test_sigterm_ends_an_idle_worker_at_once(make_stack):
    """A worker with nothing under way does not wait for anything."""
    stack = make_stack()
    stack.start()
    stack.wait_for(lambda: "ready" in stack.log("worker0"), 20, "the worker")

    began = time.monotonic()
    worker = stack.processes.pop("worker0")
    worker.send_signal(signal.SIGTERM)

    assert 0 == worker.wait(10)
    assert time.monotonic() - began < 5


def test_a_worker_with_a_faulty_configuration_ends_with_status_2_and_every_fault(make_stack):
    """Nothing is consumed under a configuration that does not hold."""
    stack = make_stack(common='concurrency = 0\ncolour = "red"', environ={"LOG_LEVEL": "loud"})
    stack.start_worker("worker0")

    assert 2 == stack.processes.pop("worker0").wait(20)
    for word in ("LOG_LEVEL", "destinations.law.concurrency", "destinations.crm.colour", "switchboard.toml:"):
        assert word in stack.log("worker0")


def test_a_worker_without_redis_url_says_so(make_stack):
    """The missing variable is named."""
    stack = make_stack(environ={"REDIS_URL": ""})
    stack.start_worker("worker0")

    assert 2 == stack.processes.pop("worker0").wait(20)
    assert "REDIS_URL is required" in stack.log("worker0")


def test_flower_refuses_to_start_without_a_password(make_stack):
    """Its page would be open to anyone."""
    stack = make_stack()
    environ = {key: value for key, value in stack.environ.items() if key != "FLOWER_BASIC_AUTH"}
    command = [sys.executable, "-m", "celery", "-A", "worker", "flower", "--port=0"]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=30, check=False)

    assert 2 == done.returncode
    assert "FLOWER_BASIC_AUTH" in done.stderr
