"""Imports redis and structlog without what they would bring along where it is installed, and nobody here uses.

structlog.dev imports rich for tracebacks in colour, and redis.observability OpenTelemetry's API and the metrics of its
SDK: 11 MB of a receiver, and a tenth of its time to start. Imported first by what runs for long; whoever wants either
later still gets it.
"""

import sys

_UNUSED = [name for name in ("rich", "opentelemetry") if name not in sys.modules]

for _name in _UNUSED:
    sys.modules[_name] = None  # type: ignore[assignment]  # importing it fails, as where it is not installed
try:
    import redis.asyncio
    import structlog
finally:
    for _name in _UNUSED:
        del sys.modules[_name]

__all__ = ["redis", "structlog"]
