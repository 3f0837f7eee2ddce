"""What runs: the version of the code, and the format of the ledger that it writes."""

from importlib.metadata import PackageNotFoundError, version

LEDGER_FORMAT = 2
"""The number of the format in which this version writes the ledger (contract, section 12)."""


def code_version() -> str:
    """Return the version of the installed code, such as ``1.0.0``; ``unknown`` where it is not installed."""
    try:
        return version("switchboard")
    except PackageNotFoundError:
        return "unknown"
