"""One step of the loop in this process, without broker or workers, through the same code.

All that touches the database happens in the caller's thread. Only the requests to an LLM, which
are waiting for the most part, are made in threads of their own.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import Any, TypeVar

from django.conf import settings
from django.utils import timezone

from mlworker import schema

from . import chunks, pace, pipeline, steps
from .models import Job, Project
from .refusals import Busy, Impossible

PATIENCE_SECONDS = 100.0
"""How long a server that is in trouble is waited for: two attempts after it was left alone."""
LOOK_SECONDS = 0.2

Reply = dict[str, Any]
Result = TypeVar("Result")


def run_here(
    project: Project, kind: str, tell: Callable[[Job], None], *, cold: bool = False
) -> Job:
    """Runs one step of the loop until it ends or is paused, and returns its job.

    `tell` is called whenever the job moved; `cold` has a training begin with the encoder.
    Workers that run beside it may take chunks too.
    Raises `Busy` where somebody else is at it or it is paused, and `Impossible`.
    """
    run = Run(_open_or_take_over(project, kind, cold), tell)
    run.to_the_end()
    return run.job


def _open_or_take_over(project: Project, kind: str, cold: bool) -> Job:
    """A new job, or the running one where nobody is at it: its process was killed."""
    try:
        pieces = steps.step_for(project, kind).prepare(project)
        return chunks.open_job(project, kind, pieces, follow=False, cold=cold)
    except Busy as busy:
        if busy.job.is_paused or chunks.is_attended(busy.job):
            raise
        return busy.job


class AtOnce(Executor):
    """Works in the caller's thread: a model takes all cores anyway."""

    def submit(self, fn: Callable[..., Result], /, *args: Any, **kwargs: Any) -> Future[Result]:
        future: Future[Result] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class Run:
    def __init__(self, job: Job, tell: Callable[[Job], None]) -> None:
        self.job, self.tell = job, tell
        self.step = steps.step_of(job)
        module = importlib.import_module(self.step.module)
        self.task: Callable[[Reply], Reply] = getattr(module, self.step.task.rpartition(".")[2])
        self.threads = settings.LLM_CONCURRENCY if self.step.costs else 1
        self.under_way: set[Future[Reply]] = set()
        self.progress = (0, 0)
        self.progress_at = time.monotonic()

    def to_the_end(self) -> None:
        listening = importlib.import_module("mlworker.progress").listening
        pool = ThreadPoolExecutor(self.threads) if self.step.costs else AtOnce()
        with pool, listening(self._hear):
            try:
                while self.job.is_running or self.under_way:
                    if not self._send_next(pool):
                        self._take_in()
                        self._look()
            except BaseException as reason:
                self._end(reason)
                self._take_in_the_rest()
                raise

    def _end(self, reason: BaseException) -> None:
        """Who looks at the project later is told what ended it, as with workers."""
        if isinstance(reason, Impossible):
            chunks.end_job(self.job, Job.State.FAILED, str(reason))
        else:
            pipeline.cancel(self.job)

    def _hear(self, report: schema.Progress) -> None:
        """From a thread comes no more than that it begins, which was entered before."""
        if not self.step.costs:
            pipeline.progress(report)
            self._look()

    def _send_next(self, pool: Executor) -> bool:
        if not self.job.is_running or len(self.under_way) >= self.threads:
            return False
        chunk = self.step.claim(self.job)
        if chunk is None:
            return False
        request = pipeline.message(self.step, chunk)
        if request is None:
            return True
        if self.step.costs:
            chunks.begin(chunk.pk, chunk.attempts)
        self.under_way.add(pool.submit(copy_context().run, self.task, request))
        return True

    def _take_in(self) -> None:
        """Stores what has come, or waits a moment: for an answer, until a postponed chunk is due,
        or for a worker beside us."""
        if self.under_way:
            for future in wait(self.under_way, LOOK_SECONDS, FIRST_COMPLETED).done:
                self.under_way.remove(future)
                pipeline.deliver(future.result(), then=None)
        elif not pipeline.ended(self.job):
            pipeline.reclaim(self.job)
            time.sleep(LOOK_SECONDS)

    def _take_in_the_rest(self) -> None:
        """What is under way has to be paid for, so its answers are kept."""
        for future in wait(self.under_way).done:
            if future.exception() is None:
                pipeline.deliver(future.result(), then=None)

    def _look(self) -> None:
        self.job.refresh_from_db(fields=["state", "total", "done", "failed", "note"])
        progress = (self.job.done, self.job.failed)
        if progress != self.progress:
            self.progress, self.progress_at = progress, time.monotonic()
        if self.step.costs and self.job.is_running and not self.under_way:
            self._mind_the_server()
        self.tell(self.job)

    def _mind_the_server(self) -> None:
        """Says what is waited for, and gives up where that would take too long."""
        trouble = pace.trouble(self.job.project)
        if trouble is None:
            return
        self.job.note = trouble.notice
        waited = time.monotonic() - self.progress_at
        to_wait = (trouble.until - timezone.now()).total_seconds()
        if waited + max(0.0, to_wait) > PATIENCE_SECONDS:
            left = "What is left goes to people; ask again when the server is back."
            pipeline.give_up(self.job, f"{trouble.what}. {left}")
            self.job.refresh_from_db(fields=["state", "note"])
