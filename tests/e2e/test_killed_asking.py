"""Workers are killed again and again while they ask: no budget is exceeded, whatever was lost."""

from __future__ import annotations

import os
import signal

import pytest

from tests.e2e.conftest import Spanlight
from tests.llm_server import LLMServer, Received, Reply, completion
from tests.ops.processes import wait_until

pytestmark = pytest.mark.slow

KILLS, WORTH, TOKENS = 10, 100, 140
PREPARE = f"""
from datetime import date
from decimal import Decimal
from annotator import chunks, linking, spending
from annotator.models import Job, Price
from tests import factories
assert spending.FRAME + spending.ANSWER == {TOKENS}
Price.objects.create(model="m", since=date(2020, 1, 1), prompt=0, completion=1000)
budget = Decimal({WORTH * TOKENS}) / 1000
project = factories.make_project("Letters", provider="openai", monthly_budget=budget)
factories.make_version(project)
for n in range(400):
    document = factories.make_document(project, f"Ada met Bo {{n}}.", status="tagged")
    factories.make_prediction(document, "Bo", "person", uncertainty=0.7)
chunks.open_job(project, Job.Kind.LINK, linking.prepare(project), follow=False)
"""


def answer_slowly(request: Received) -> Reply:
    """Uses as many tokens as were reserved, so that the budget is worth 100 requests exactly."""
    answers = [{"id": item["id"], "label": request.code("person")} for item in request.items]
    text = str({"answers": answers}).replace("'", '"')
    reply = completion(text, usage={"prompt_tokens": 100, "completion_tokens": TOKENS})
    reply.slow = 0.4
    return reply


def test_ten_kills_cost_no_request_beyond_the_budget(spanlight: Spanlight) -> None:
    with LLMServer() as server:
        server.always(answer_slowly)
        spanlight.settings |= {
            "LLM_BASE_URL": server.base_url,
            "LLM_MODEL": "m",
            "LLM_API_KEY": "",
            "LLM_CONCURRENCY": "16",
            "CHUNK_QUESTIONS": "1",
            "CHUNK_LEASE_SECONDS": "4",
        }
        spanlight.manage("migrate")
        spanlight.manage("shell", "-c", PREPARE)
        with spanlight.running():
            for kill in range(KILLS):
                seen = len(server.requests)
                queue = ("llm", "default")[kill % 2]
                wait_until(
                    lambda seen=seen: len(server.requests) > seen or ended(spanlight), "requests"
                )
                wait_until(lambda queue=queue: spanlight.workers(queue), f"a worker of {queue}")
                for pid in spanlight.workers(queue):
                    os.kill(pid, signal.SIGKILL)
            wait_until(lambda: ended(spanlight), "the end of the job")
            wait_until(lambda: not under_way(spanlight), "the ledger to close")
        assert WORTH / 4 < len(server.requests) <= WORTH
    note = spanlight.ask("SELECT note FROM annotator_job WHERE kind = 'link'")
    assert "LLM budget" in note
    spent = spanlight.ask("SELECT micros FROM annotator_spending")
    assert spent <= WORTH * TOKENS * 1000
    reached = "state IN ('answered', 'failed') OR (state = 'unknown' AND micros > 0)"
    entered = spanlight.ask(f"SELECT count(*) FROM annotator_llmcall WHERE {reached}")
    assert entered >= len(server.requests)


def ended(spanlight: Spanlight) -> bool:
    kinds = "SELECT state FROM annotator_job WHERE kind = 'link'"
    return spanlight.ask(kinds) not in ("running", None)


def under_way(spanlight: Spanlight) -> int:
    return int(spanlight.ask("SELECT count(*) FROM annotator_llmcall WHERE state = 'sent'"))
