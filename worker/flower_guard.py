"""Keeps Flower shut: it needs a password, binds loopback unless told otherwise, and is read-only."""

import sys
from collections.abc import MutableMapping, Sequence


def guard_flower(argv: Sequence[str], environ: MutableMapping[str, str]) -> None:
    """Refuse ``celery -A worker flower`` without ``FLOWER_BASIC_AUTH`` (exit status 2) and set its safe defaults.

    Flower's own defaults are an open page on every address, on which anyone may stop workers.
    """
    if "flower" not in argv:
        return
    password = environ.get("FLOWER_BASIC_AUTH", "").partition(":")[2]
    if not password and not any(argument.startswith("--basic-auth=") for argument in argv):
        print("Flower needs a password: set FLOWER_BASIC_AUTH to user:password.", file=sys.stderr)  # noqa: T201
        raise SystemExit(2)
    environ.setdefault("FLOWER_ADDRESS", "127.0.0.1")
    environ["FLOWER_READ_ONLY"] = "True"
