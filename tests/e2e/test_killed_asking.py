"""Workers are killed again and again while they ask: no budget is exceeded, whatever was lost."""

from __future__ import annotations

import os
import re
import signal
from collections import Counter

import pytest

from tests.e2e.conftest import Spanlight
from tests.llm_server import LLMServer, Received, Reply, completion
from tests.ops.processes import wait_until

pytestmark = pytest.mark.slow

KILLS, TOKENS = 10, 140
BUDGETS = [7] * 4 + [6] * 12
"""What the budget of each project is worth, in requests: a hundred together. A budget is a
project's and a project runs one link job, so sixteen jobs at once are of sixteen projects."""
PREPARE = f"""
from datetime import date
from decimal import Decimal
from annotator import chunks, linking, spending
from annotator.models import Job, Price
from tests import factories
assert spending.FRAME + spending.ANSWER == {TOKENS}
Price.objects.create(model="m", since=date(2020, 1, 1), prompt=0, completion=1000)
projects = []
for n, worth in enumerate({BUDGETS}):
    budget = Decimal(worth * {TOKENS}) / 1000
    project = factories.make_project(f"Letters {{n}}", provider="openai", monthly_budget=budget)
    factories.make_version(project)
    for m in range(20):
        text = f"Ada met Bo {{m}} in letter {{n}}."
        document = factories.make_document(project, text, status="tagged")
        factories.make_prediction(document, "Bo", "person", uncertainty=0.7)
    projects.append(project)
for project in projects:
    chunks.open_job(project, Job.Kind.LINK, linking.prepare(project), follow=False)
"""
SPENT = (
    "SELECT count(*) FROM annotator_project p JOIN annotator_spending s ON s.project_id = p.id "
    "WHERE s.micros > 1000000 * p.monthly_budget"
)


def answer_slowly(request: Received) -> Reply:
    """Uses as many tokens as were reserved, so that no budget is worth more requests than that."""
    answers = [{"id": item["id"], "label": request.code("person")} for item in request.items]
    text = str({"answers": answers}).replace("'", '"')
    reply = completion(text, usage={"prompt_tokens": 100, "completion_tokens": TOKENS})
    reply.slow = 0.4
    return reply


def test_ten_kills_cost_no_request_beyond_the_budgets_of_sixteen_jobs(
    spanlight: Spanlight,
) -> None:
    with LLMServer() as server:
        server.always(answer_slowly)
        spanlight.settings |= {
            "LLM_BASE_URL": server.base_url,
            "LLM_MODEL": "m",
            "LLM_API_KEY": "",
            "LLM_CONCURRENCY": str(len(BUDGETS)),
            "CHUNK_QUESTIONS": "1",
            "CHUNK_LEASE_SECONDS": "10",
        }
        spanlight.manage("migrate")
        spanlight.manage("shell", "-c", PREPARE)
        assert running(spanlight) == len(BUDGETS)
        with spanlight.running():
            for kill in range(KILLS):
                kill_all(spanlight, ("llm", "default")[kill % 2], server)
            wait_until(lambda: not running(spanlight), "the end of the jobs")
            wait_until(lambda: not under_way(spanlight), "the ledger to close")
        requests = list(server.requests)
    assert KILLS < len(requests) <= sum(BUDGETS)
    seen = Counter(letter_of(request) for request in requests)
    assert all(seen[n] <= worth for n, worth in enumerate(BUDGETS))
    ended = "SELECT count(*) FROM annotator_job WHERE kind = 'link' AND note LIKE '%LLM budget%'"
    assert spanlight.ask(ended) == len(BUDGETS)
    assert spanlight.ask(SPENT) == 0
    reached = "state IN ('answered', 'failed') OR (state = 'unknown' AND micros > 0)"
    entered = spanlight.ask(f"SELECT count(*) FROM annotator_llmcall WHERE {reached}")
    assert entered >= len(requests)


def kill_all(spanlight: Spanlight, queue: str, server: LLMServer) -> None:
    """Kills the workers of `queue` in the midst of asking: when a request more has come in."""
    seen = len(server.requests)
    wait_until(lambda: len(server.requests) > seen or not running(spanlight), "requests")
    wait_until(lambda: spanlight.workers(queue), f"a worker of {queue}")
    for pid in spanlight.workers(queue):
        os.kill(pid, signal.SIGKILL)


def letter_of(request: Received) -> int:
    """Which project asks."""
    found = re.search(r"in letter (\d+)", request.items[0]["context"])
    assert found is not None
    return int(found[1])


def running(spanlight: Spanlight) -> int:
    return int(
        spanlight.ask(
            "SELECT count(*) FROM annotator_job WHERE kind = 'link' AND state = 'running'"
        )
    )


def under_way(spanlight: Spanlight) -> int:
    return int(spanlight.ask("SELECT count(*) FROM annotator_llmcall WHERE state = 'sent'"))
