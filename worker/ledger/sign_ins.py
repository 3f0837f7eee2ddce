"""The sign-in of a worker: whose configuration is the newest, and how long its planner lets calls wait."""

from collections.abc import Iterable
from dataclasses import dataclass

from worker.build import code_version


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """A worker that lives, with the configuration that it works by."""

    name: str
    config: str = ""
    """The digest of its configuration file; empty where the worker is of a version that did not say."""
    changed_ms: int = 0
    """When that file was last changed."""
    queues: tuple[str, ...] = ()
    """What it consumes."""
    version: str = ""

    @property
    def plans(self) -> bool:
        """Return whether it plans calls: workers that consume other queues only do not."""
        return "calls" in self.queues

    def yields_to(self, newest: "SignIn") -> bool:
        """Return whether that worker has another configuration, which is newer than this one's."""
        newer = (newest.changed_ms, newest.config) > (self.changed_ms, self.config)
        return newer and newest.config != self.config

    def dump(self) -> str:
        """Write it for the ledger: what orders configurations comes first, and compares as text."""
        plans = "p" if self.plans else "-"
        return f"{plans} {self.changed_ms:015d} {self.config} {code_version()} {','.join(self.queues)}"

    @classmethod
    def parse(cls, name: str, text: str | None) -> "SignIn":
        """Read what ``dump`` wrote; of a worker that wrote nothing the name alone is known."""
        if not text:
            return cls(name=name)
        _, changed_ms, config, version, queues = text.split(" ", 4)
        return cls(
            name=name, config=config, changed_ms=int(changed_ms), version=version,
            queues=tuple(filter(None, queues.split(","))),
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a call waits for its other event before it is planned, in milliseconds."""

    end_ms: int
    """A call that has started, for its end."""
    start_ms: int
    """An end, for its start."""
    early: bool
    """Some destination takes a call when it has started: a start waits for nothing."""

    def dump(self) -> str:
        """Write it for the ledger."""
        return f"{self.end_ms} {self.start_ms} {int(self.early)}"


def differing(sign_ins: Iterable[SignIn], config: str = "") -> dict[str, list[str]]:
    """Return the workers by their configuration where there is more than one, that of the asking process counted."""
    found: dict[str, list[str]] = {config: []} if config else {}
    for one in sign_ins:
        if one.config:
            found.setdefault(one.config, []).append(one.name)
    return found if len(found) > 1 else {}
