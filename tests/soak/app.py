"""The worker's app of a soak (``-A tests.soak.app``): callers are remembered for minutes instead of 400 days."""

from worker.celery import app
from worker.ledger.ledger import Timings

app.conf.update(switchboard_timings=Timings(memory=120_000))

__all__ = ["app"]
