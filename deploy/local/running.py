"""A local stack that is ready, as the work on it sees it."""

from dataclasses import dataclass

import aiohttp

from deploy.local.preparation import Preparation
from deploy.local.stack import Stack
from worker.ledger.ledger import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A stack that is ready."""

    preparation: Preparation
    stack: Stack
    ledger: Ledger
    session: aiohttp.ClientSession
    since_ms: int
    """When it was started, by the ledger's clock."""
