"""HTTP in: takes Delacon's webhooks and acknowledges after a durable write."""
