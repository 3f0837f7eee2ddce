"""The app of a worker that is killed once a plan has handed it deliveries: ``-A tests.acceptance.dies_planning``."""

import os
import signal
from typing import Any

from tests.chaos.quick import app
from worker.ledger.ledger import Ledger

__all__ = ["app"]

_plan_and_take = Ledger.plan_and_take


async def _die(self: Ledger, *args: Any, **options: Any) -> Any:
    answer = await _plan_and_take(self, *args, **options)
    if any(planned.taken for planned in answer.plans):
        os.kill(os.getpid(), signal.SIGKILL)
    return answer


Ledger.plan_and_take = _die  # type: ignore[method-assign]
