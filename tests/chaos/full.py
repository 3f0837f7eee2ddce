"""The worker's app of a full run (``-A tests.chaos.full``): as in production, but for the probes of an open circuit.

Those come 30 s to 5 min apart (contract, section 6), so how soon a vendor's calls move again after an outage would tell
when the next probe happens to come, and nothing of the system.
"""

from worker.celery import app
from worker.ledger.ledger import Timings

app.conf.update(switchboard_timings=Timings(probe=2_000, probe_max=5_000))

__all__ = ["app"]
