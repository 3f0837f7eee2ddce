"""The daily audit against Delacon's own list of calls."""
