"""The Celery app; ``celery -A worker`` finds it here."""

import os
import sys

import worker.imports  # noqa: F401  before whatever else imports what it does

# isort: split

from celery import Celery

from worker.clock import ClockStep
from worker.flower import guard_flower

guard_flower(sys.argv, os.environ)

app = Celery(
    "switchboard", amqp="worker.amqp:LastingAMQP", config_source="worker.celeryconfig", include=["tasks.celery_tasks"]
)
app.steps["worker"].add(ClockStep)
