"""What is done with calls: vendors, attempts, pumps and the thin Celery tasks."""
