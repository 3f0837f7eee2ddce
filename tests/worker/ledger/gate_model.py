"""A destination's gate in plain Python (contract, section 6)."""

from dataclasses import dataclass

from tests.ledgers import LEASE_MS

PROBE_MS, PROBE_MAX_MS, BLOCKED_PROBE_MS, CIRCUIT_FAILURES = 30_000, 300_000, 600_000, 10

Key = tuple[str, str, str]


@dataclass
class Gate:
    """Paused, blocked, open, and what is counted towards them."""

    paused: bool = False
    blocked: bool = False
    open: bool = False
    never_probed: bool = False
    probe_at_ms: int = 0
    probe_wait_ms: int = PROBE_MS
    probe: Key | None = None
    """The last one."""
    failures: int = 0
    first_failed: Key | None = None
    several_failed: bool = False
    refused: Key | None = None

    def shut(self, now_ms: int) -> str:
        """Say why nothing is handed out now; empty when something is."""
        if self.paused:
            return "paused"
        if self.probing and (self.never_probed or self.probe_at_ms > now_ms):
            return "blocked" if self.blocked else "open"
        return ""

    @property
    def probing(self) -> bool:
        """Say whether at most one delivery is handed out."""
        return self.blocked or self.open

    def probed_with(self, key: Key, now_ms: int) -> None:
        """Note a probe that begins."""
        self.probe, self.probe_at_ms = key, now_ms + LEASE_MS

    def resume(self) -> None:
        """Open it, whatever had shut it."""
        self.__init__()  # type: ignore[misc]

    def told(self, effect: str, key: Key, now_ms: int) -> bool:
        """Take an attempt's effect; say whether the destination is blocked now."""
        if effect in {"ok", "none"}:
            self._count_anew()
            self.refused = None
        if self.blocked and self.never_probed:
            return True
        is_probe = self.probing and self.probe == key
        match effect.split(":", maxsplit=1)[0]:
            case "ok":
                if self.probing:
                    self.blocked = self.open = False
                    self.probe, self.probe_wait_ms = None, PROBE_MS
            case "skip":
                self.probe_at_ms = now_ms if is_probe else self.probe_at_ms
            case "block":
                return self._block(now_ms, never="never" in effect)
            case "refuse":
                self._count_anew()
                if self.blocked or self.refused not in {None, key}:
                    return self._block(now_ms, never=False)
                self.refused = key
                self._wait_on(now_ms, 1, is_probe=is_probe)
            case "fail":
                self.refused = None
                if not self._fail(key, now_ms):
                    self._wait_on(now_ms, 2, is_probe=is_probe)
            case _:
                self._wait_on(now_ms, 1, is_probe=is_probe)
        return self.blocked

    def _count_anew(self) -> None:
        self.failures, self.first_failed, self.several_failed = 0, None, False

    def _block(self, now_ms: int, *, never: bool) -> bool:
        self.blocked, self.never_probed = True, never
        self.probe_at_ms = now_ms + BLOCKED_PROBE_MS
        return True

    def _fail(self, key: Key, now_ms: int) -> bool:
        self.failures += 1
        self.first_failed = self.first_failed or key
        self.several_failed = self.several_failed or self.first_failed != key
        if self.probing or self.failures < CIRCUIT_FAILURES or not self.several_failed:
            return False
        self.open, self.probe_at_ms, self.probe_wait_ms = True, now_ms + PROBE_MS, PROBE_MS
        return True

    def _wait_on(self, now_ms: int, factor: int, *, is_probe: bool) -> None:
        if is_probe:
            wait_ms = BLOCKED_PROBE_MS if self.blocked else min(self.probe_wait_ms * factor, PROBE_MAX_MS)
            self.probe_wait_ms, self.probe_at_ms = wait_ms, now_ms + wait_ms
