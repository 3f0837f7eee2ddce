"""The vendors' deliveries."""
