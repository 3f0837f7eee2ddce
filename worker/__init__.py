"""The runtime of a worker process: settings, ledger, HTTP, clock, log and the Celery app; knows no vendor."""
