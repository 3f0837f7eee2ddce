"""Requests about Callcap's numbers."""
