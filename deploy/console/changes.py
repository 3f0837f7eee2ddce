"""The changes that a visitor may make: each is read, checked, confirmed, and made in the visitor's name."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final
from uuid import uuid4

from deploy import actions
from deploy.cli.erase import erase_traces
from deploy.cli.output import Failed
from deploy.cli.rendering import Cause, dead_line
from deploy.cli.selection import SAVED_UNPROCESSED
from deploy.cli.send import Sender
from deploy.cli.session import Session
from deploy.console.access import Visitor
from deploy.console.chores import STEP, Act, Chore, Chores, TooManyChores
from deploy.console.proposals import Fields, Outcome, Proposal, Refused
from deploy.console.rendering import many
from deploy.console.story import vendor_name, why
from deploy.local.webhooks import TEST_CALLER, test_call
from schemas.delivery import FINAL, DeliveryKey, State
from schemas.phones.asked_number import AskedNumber
from worker.ledger import admin, queries
from worker.ledger.audit import Action, Actor, named, note
from worker.ledger.records import DeliveryRecord
from worker.redaction import mask_number

MOST: Final = 100_000
"""Dead letters of one chore; what is left stays on the page."""
_OPEN: Final = frozenset({State.QUEUED, State.RETRYING})


class Changes:
    """Makes changes for one visitor."""

    def __init__(self, session: Session, visitor: Visitor, chores: Chores, *, address: str) -> None:
        actor = Actor(
            who=visitor.user.name, door="console", address=address, keep_s=session.settings.console.audit_retention_s
        )
        self._session = replace(session, actor=actor)
        self._user = visitor.user
        self._chores = chores

    async def propose(self, name: str, fields: Fields) -> Proposal:
        """Read and check a change; raises ``Refused``."""
        read = CHANGES.get(name)
        if read is None:
            raise Refused("There is no such change.", status=404)
        return await read(self, fields)

    async def retry(self, fields: Fields) -> Proposal:
        """Try waiting deliveries now."""
        keys = await self._deliveries(fields, _OPEN, "wait for their time")
        return self._of(
            keys, "deliveries.retry", partial(admin.retry, self._session.ledger), done="will be sent at once",
            question=f"Send {_count(keys)} now, without waiting?", button="Send now",
        )  # fmt: skip

    async def cancel(self, fields: Fields) -> Proposal:
        """Cancel deliveries that are not sent."""
        keys = await self._deliveries(fields, _OPEN, "wait to be sent")
        return self._of(
            keys, "deliveries.cancel", partial(admin.cancel, self._session.ledger), done="cancelled",
            question=f"Cancel {_count(keys)} for good?", button="Cancel the delivery", danger=True,
            warning="It is not sent. If an earlier try got no answer, the vendor may have it nevertheless.",
        )  # fmt: skip

    async def redeliver(self, fields: Fields) -> Proposal:
        """Deliver final deliveries again."""
        keys = await self._deliveries(fields, FINAL, "are over")
        act = partial(actions.redeliver, self._session, states=tuple(FINAL))
        return self._of(
            keys, "deliveries.redeliver", act, done="will be delivered again", button="Deliver again", danger=True,
            question=f"Deliver {_count(keys)} again?", warning="The vendor may then have it twice.",
        )  # fmt: skip

    async def replay(self, fields: Fields) -> Proposal:
        """Put dead letters back: those named, or all of one cause."""
        act = partial(actions.replay, self._session)
        if fields.values.get("key"):
            keys = await self._deliveries(fields, frozenset({State.DEAD}), "were given up")
            return self._of(
                keys, "dead.replay", act, done="will be tried again", question=f"Try {_count(keys)} again?",
                button="Try again",
            )  # fmt: skip
        cause, keys = await self._of_cause(fields)
        saved = cause.reason == SAVED_UNPROCESSED
        return self._chore(
            keys, cause, "dead.replay", act, title="Trying again", rate=fields.rate(),
            question=f"Try all {_count(keys)} for {cause.destination} again ({why(cause.reason)})?",
            button=f"Try {len(keys):,} again", danger=saved,
            warning="The vendor has saved these: trying again saves them twice." if saved else "",
        )  # fmt: skip

    async def drop(self, fields: Fields) -> Proposal:
        """Return dead letters up for good: those named, or all of one cause."""
        act = partial(admin.drop, self._session.ledger)
        warning = "They leave this list and are not sent. Their calls are kept."
        if fields.values.get("key"):
            keys = await self._deliveries(fields, frozenset({State.DEAD}), "were given up")
            return self._of(
                keys, "dead.drop", act, done="dropped", question=f"Drop {_count(keys)} for good?", button="Drop",
                danger=True, warning=warning,
            )  # fmt: skip
        cause, keys = await self._of_cause(fields)
        return self._chore(
            keys, cause, "dead.drop", act, title="Dropping", rate=None, danger=True, warning=warning,
            question=f"Drop all {_count(keys)} for {cause.destination} for good ({why(cause.reason)})?",
            button=f"Drop {len(keys):,}",
        )  # fmt: skip

    async def pause(self, fields: Fields) -> Proposal:
        """Stop sending to a destination."""
        name = await self._destination(fields)

        async def run() -> Outcome:
            changed = await admin.pause(self._session.ledger, name, by=self._does("destinations.pause", name))
            return Outcome(text=f"{name} is paused." if changed else f"{name} was paused already.", count=int(changed))

        return Proposal(
            question=f"Pause {name}?", button="Pause", run=run,
            warning="Nothing is sent to it until it is resumed. What comes meanwhile waits and is not lost.",
        )  # fmt: skip

    async def resume(self, fields: Fields) -> Proposal:
        """Send to a destination again."""
        name = await self._destination(fields)

        async def run() -> Outcome:
            was = await admin.resume(self._session.ledger, name, by=self._does("destinations.resume", name))
            again = f"{name} is sent to again: what waits goes out now, and this page follows it."
            return Outcome(text=again if was else f"{name} was sent to all the time.", count=int(bool(was)))

        return Proposal(
            question=f"Send to {name} again?", button="Resume", run=run,
            warning="What waits for it is sent at once. If it refuses again, it is blocked again, and nothing is lost.",
        )  # fmt: skip

    async def test(self, fields: Fields) -> Proposal:
        """Ask a destination something that creates nothing."""
        name = await self._destination(fields)
        destination = self._session.settings.destinations.get(name)
        if destination is None:
            raise Refused(f"{name} is not in the configuration any more.", status=409)

        async def run() -> Outcome:
            await note(self._session.ledger, self._does("destinations.test", name))
            tested = await actions.test_destination(destination)
            said = "; ".join(filter(None, [tested.did, tested.words]))
            passed = f"the test passed ({tested.milliseconds} ms)"
            then = " If it is still blocked or paused, resume it: what waits is sent then." if tested.ok else ""
            text = f"{name}: {passed if tested.ok else why(tested.reason)}: {said}.{then}"
            return Outcome(text=text, count=1, ok=tested.ok, details=tested.shape())

        return Proposal(
            question=f"Test {name}?", button="Test", run=run, asks=False,
            warning=f"{vendor_name(destination.vendor)} is asked something that creates nothing.",
        )  # fmt: skip

    async def reroute(self, fields: Fields) -> Proposal:
        """Route a call, or all that matched no route, by the present configuration."""
        self._needs_all()
        named_one = fields.one("call_id", most=400)
        if named_one and await queries.load_one(self._session.ledger, named_one) is None:
            raise Refused("There is no such call.", status=404)
        ids = [named_one] if named_one else await queries.unrouted(self._session.ledger)
        which = named_one or "all unrouted"

        async def run() -> Outcome:
            by, made, unrouted = self._does("calls.reroute", which), 0, 0
            for start in range(0, len(ids), STEP):
                done = await actions.reroute(self._session, ids[start : start + STEP], by=by)
                made, unrouted = made + done.deliveries, unrouted + done.unrouted
            left = f"; {many(unrouted, 'call')} still match no route" if unrouted else ""
            return Outcome(text=f"{many(made, 'new delivery', 'new deliveries')}{left}.", count=len(ids))

        return Proposal(
            question=f"Route {many(len(ids), 'call')} by the present routes?", button="Route again", run=run,
            warning="Deliveries that there are stay as they are.",
        )  # fmt: skip

    async def erase(self, fields: Fields) -> Proposal:
        """Remove what is kept of a call."""
        self._needs_all()
        call_id = fields.needed("call_id")
        if await queries.load_one(self._session.ledger, call_id) is None:
            raise Refused("There is no such call.", status=404)

        async def run() -> Outcome:
            try:
                done = await erase_traces(self._session, caller=None, call_id=call_id, sure=lambda *_: None)
            except Failed:
                raise Refused("There is no such call any more.", status=404) from None
            held = sorted({one["destination"] for one in done["vendors_hold"]})
            vendors = f" What was sent is still at {', '.join(held)}." if held else ""
            return Outcome(text=f"The call was erased.{vendors}", count=done["calls"], place="/calls", details=done)

        return Proposal(
            question=f"Erase call {call_id}?", button="Erase it for good", run=run, danger=True,
            warning="Its webhooks, deliveries and dead letters are removed, what is not sent is cancelled, and nothing "
            "brings it back. The id alone stays remembered.",
        )  # fmt: skip

    async def retry_body(self, fields: Fields) -> Proposal:
        """Read a quarantined body again."""
        self._needs_all()
        body_id = fields.needed("id")
        [body] = await queries.find_bodies(self._session.ledger, [body_id])
        if body is None:
            raise Refused("It is not in quarantine any more.", status=404)

        async def run() -> Outcome:
            by = self._does("quarantine.retry", body_id)
            done = await actions.retry_body(self._session, body_id, body, by=by)
            place = f"/calls/{done['call_id']}" if done["accepted"] else ""
            text = "It is a call now." if done["accepted"] else f"It still cannot be read: {done['outcome']}."
            return Outcome(text=text, count=int(done["accepted"]), ok=done["accepted"], place=place, details=done)

        return Proposal(question="Read this webhook again?", button="Read again", run=run)

    async def suppress(self, fields: Fields) -> Proposal:
        """Make no lead for a number any more."""
        self._needs_all()
        asked = self._number(fields)
        number = asked.phone.e164 if asked.phone else ""
        if not number:
            raise Refused("That is no possible phone number.")

        async def run() -> Outcome:
            by = self._does("suppress.add", mask_number(number))
            changed = await admin.suppress(self._session.ledger, number, by=by)
            text = f"{number} is suppressed." if changed else f"{number} was suppressed already."
            return Outcome(text=text, count=int(changed))

        return Proposal(
            question=f"Make no lead for {number} any more?", button="Suppress", run=run,
            warning="Leads that wait for this number are not sent either.",
        )  # fmt: skip

    async def unsuppress(self, fields: Fields) -> Proposal:
        """Make leads for a number again."""
        self._needs_all()
        asked = self._number(fields)
        held = sorted(asked.numbers & set(await queries.suppressed(self._session.ledger)))
        if not held:
            raise Refused("That number is not on the list.", status=404)

        async def run() -> Outcome:
            by = self._does("suppress.remove", " ".join(map(mask_number, held)))
            changed = await admin.unsuppress(self._session.ledger, *held, by=by)
            return Outcome(text=f"{', '.join(held)} is no longer suppressed.", count=int(changed))

        return Proposal(question=f"Make leads for {', '.join(held)} again?", button="Take it off the list", run=run)

    async def send_test_call(self, fields: Fields) -> Proposal:
        """Play a made-up call through the real receiver."""
        self._needs_all()
        environment, settings = self._session.environment, self._session.settings
        host = environment.host if environment.host not in {"0.0.0.0", "::"} else "127.0.0.1"  # noqa: S104  read, not bound
        base = f"http://[{host}]:{environment.port}" if ":" in host else f"http://{host}:{environment.port}"
        service = fields.one("service")
        call_id = f"test-{uuid4().hex[:12]}"
        now_ms = await self._session.ledger.now_ms()
        webhooks = test_call(call_id, service=service, now_ms=now_ms)

        async def run() -> Outcome:
            token = next(iter(settings.receiver.posting_tokens), None)
            sender = Sender(base=base, token=token, rate=None, at_once=1, advance=lambda _: None)
            sent = await sender.send([webhooks])
            if sent.refusals:
                reason = next(iter(sent.refusals))
                return Outcome(text=f"The receiver at {base} did not take it: {reason}", ok=False)
            await note(self._session.ledger, self._does("send.test", call_id))
            return Outcome(text="The receiver took it. This is its story.", count=1, place=f"/calls/{call_id}")

        return Proposal(
            question="Send a test call?", button="Send a test call", run=run,
            warning=f"A made-up call of {TEST_CALLER}, which rings nobody, goes through the receiver and by your "
            "routes to your real destinations.",
        )  # fmt: skip

    def _does(self, what: str, which: str) -> Action:
        return self._session.does(what, which)

    def _needs_all(self) -> None:
        if self._user.destinations is not None:
            raise Refused("This is for users of all destinations.", status=403)

    def _number(self, fields: Fields) -> AskedNumber:
        settings = self._session.settings
        regions = dict.fromkeys(one.region for one in settings.destinations.values())
        try:
            return AskedNumber.read(
                fields.needed("number"), default_region=settings.calls.default_region, regions=regions
            )
        except ValueError:
            raise Refused("That is no possible phone number.") from None

    async def _destination(self, fields: Fields) -> str:
        name = fields.needed("destination")
        known = {*self._session.settings.destinations, *await queries.known_destinations(self._session.ledger)}
        if name not in known or not self._user.sees(name):
            raise Refused("There is no such destination, or not for you.", status=404)
        return name

    async def _deliveries(self, fields: Fields, states: frozenset[State], which: str) -> list[DeliveryKey]:
        """Read the deliveries that are named; raises ``Refused`` when none of them is in one of the states."""
        try:
            keys = [DeliveryKey.parse(text) for text in dict.fromkeys(fields.values.get("key") or ())]
        except ValueError:
            raise Refused("That is no key of a delivery.") from None
        if not keys or len(keys) > STEP:
            raise Refused(f"Choose 1 to {STEP} deliveries.")
        found: list[DeliveryRecord] = [
            record for record in await queries.find(self._session.ledger, keys)
            if record is not None and self._user.sees(record.key.destination)
        ]  # fmt: skip
        if not found:
            raise Refused("There is no such delivery, or not for you.", status=404)
        fitting = [record.key for record in found if record.state in states]
        if not fitting:
            raise Refused(f"Nothing to do: only deliveries that {which} can be handled so.", status=409)
        return fitting

    async def _of_cause(self, fields: Fields) -> tuple[Cause, list[DeliveryKey]]:
        """Return a cause and its dead letters, the oldest first; raises ``Refused`` when there is none."""
        destination, digest = fields.needed("destination"), fields.needed("cause")
        if not self._user.sees(destination):
            raise Refused("There is no such destination, or not for you.", status=404)
        found: Cause | None = None
        keys: list[DeliveryKey] = []
        async for letter in queries.dead_letters(self._session.ledger, [destination]):
            if found is not None and letter.reason != found.reason:
                continue
            cause = Cause.of(dead_line(letter, self._session))
            if cause.digest == digest and letter.record is not None:
                found = cause
                keys.append(letter.key)
            if len(keys) == MOST:
                break
        if found is None:
            raise Refused("Nothing of this cause is left.", status=409)
        return found, keys[::-1]

    def _of(
        self, keys: Sequence[DeliveryKey], what: str, act: Callable[..., Awaitable[list[bool]]], *, done: str,
        question: str, button: str, warning: str = "", danger: bool = False,
    ) -> Proposal:  # fmt: skip
        async def run() -> Outcome:
            count = sum(await act(list(keys), by=self._does(what, named(keys))))
            left = len(keys) - count
            text = f"{many(count, 'delivery', 'deliveries')} {done}."
            text += f" {many(left, 'delivery', 'deliveries')} could not: by now in another state." if left else ""
            return Outcome(text=text, count=count, ok=bool(count))

        return Proposal(question=question, button=button, run=run, warning=warning, danger=danger)

    def _chore(  # noqa: PLR0913  what is said and what is done, each by its name
        self, keys: Sequence[DeliveryKey], cause: Cause, what: str, act: Callable[..., Awaitable[list[bool]]], *,
        title: str, rate: float | None, question: str, button: str, warning: str, danger: bool,
    ) -> Proposal:  # fmt: skip
        async def run() -> Outcome:
            chore = Chore(
                title=f"{title} what was given up for {cause.destination}: {why(cause.reason)}", by=self._user.name,
                destinations=frozenset({cause.destination}), total=len(keys),
            )  # fmt: skip
            acting: Act = partial(act, by=self._does(what, cause.which()))
            try:
                self._chores.start(chore, keys, acting, rate=rate)
            except TooManyChores:
                raise Refused("Other work is under way; wait until it is done.", status=429) from None
            return Outcome(
                text=f"Begun: {many(len(keys), 'delivery', 'deliveries')}.", count=len(keys),
                place=f"/chores/{chore.chore_id}", details={"chore": chore.chore_id},
            )  # fmt: skip

        return Proposal(question=question, button=button, run=run, warning=warning, danger=danger)


CHANGES: Final[Mapping[str, Callable[[Changes, Fields], Awaitable[Proposal]]]] = {
    "deliveries.retry": Changes.retry,
    "deliveries.cancel": Changes.cancel,
    "deliveries.redeliver": Changes.redeliver,
    "dead.replay": Changes.replay,
    "dead.drop": Changes.drop,
    "destinations.pause": Changes.pause,
    "destinations.resume": Changes.resume,
    "destinations.test": Changes.test,
    "calls.reroute": Changes.reroute,
    "calls.erase": Changes.erase,
    "quarantine.retry": Changes.retry_body,
    "suppress.add": Changes.suppress,
    "suppress.remove": Changes.unsuppress,
    "send.test": Changes.send_test_call,
}


def _count(keys: Sequence[DeliveryKey]) -> str:
    return many(len(keys), "delivery", "deliveries")
