"""Durations as settings write them: ``10s``, ``30m``, ``4h``, ``30d``, or ``off``."""

import re

_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)\s*([smhd])", re.ASCII)
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_duration(text: str) -> float:
    """Read a number and one unit (s, m, h, d) as seconds; raises ``ValueError`` on anything else."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError("not a duration; write a number and a unit, such as 10s, 30m, 4h or 30d")
    return float(match[1]) * _SECONDS[match[2]]


def parse_duration_or_off(text: str) -> float | None:
    """Read a duration as seconds, or ``off`` as ``None``; raises ``ValueError`` on anything else."""
    return None if text.strip().casefold() == "off" else parse_duration(text)
