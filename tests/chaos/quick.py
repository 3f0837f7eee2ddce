"""The worker's app with shorter waits handed in, for runs that must end soon (``-A tests.chaos.quick``)."""

from worker.celery import app
from worker.ledger.ledger import Timings

app.conf.update(
    switchboard_timings=Timings(probe=1_000, probe_max=4_000, blocked_probe=2_000, wake=4_000),
    switchboard_lease_margin_s=2.0,
)

__all__ = ["app"]
