"""Celery's settings; the reasons are figures of this broker, kombu on Redis."""

import os
from typing import Any

from worker.broker import broker_settings, direct_queue
from worker.redis_address import RedisAddress


def _given() -> dict[str, Any]:
    """Return the settings of the broker that ``REDIS_URL`` names; of a faulty one none.

    Whoever listens or consumes has read its environment before, and ended with every fault.
    """
    try:
        return broker_settings(RedisAddress.parse(os.environ.get("REDIS_URL", "").strip()))
    except ValueError:
        return {"broker_url": "", "broker_use_ssl": None, "broker_transport_options": {}}


_broker = _given()

broker_url = _broker["broker_url"]
broker_use_ssl = _broker["broker_use_ssl"]
result_backend = None
task_ignore_result = True  # the fate of a delivery is in the ledger

task_serializer = "json"
accept_content = ["json"]
result_accept_content = ["json"]

task_default_queue = "calls"
task_queues = [direct_queue("calls")]  # tasks.celery_tasks adds the vendors'
task_create_missing_queues = False  # a typo fails instead of vanishing
task_publish_retry_policy = {"max_retries": 2, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.5}
task_send_sent_event = False

worker_consumer = "worker.consumer:CalmConsumer"
worker_pool = "threads"
worker_prefetch_multiplier = 1
worker_disable_prefetch = True  # a message waits in Redis for a free worker, not behind a busy one
worker_hijack_root_logger = False  # structlog owns logging
worker_redirect_stdouts = False
worker_send_task_events = True  # Flower's eye; worker.consumer sends them together
worker_cancel_long_running_tasks_on_connection_loss = False  # attempts are fenced: let them finish

broker_connection_retry_on_startup = True
broker_connection_retry = True
broker_connection_max_retries = None  # the default of 100 ends the worker in a long outage
broker_channel_error_retry = True  # a Redis that refuses writes (memory, replica, disk) is waited for, not died of
broker_connection_timeout = 4
broker_transport_options = {
    "visibility_timeout": 600,  # far above the longest attempt; no ETA is ever used
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 3,  # sweep each 30 s instead of 100 s
    "socket_timeout": 8,  # without it a half-open connection hangs the worker for good
    "socket_connect_timeout": 4,
    "socket_keepalive": True,
    "health_check_interval": 10,
    **_broker["broker_transport_options"],
}
