"""How much a run measures."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """``pairs`` of subject and floor a figure; ``share`` of the full amounts, for a quick look."""

    pairs: int
    share: float
    calls: int
    """In the large ledger of the rows ``growth`` and ``backlog``."""

    def of(self, full: int) -> int:
        """Return an even part of a full amount."""
        return max(2, round(full * self.share / 2) * 2)
