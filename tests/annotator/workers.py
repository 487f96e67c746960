"""Stands in for broker and workers: takes requests out of the queues and answers them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from types import TracebackType
from typing import Any, Self

from celery import Celery, current_app
from celery._state import _set_current_app
from django.db import connections

from annotator import chunks, linking, pipeline
from annotator.models import Chunk, Job, Project
from mlworker import broker, frontier, schema
from mlworker.llm import sweep
from mlworker.schema import NO_ENTITY, Answer, Lane, Outcome

CALIBRATION = schema.Calibration(0.4, [], "as trained")


class Broker:
    """An in-memory broker behind the app that the pipeline sends through."""

    def __init__(self, url: str = "memory://") -> None:
        self.url = url

    def __enter__(self) -> Self:
        self.before = current_app._get_current_object()
        self.app = Celery("tests", set_as_current=True)
        self.app.conf.update(
            broker_url=self.url,
            task_serializer="json",
            accept_content=["json"],
            task_ignore_result=True,
            task_routes=broker.ROUTES,
        )
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self.url.startswith("memory"):
            for queue in ("gpu", "llm", "default"):
                while self._message(queue):
                    pass
        self.app.close()
        _set_current_app(self.before)

    def _message(self, queue: str) -> Any:
        with self.app.connection_for_read() as connection:
            return connection.default_channel.basic_get(queue, no_ack=True)

    def take(self, queue: str) -> dict[str, Any] | None:
        """The next request in `queue`, whose answer is to go to `annotator.store_result`."""
        message = self._message(queue)
        if message is None:
            return None
        self.expires = message.headers["expires"]
        (request,), _, embedded = message.payload
        assert [task["task"] for task in embedded["chain"]] == ["annotator.store_result"]
        assert embedded["chain"][0]["options"]["queue"] == "default"
        return dict(request)

    def all(self, queue: str) -> list[dict[str, Any]]:
        return list(iter(lambda: self.take(queue), None))


def link(project: Project) -> Job:
    """Has the project's LLM asked: as many requests as may be under way are sent."""
    job = chunks.open_job(project, Job.Kind.LINK, linking.prepare(project), follow=False)
    pipeline.dispatch(job)
    job.refresh_from_db()
    return job


def deliver(result: schema.Work) -> None:
    """Brings a worker's answer back as its message would."""
    pipeline.deliver(json.loads(json.dumps({"ok": result.to_json()})))


def fail(chunk: Chunk | dict[str, Any], error: str = "ValueError: no") -> None:
    """A worker says that it could not do a chunk."""
    number, attempt = (
        (chunk["chunk"], chunk["attempt"])
        if isinstance(chunk, dict)
        else (chunk.pk, chunk.attempts)
    )
    pipeline.deliver({"failure": schema.Failure(number, attempt, error).to_json()})


def begin(request: dict[str, Any]) -> None:
    """A worker says that it began."""
    pipeline.progress(schema.Progress(request["chunk"], request["attempt"], 0, 0, ""))


def span(text: str, surface: str, label: str, u: float = 0.1, *, lane: str = "mention") -> Any:
    """What a model says about the first `surface` in `text`."""
    start = text.index(surface)
    return schema.ScoredSpan(
        start,
        start + len(surface),
        label,
        Lane(lane),
        {label: 1 - u, NO_ENTITY: u},
        u,
        sentence_start=0,
        sentence_end=len(text),
    )


def tag(request: dict[str, Any], *found: tuple[Any, ...]) -> schema.TagResult:
    """Tags each text with those of `found` (surface, label, u) that stand in it."""
    asked = schema.TagRequest.from_json(request)
    texts = [
        schema.TaggedText(text.id, [span(text.text, *f) for f in found if f[0] in text.text])
        for text in asked.texts
    ]
    return schema.TagResult(asked.chunk, asked.attempt, texts)


def train(request: dict[str, Any], **fields: Any) -> schema.TrainResult:
    """A version that went on from the one it was to go on from."""
    asked = schema.TrainRequest.from_json(request)
    fields = {"train_texts": 10, "dev_texts": 2, "dev": schema.Scores(50, 60, 54.55)} | fields
    fields = {"warm": bool(asked.start)} | fields
    return schema.TrainResult(
        chunk=asked.chunk,
        attempt=asked.attempt,
        model=asked.model,
        encoder="test",
        labels=asked.labels,
        skipped_mentions=0,
        seconds=1.0,
        calibration=CALIBRATION,
        **fields,
    )


def calibrate(
    request: dict[str, Any], tau: float = 0.2, enough: int = 1, floor: float = 0.0
) -> schema.CalibrateResult:
    """τ rests on the LLM's answers from `enough` of them on."""
    asked = schema.CalibrateRequest.from_json(request)
    intervals = frontier.calibrated(asked.audited).intervals
    answered = sum(interval.asked for interval in intervals)
    calibration = schema.Calibration(
        tau, intervals, "by hand", candidate_floor=floor, from_answers=answered >= enough
    )
    return schema.CalibrateResult(asked.chunk, asked.attempt, calibration)


def answer(request: dict[str, Any], **said: str | None) -> schema.AskResult:
    """The LLM says `said[surface]` of each span, and nothing where that is not given."""
    asked = schema.AskRequest.from_json(request)
    answers = []
    for question in asked.questions:
        label = said.get(question.context[question.start : question.end])
        answers.append(Answer(question.id, label, reason="" if label else "the LLM was silent"))
    return schema.AskResult(
        asked.chunk,
        asked.attempt,
        Outcome.ANSWERED,
        answers,
        raw="{…}",
        prompt_tokens=100,
        completion_tokens=10,
        latency_ms=250,
    )


def read(request: dict[str, Any], **named: str) -> schema.AskResult:
    """The LLM reads each passage, and finds `named` (words to label) wherever they stand."""
    asked = schema.AskRequest.from_json(request)
    codes = {"A": "person", "B": "place", "C": "group"}
    code_of = {label: code for code, label in codes.items()}
    found = [
        {"text": words, "occurrence": n + 1, "label": code_of.get(label, label)}
        for words, label in named.items()
        for n in range(9)
    ]
    entries = [
        {"id": n, "mentions": [m for m in found if m["occurrence"] <= p.text.count(m["text"])]}
        for n, p in enumerate(asked.passages, 1)
    ]
    finds = sweep.parse(json.dumps({"found": entries}), codes, asked.passages)
    return schema.AskResult(
        asked.chunk, asked.attempt, Outcome.ANSWERED, finds=finds, prompt_tokens=100
    )


def split(request: dict[str, Any]) -> schema.SplitResult:
    """Each line of a text is a sentence."""
    asked = schema.SplitRequest.from_json(request)
    texts = [
        schema.TaggedText(
            text.id,
            [],
            [schema.ReadSentence(*m.span(), 0.0) for m in re.finditer(r"[^\n]+", text.text)],
        )
        for text in asked.texts
    ]
    return schema.SplitResult(asked.chunk, asked.attempt, texts)


def outcome(request: dict[str, Any], kind: Outcome, **fields: Any) -> schema.AskResult:
    fields = {"reason": "the server said so"} | fields
    fields = {"trouble": fields["reason"]} | fields
    return schema.AskResult(request["chunk"], request["attempt"], kind, **fields)


def at_once(works: Sequence[Callable[[], Any]]) -> list[Any]:
    """What each of `works` returns or raises, begun together in a thread of its own."""
    barrier = Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        try:
            barrier.wait(20)
            return work()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))
