"""The planner: decides whether a call waits, and which deliveries it gets; pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from schemas.call import MISSED, Call
from schemas.delacon.events import Arrivals
from schemas.delivery import State
from tasks.vendors.protocol import Vendor
from worker.config.routes import destinations_of, mark
from worker.config.settings import Settings
from worker.ledger.records import About, FollowUp, NewDelivery, Plan, StoredCall, merged
from worker.ledger.sign_ins import Patience


@dataclass(frozen=True, kw_only=True)
class Planner:
    """Plans calls according to one configuration."""

    settings: Settings
    vendors: Mapping[str, Vendor]

    def plan(self, stored: StoredCall, *, now_ms: int) -> Plan:
        """Decide what happens to a call now (contract, section 5: when a call is ready, and revisions)."""
        arrivals = stored.arrivals
        ready, wait_until_ms = self._readiness(stored, arrivals, now_ms=now_ms)
        names: tuple[str, ...] = ()
        deliveries: tuple[NewDelivery, ...] = ()
        follow_ups: tuple[FollowUp, ...] = ()
        state = "w" if wait_until_ms else "x"
        about = None
        if ready:
            call = self._merge(stored)
            names = destinations_of(call, self.settings.routes)
            state = "r" if names else "u"
            deliveries = self._deliveries(stored, call, names, revision=arrivals.revision)
            follow_ups = self._follow_ups(call)
            about = About.of(call)
        elif arrivals.has_start and self._early:
            call = self._merge(stored)
            early = [name for name in destinations_of(call, self.settings.routes) if name in self._early]
            deliveries = self._deliveries(stored, call, early, revision=arrivals.revision)
            about = About.of(call)
        return Plan(
            call_id=stored.call_id,
            version=stored.version,
            state=state,
            revision=arrivals.revision,
            wait_until_ms=wait_until_ms,
            ready_ms=max(arrivals.first_start_us or 0, arrivals.first_end_us or 0) // 1000 if arrivals.whole else 0,
            routes=names,
            deliveries=deliveries,
            follow_ups=follow_ups,
            about=about,
            events=_events_of(stored),
        )

    def _merge(self, stored: StoredCall) -> Call:
        region = self.settings.calls.default_region
        return merged(stored.call_id, _events_of(stored), region, first_call=stored.first_call).call

    @cached_property
    def asks_for_first_calls(self) -> bool:
        """Say whether any route asks whether a call is its caller's first."""
        return any(route.first_call is not None for route in self.settings.routes)

    def caller_digits(self, stored: StoredCall) -> str:
        """Return the caller's digits of a call that is about to be routed, for whom nothing is noted yet; else nothing.

        Raises ``UnreadableError``.
        """
        arrivals = stored.arrivals
        if stored.first_call is not None or not (arrivals.has_start or arrivals.whole):
            return ""
        return self._merge(stored).caller_digits or ""

    @cached_property
    def patience(self) -> Patience:
        """Say how long a call waits for its other event: what ``accept`` need not have looked at before."""
        calls = self.settings.calls
        return Patience(
            end_ms=round(calls.end_wait_s * 1000), start_ms=round(calls.start_wait_s * 1000), early=bool(self._early)
        )

    @cached_property
    def _early(self) -> frozenset[str]:
        """Return the destinations that take a call when it has started."""
        destinations = self.settings.destinations
        return frozenset(n for n, d in destinations.items() if self.vendors[d.vendor].delivers_at_start(d))

    def _readiness(self, stored: StoredCall, arrivals: Arrivals, *, now_ms: int) -> tuple[bool, int]:
        """Return whether the call is ready, and until when it waits; neither: its start never came."""
        if arrivals.whole or stored.state in {"ready", "unrouted"}:
            return True, 0
        if arrivals.first_start_us is not None:
            deadline_ms = arrivals.first_start_us // 1000 + self.patience.end_ms
            return (True, 0) if now_ms >= deadline_ms else (False, deadline_ms)
        deadline_ms = (arrivals.first_end_us or 0) // 1000 + self.patience.start_ms
        return False, 0 if now_ms >= deadline_ms else deadline_ms

    def _deliveries(
        self, stored: StoredCall, call: Call, names: Iterable[str], *, revision: int
    ) -> tuple[NewDelivery, ...]:
        changed = 0 < stored.planned_version < stored.version
        made = []
        for name in names:
            vendor = self.vendors[self.settings.destinations[name].vendor]
            group = (call.caller_digits or "") if vendor.one_at_a_time else ""
            create = stored.deliveries.get((name, "create"))
            if create is not None and call.old_caller is not None and create.group == call.old_caller[1:]:
                group = create.group  # a version before made it: what is remembered of the caller stands under that
            if create is None:
                made.append(NewDelivery(destination=name, action="create", group=group))
            elif changed and vendor.updates and not (stored.folded and _update_waits(stored, name)):
                number = revision
                while (name, f"update-{number}") in stored.deliveries:
                    number += 1  # an event that was received first and entered last may leave the revision as it was
                made.append(NewDelivery(destination=name, action=f"update-{number}", group=group, after="create"))
        return tuple(made)

    def _follow_ups(self, call: Call) -> tuple[FollowUp, ...]:
        """Return where this call withdraws missed calls of its caller, or may be withdrawn itself."""
        if not self._withdrawing or call.caller is None or call.result not in MISSED | {"answered"}:
            return ()
        answered = call.result == "answered"
        found = []
        # Under the old reading stand the missed and the answered calls of the versions before.
        callers = (call.caller,) if call.old_caller is None else (call.caller, call.old_caller)
        matching = [route for route in self.settings.routes if route.matches(call, leaving_outcome_aside=answered)]
        for name, (window_s, scope) in self._withdrawing.items():
            marks = {"route": [route.mark for route in matching if name in route.to]}
            if not marks["route"] and not (answered and scope == "service"):
                continue
            # Calls of one service and category come by the same routes, also while the configuration changes.
            marks["route"].append(mark("k", call.service_id, call.service_category))
            marks["service"] = [mark("s", call.service_id) if call.service_id else mark("i", call.call_id)]
            found += [
                FollowUp(
                    destination=name,
                    caller=caller,
                    started_ms=round(call.started_at.timestamp() * 1000),
                    window_ms=round(window_s * 1000),
                    answered=answered,
                    marks=(*marks["route"], *marks["service"]),
                    asks=tuple(marks.get(scope, ())),
                )
                for caller in callers
            ]
        return tuple(found)

    @cached_property
    def _withdrawing(self) -> Mapping[str, tuple[float, str]]:
        """Return the destinations where an answered call withdraws missed ones: within how many seconds, and whose."""
        found = {}
        for name, destination in self.settings.destinations.items():
            vendor = self.vendors[destination.vendor]
            if (window_s := vendor.withdraw_within_s(destination)) is not None:
                found[name] = (window_s, vendor.withdraw_scope(destination))
        return found


def _events_of(stored: StoredCall) -> tuple[str, ...]:
    """Return the events as a claim gives them: planning and delivering then share one merge."""
    return (*stored.texts, *stored.folded) if stored.folded else stored.texts


def _update_waits(stored: StoredCall, destination: str) -> bool:
    """Return whether an update waits already; it will send the call as it then stands, so a flood makes no other."""
    return any(
        name == destination and action.startswith("update") and record.state in {State.QUEUED, State.RETRYING}
        for (name, action), record in stored.deliveries.items()
    )
