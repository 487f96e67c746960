"""A worker says every few seconds that it is there, also while it trains for minutes.

The page that waits for it can then tell "busy" from "nobody is running".
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError

SECONDS = 15
STALE_SECONDS = 60

log = logging.getLogger(__name__)


def start(sender: Any, **_: Any) -> None:
    """Receiver of Celery's `worker_ready`."""
    queues = list(sender.app.amqp.queues.consume_from)
    threading.Thread(target=_beat, args=(sender.app, queues), daemon=True).start()


def _beat(app: Celery, queues: list[str]) -> None:
    while True:
        for queue in queues:
            _say(app, queue)
        time.sleep(SECONDS)


def _say(app: Celery, queue: str) -> None:
    """Sends one sign of life; old ones expire instead of piling up while nobody reads them."""
    try:
        app.send_task(
            "annotator.worker_seen",
            args=[queue],
            queue="default",
            expires=STALE_SECONDS,
            retry=False,
        )
    except (OperationalError, OSError) as error:
        log.warning("no broker: %s", error)
