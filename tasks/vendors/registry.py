"""The vendors: one line each."""

from collections.abc import Iterable, Mapping

from tasks.vendors.captorra import Captorra
from tasks.vendors.comunik8 import Comunik8
from tasks.vendors.kapture import Kapture
from tasks.vendors.protocol import Vendor

_ALL: tuple[Vendor, ...] = (Captorra(), Comunik8(), Kapture())


def by_name(vendors: Iterable[Vendor]) -> Mapping[str, Vendor]:
    """Return vendors by ``spec.name``, which is the queue and the word of the configuration too."""
    return {vendor.spec.name: vendor for vendor in vendors}


VENDORS: Mapping[str, Vendor] = by_name(_ALL)

QUEUES = ("calls", *VENDORS, "callcap", "chores")
"""The broker's queues (contract, section 2)."""
