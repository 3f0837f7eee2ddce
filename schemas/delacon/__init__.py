"""Delacon: events, calls and their JSON."""
