"""Traces of dispatches: a span for each plan that made deliveries or settled where its call goes."""

import time
from collections.abc import Sequence

from worker.ledger.records import Plan, Planned, StoredCall
from worker.ledger.sender_mark import unmarked
from worker.traces import Span, Traces, span_of, webhook_span

STATES = {"w": "waiting", "r": "ready", "u": "unrouted", "x": "no_start"}


class DispatchTraces:
    """The spans of one batch."""

    def __init__(self, traces: Traces) -> None:
        self._traces = traces
        self._begun_ns = time.time_ns()

    async def about_to_plan(self, plans: Sequence[tuple[StoredCall, Plan]]) -> None:
        """Note which deliveries come of which plan, before anybody can attempt them."""
        made = {
            (plan.call_id, f"{new.destination}:{new.action}"): _span(plan)
            for _, plan in plans
            for new in plan.deliveries
        }
        if made:
            await self._traces.note_deliveries(made)

    def planned(self, plans: Sequence[tuple[StoredCall, Plan]], answers: Sequence[Planned]) -> None:
        """Write the spans of the plans that were applied."""
        for (before, plan), answer in zip(plans, answers, strict=True):
            if answer.applied:
                self._write(before, plan)

    def _write(self, before: StoredCall, plan: Plan) -> None:
        if not plan.deliveries and STATES[plan.state] == before.state:
            return
        texts = sorted((*before.texts, *before.folded), key=lambda text: int(text.partition(" ")[0]))
        self._traces.add(
            Span(
                name="dispatch", call_id=plan.call_id, span=_span(plan), begun_ns=self._begun_ns,
                ended_ns=time.time_ns(),
                attributes={
                    "call_id": plan.call_id, "state": STATES[plan.state], "deliveries": len(plan.deliveries),
                },
                events=tuple(webhook_span(plan.call_id, unmarked(text.partition(" ")[2])) for text in texts[-_MOST:]),
            )
        )  # fmt: skip


_MOST = 20  # events that a span links to, the latest


def _span(plan: Plan) -> str:
    return span_of("dispatch", plan.call_id, plan.version, plan.state)
