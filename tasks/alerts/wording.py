"""What a message says: one sentence for people, and the same as JSON for programs."""

from collections.abc import Callable, Mapping
from typing import Any

from tasks.alerts.causes import by_cause, moment
from worker.ledger.alerts import Message

Facts = Mapping[str, Any]

_BEFORE = {"begun": "", "lasts": "Still: ", "ended": "Over: ", "test": ""}


def body_of(message: Message) -> dict[str, Any]:
    """Return a message as JSON values, the same ones at every try."""
    facts = {name: value for name, value in message.facts.items() if name != "cause"}
    return {
        "id": message.message_id,
        "type": f"alert.{message.kind}",
        "cause": message.cause,
        "since": moment(message.since_ms).isoformat(),
        "at": moment(message.at_ms).isoformat(),
        "title": title_of(message),
        "text": text_of(message),
        **{name: value for name, value in facts.items() if name not in {"title", "text"}},
    }


def title_of(message: Message) -> str:
    """Return the message in one line."""
    say = _SENTENCES.get(message.cause)
    sentence = say(message.facts) if say else "This is a test of the alerts."
    return f"{_BEFORE[message.kind]}{sentence}"


def text_of(message: Message) -> str:
    """Return the whole message: the line, since when, and the vendor's words by destination."""
    lines = [title_of(message)]
    if message.kind != "test":
        verb = "From" if message.kind == "ended" else "Since"
        until = f" to {_time(message.at_ms)}" if message.kind == "ended" else ""
        lines.append(f"{verb} {_time(message.since_ms)}{until}.")
    for one in message.facts.get("destinations", ()):
        words = f": {one['words']}" if one.get("words") else ""
        about = ", ".join(str(one[name]) for name in ("reason", "delivery") if one.get(name))
        if about or words:
            lines.append(f"{one['destination']}: {about}{words}")
    return "\n".join(lines)


def counted(count: int, one: str, many: str) -> str:
    """Return a count with its noun."""
    return f"{count} {one if count == 1 else many}"


def _time(ms: int) -> str:
    return f"{moment(ms):%Y-%m-%d %H:%M:%S} UTC"


def _names(facts: Facts) -> str:
    return ", ".join(str(one["destination"]) for one in facts.get("destinations", ()))


def _dead_letter(facts: Facts) -> str:
    places = [f"{one['destination']} {one['count']}" for one in facts.get("destinations", ())]
    if facts.get("no_start"):
        places.append(f"calls without a start {facts['no_start']}")
    where = f" ({', '.join(places)})" if places else ""
    return f"{counted(facts.get('count', 0), 'dead letter', 'dead letters')}{where}"


def _blocked(facts: Facts) -> str:
    places = [f"{one['destination']} ({one['reason']})" for one in facts.get("destinations", ())]
    return f"Blocked, waiting for a person: {', '.join(places)}" if places else "No destination is blocked"


def _circuit_open(facts: Facts) -> str:
    names = _names(facts)
    return f"Not answering, deliveries are held: {names}" if names else "All destinations answer"


def _overdue(facts: Facts) -> str:
    places = [f"{one['destination']} {one['count']}" for one in facts.get("destinations", ())]
    if facts.get("calls_oldest_seconds"):
        places.append("calls to be planned")
    return f"Due, and no worker takes it: {', '.join(places)}" if places else "Nothing is overdue"


def _unrouted(facts: Facts) -> str:
    return f"{counted(facts.get('count', 0), 'call matches', 'calls match')} no route"


def _quarantined(facts: Facts) -> str:
    return f"{counted(facts.get('count', 0), 'webhook', 'webhooks')} in quarantine"


def _spooled(facts: Facts) -> str:
    count, stopped = facts.get("count", 0), facts.get("journals_stopped", ())
    journals = "; ".join(f"{one['receiver']}: {one['why']}" for one in stopped)
    told = [f"The journal is not kept ({journals})"] if journals else []
    if count:
        told.append(f"{counted(count, 'event waits', 'events wait')} in a spool: Redis takes no writes of a receiver")
    if told:
        return ". ".join(told)
    return "Redis took no writes of a receiver; the spool is empty again"


def _refused(facts: Facts) -> str:
    reasons = ", ".join(f"{reason} {count}" for reason, count in facts.get("reasons", {}).items())
    return f"Webhooks are refused ({reasons})" if reasons else "No webhooks are refused"


def _drift(facts: Facts) -> str:
    count, ledger = facts.get("count", 0), facts.get("ledger", "")
    told = [ledger.removesuffix(".")] if ledger else []
    if count:
        told.append(f"Processes run by {count} different configurations")
    return ". ".join(told) or "All processes run by one configuration, and the ledger is the one of before"


def _silence(facts: Facts) -> str:
    return f"No webhook for {_duration(facts.get('silent_seconds', 0))}"


def _audit(facts: Facts) -> str:
    days = facts.get("days", ())
    parts = []
    for day in days:
        if day["fault"]:
            parts.append(f"{day['day']} could not be audited: {day['fault']}")
        else:
            undelivered = f", {day['undelivered']} not delivered" if day["undelivered"] else ""
            parts.append(f"{day['day']}: {day['missing']} of {day['there']} calls missing{undelivered}")
    return "; ".join(parts) if parts else "Every day that was audited is complete"


def _duration(seconds: int) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


_SENTENCES: Mapping[str, Callable[[Facts], str]] = by_cause(globals())
