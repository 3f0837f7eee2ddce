"""Kapture: options, customers and replies."""
