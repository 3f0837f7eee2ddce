"""Keeps the stand-ins' records in a file: a vendor forgets nothing when its process is killed."""

from collections import deque
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import orjson

from deploy.local.standins.store import HISTORY_KEPT, Record, Shelf, Store


def keep(store: Store, file: Path) -> None:
    """Load the records of a file into a store, then write every change behind them, one line each."""
    if file.exists():
        for line in file.read_bytes().splitlines():
            _read(line, store)
    for vendor, shelf in store.shelves.items():
        shelf.changed = _writer(file, vendor, shelf)


def _read(line: bytes, store: Store) -> None:
    try:
        change = orjson.loads(line)
    except ValueError:  # cut off by a kill
        return
    shelf, given = store.shelves[change["vendor"]], change["record"]
    shelf.last_number = change["number"]
    if given is None:
        shelf.records.pop(change["key"], None)
        return
    given["history"] = deque(given["history"], maxlen=HISTORY_KEPT)
    shelf.records[change["key"]] = Record(**given)


def _writer(file: Path, vendor: str, shelf: Shelf) -> Callable[[str], None]:
    names = [field.name for field in fields(Record)]

    def write(key: str) -> None:
        record = shelf.records.get(key)
        given = None if record is None else {name: getattr(record, name) for name in names}
        if given is not None:
            given["history"] = list(given["history"])
        change = {"vendor": vendor, "key": key, "number": shelf.last_number, "record": given}
        with file.open("ab") as journal:  # the line is with the kernel before the vendor answers
            journal.write(orjson.dumps(change) + b"\n")

    return write
