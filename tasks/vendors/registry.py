"""The vendors: one line each."""

from collections.abc import Iterable, Mapping

from schemas.destination import Destination
from tasks.vendors.captorra import Captorra
from tasks.vendors.comunik8 import Comunik8
from tasks.vendors.kapture import Kapture
from tasks.vendors.protocol import Considerate, Vendor

_ALL: tuple[Vendor, ...] = (Captorra(), Comunik8(), Kapture())


def by_name(vendors: Iterable[Vendor]) -> Mapping[str, Vendor]:
    """Return vendors by ``spec.name``, which is the queue and the word of the configuration too."""
    return {vendor.spec.name: vendor for vendor in vendors}


VENDORS: Mapping[str, Vendor] = by_name(_ALL)


def list_ages(destinations: Mapping[str, Destination]) -> Mapping[str, float]:
    """Return the destinations that ask for a do-not-call list, and how old it may be in seconds."""
    found = {}
    for name, destination in destinations.items():
        vendor = VENDORS[destination.vendor]
        if isinstance(vendor, Considerate) and (age_s := vendor.list_age_s(destination)) is not None:
            found[name] = age_s
    return found


QUEUES = ("calls", *VENDORS, "callcap", "chores")
"""The broker's queues (contract, section 2)."""
