"""The web console: what came in, where it went, what needs a person, and the buttons that mend it."""
