"""What the load driver and the vendor can do by themselves: no figure beyond that means anything."""

from tests.bench.figures import Figure, column, cpu_a_unit
from tests.bench.scale import Scale
from tests.bench.system import Vendor, drive
from tests.bench.usage import cpu_s


def ceilings(scale: Scale) -> list[Figure]:
    """Let the driver push to the vendor itself: what they do together, and by their CPU time each alone."""
    vendor = Vendor()
    runs = []
    try:
        for _ in range(scale.pairs):
            before = cpu_s(vendor.process.pid)
            run = drive(vendor.port, kind="plain", count=scale.of(40_000))
            runs.append(run | {"cpu": {"driver": run["cpu_s"], "vendor": cpu_s(vendor.process.pid) - before}})
    finally:
        vendor.stop()
    alone = {role: [run["count"] / run["cpu"][role] for run in runs] for role in ("driver", "vendor")}
    cpu = cpu_a_unit(runs)
    return [
        Figure(row="ceiling, driver and vendor together", unit="requests/s", subject=column(runs, "per_s"), cpu=cpu),
        *(Figure(row=f"ceiling, {role} alone", unit="requests/s", subject=alone[role]) for role in alone),
    ]
