"""Keeps Flower shut: it needs a password, binds loopback unless told otherwise, and is read-only."""

import sys
from collections.abc import MutableMapping, Sequence

from worker.environment import host_name, port_number


def guard_flower(argv: Sequence[str], environ: MutableMapping[str, str]) -> None:
    """Make ``celery -A worker flower`` safe; refuse it, with status 2, without ``FLOWER_BASIC_AUTH`` or ``REDIS_URL``.

    Flower's own defaults are an open page on every address, on which anyone may stop workers, and another broker.
    """
    if "flower" not in argv:
        return
    faults = []
    if not environ.get("REDIS_URL"):
        faults.append("REDIS_URL is required")
    for name, read in (("FLOWER_PORT", port_number), ("FLOWER_ADDRESS", host_name)):
        try:
            if value := environ.get(name, "").strip():
                read(value)
                environ[name] = value
            else:  # empty, the port would be no number and the address every one
                environ.pop(name, None)
        except ValueError as error:
            faults.append(f"environment: {name} {error}")
    password = environ.get("FLOWER_BASIC_AUTH", "").partition(":")[2]
    if not password and not any(argument.startswith("--basic-auth=") for argument in argv):
        faults.append("Flower needs a password: set FLOWER_BASIC_AUTH to user:password.")
    if faults:
        print(*faults, sep="\n", file=sys.stderr)  # noqa: T201
        raise SystemExit(2)
    environ.setdefault("FLOWER_ADDRESS", "127.0.0.1")
    environ["FLOWER_READ_ONLY"] = "True"
