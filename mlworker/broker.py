"""The broker settings that both Celery apps share (`webapp/celery.py` and `mlworker/worker.py`).

The broker may forget everything or deliver a message twice: the database holds the truth, and
storing a result is idempotent. So messages are acknowledged late and there is no result backend.
"""

from __future__ import annotations

import os
from typing import Any

VISIBILITY_TIMEOUT = 1800
"""Seconds after which Redis hands an unacknowledged message out again: longer than any task."""

ROUTES = {
    # Unless it is sent to `gpu`, where the LLM is one that the worker runs itself.
    "mlworker.ask": {"queue": "llm"},
    "mlworker.*": {"queue": "gpu"},
    "annotator.*": {"queue": "default"},
}


def url() -> str:
    """`REDIS_URL` as Celery wants it; redis-py's `unix:///path` is understood too.

    Raises `RuntimeError` where it is not set: Celery's own default would be an AMQP server.
    """
    given = os.environ.get("REDIS_URL", "")
    if not given:
        raise RuntimeError("REDIS_URL is not set (redis://host:6379/0 or redis+socket:///path)")
    return given.replace("unix://", "redis+socket://", 1) if given.startswith("unix://") else given


def settings() -> dict[str, Any]:
    """Everything of a Celery app's configuration that does not differ between the two."""
    visibility = {"visibility_timeout": VISIBILITY_TIMEOUT}
    return {
        "broker_url": url(),
        "broker_connection_retry_on_startup": True,
        # Celery reads the time-out in three places; two that differ end in doubled deliveries.
        "broker_transport_options": visibility,
        "result_backend_transport_options": visibility,
        "visibility_timeout": VISIBILITY_TIMEOUT,
        "accept_content": ["json"],
        "task_serializer": "json",
        "result_serializer": "json",
        "task_ignore_result": True,
        "task_default_queue": "default",
        "task_routes": ROUTES,
        "task_acks_late": True,
        # Safe, because a chunk counts its attempts in the database before the work starts.
        "task_reject_on_worker_lost": True,
        "worker_prefetch_multiplier": 1,
        "worker_cancel_long_running_tasks_on_connection_loss": True,
        "timezone": "UTC",
        "enable_utc": True,
    }
