"""Why a local stack cannot run."""


class StackFault(Exception):
    """Raised when the stack cannot start or go on; its text is one plain sentence for the user."""

    def __init__(self, sentence: str, *, details: str = "") -> None:
        super().__init__(sentence)
        self.details = details
        """More lines for whoever looks into it, such as the end of a log."""
