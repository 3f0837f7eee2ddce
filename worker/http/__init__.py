"""The HTTP client: connections of one request at a time, and replies read with suspicion."""
