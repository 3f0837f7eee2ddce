"""The spool: where events wait while Redis takes no write."""
