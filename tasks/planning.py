"""Decides what a call is due: wait, route, deliver; pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.delacon import Merged, merge
from schemas.destination import Destination
from tasks.vendor import Vendor
from worker.ledger.records import FollowUp, NewDelivery, Plan, StoredCall
from worker.routes import destinations_of
from worker.settings import Settings

MISSED = frozenset({"unanswered", "busy"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """Plans calls by one configuration."""

    settings: Settings
    vendors: Mapping[str, Vendor]

    def plan(self, stored: StoredCall, *, now_ms: int) -> Plan:
        """Decide what happens to a call now (contract, section 5: when a call is ready, and revisions)."""
        merged = merge(stored.call_id, stored.events, default_region=self.settings.calls.default_region)
        ready, wait_until_ms = self._readiness(stored, merged, now_ms=now_ms)
        names = destinations_of(merged.call, self.settings.routes)
        deliveries: tuple[NewDelivery, ...] = ()
        if ready:
            state = "r" if names else "u"
            deliveries = self._deliveries(stored, merged, names)
        else:
            state = "w" if wait_until_ms else "x"
            early = tuple(name for name in names if merged.has_start and self._takes_at_start(name))
            deliveries = self._deliveries(stored, merged, early)
        return Plan(
            call_id=stored.call_id,
            version=stored.version,
            state=state,
            revision=merged.revision,
            wait_until_ms=wait_until_ms,
            routes=names if ready else (),
            deliveries=deliveries,
            follow_ups=self._follow_ups(merged) if ready else (),
        )

    def _readiness(self, stored: StoredCall, merged: Merged, *, now_ms: int) -> tuple[bool, int]:
        """Say whether the call is ready, and until when it waits; neither: its start never came."""
        if merged.whole or stored.state in {"ready", "unrouted"}:
            return True, 0
        if merged.first_start_us is not None:
            deadline_ms = merged.first_start_us // 1000 + round(self.settings.calls.end_wait_s * 1000)
            return (True, 0) if now_ms >= deadline_ms else (False, deadline_ms)
        deadline_ms = (merged.first_end_us or 0) // 1000 + round(self.settings.calls.start_wait_s * 1000)
        return False, 0 if now_ms >= deadline_ms else deadline_ms

    def _deliveries(self, stored: StoredCall, merged: Merged, names: tuple[str, ...]) -> tuple[NewDelivery, ...]:
        changed = 0 < stored.planned_version < stored.version
        made = []
        for name in names:
            vendor = self.vendors[self.settings.destinations[name].vendor]
            group = (merged.call.caller_digits or "") if vendor.one_at_a_time else ""
            if (name, "create") not in stored.deliveries:
                made.append(NewDelivery(destination=name, action="create", group=group))
            elif changed and vendor.updates:
                action = f"update-{merged.revision}"
                made.append(NewDelivery(destination=name, action=action, group=group, after="create"))
        return tuple(made)

    def _takes_at_start(self, name: str) -> bool:
        destination = self.settings.destinations[name]
        return self.vendors[destination.vendor].delivers_at_start(destination)

    def _follow_ups(self, merged: Merged) -> tuple[FollowUp, ...]:
        """Say where this call withdraws missed calls of its caller, or may be withdrawn itself."""
        call = merged.call
        if call.caller is None or call.result not in MISSED | {"answered"}:
            return ()
        answered = call.result == "answered"
        found = []
        for name in destinations_of(call, self.settings.routes, leaving_outcome_aside=answered):
            window_s = self._window_s(self.settings.destinations[name])
            if window_s is not None:
                follow = FollowUp(
                    destination=name,
                    caller=call.caller,
                    started_ms=round(call.started_at.timestamp() * 1000),
                    window_ms=round(window_s * 1000),
                    answered=answered,
                )
                found.append(follow)
        return tuple(found)

    def _window_s(self, destination: Destination) -> float | None:
        return self.vendors[destination.vendor].withdraw_within_s(destination)
