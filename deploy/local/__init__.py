"""The local stack: embedded Redis, vendor stand-ins and sample calls."""
