"""The task of the `llm` queue, where it loads neither torch nor transformers.

What the provider `transformers` is asked travels on the queue `gpu`, whose worker has it too.
"""

from __future__ import annotations

from celery import shared_task

from mlworker import llm
from mlworker.schema import AskRequest, AskResult
from mlworker.tasks.envelope import envelope


@shared_task(name="mlworker.ask", acks_late=False)
@envelope(AskRequest)
def ask(request: AskRequest) -> AskResult:
    """One message, at most one HTTP request: retries are the ledger's, never the worker's."""
    return llm.ask(request)
