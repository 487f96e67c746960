"""Training reads gold only, and a version with its τ comes back; τ is chosen anew from answers."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from annotator import chunks, pipeline, recalibrating, steps, training
from annotator.asked import whom
from annotator.models import Document, Job, Project, Threshold
from annotator.refusals import Impossible
from mlworker import frontier
from mlworker.schema import CalibrateRequest, Interval, Mention, Text
from tests import factories
from tests.annotator import workers
from tests.annotator.workers import Broker

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return factories.make_project()


def gold(project: Project, count: int, split: str = "train") -> list[Document]:
    made = []
    for number in range(count):
        document = factories.make_document(
            project, f"Ada saw Oslo {split} {number}.", status="gold", split=split
        )
        factories.make_mention(document, "Ada", "person", state="accepted")
        factories.make_mention(document, "saw", "group", state="rejected")
        made.append(document)
    return made


def start(project: Project, kind: str = Job.Kind.TRAIN) -> Job:
    pieces = steps.STEPS[Job.Kind(kind)].prepare(project)
    job = chunks.open_job(project, kind, pieces, follow=False)
    pipeline.dispatch(job)
    return job


# --- Training ----------------------------------------------------------------------------------
def test_too_little_gold_is_refused_with_what_is_missing(project: Project) -> None:
    gold(project, 9)
    gold(project, 5, "dev")
    factories.make_document(project, "Nobody looked.", split="train")
    with pytest.raises(Impossible, match=r"9 gold documents .* review or import at least 1 more"):
        training.prepare(project)
    gold(project, 1, "train")
    assert training.prepare(project) == [[]]


def test_only_gold_goes_out_by_its_split(project: Project, broker: Broker, storage: Path) -> None:
    learned = gold(project, 10)
    Document.objects.update(tokens=[[0, 3], [4, 7]])
    held_out = gold(project, 2, "dev")
    gold(project, 2, "test")
    under_review = factories.make_document(project, "Bo saw Rome.", split="train")
    factories.make_mention(under_review, "Bo", "person", state="accepted")
    gold(factories.make_project(), 3)
    job = start(project)
    request = broker.take("gpu") or {}
    assert request["labels"] == list(factories.LABELS)
    rows = [json.loads(line) for line in (storage / request["dataset"]).read_text().splitlines()]
    assert [(row["id"], row.pop("split")) for row in rows] == [
        *((document.pk, "train") for document in learned),
        *((document.pk, "dev") for document in held_out),
    ]
    first = Text.from_json(rows[0])
    assert [(m.start, m.end, m.label) for m in first.mentions] == [(0, 3, "person")]
    assert first.tokens == [(0, 3), (4, 7)]
    job.refresh_from_db()
    assert job.gold_at is not None


def test_a_version_with_its_threshold_serves(project: Project, broker: Broker) -> None:
    gold(project, 10)
    for number in (1, 2):
        job = start(project)
        workers.deliver(workers.train(broker.take("gpu") or {}))
        project.refresh_from_db()
        job.refresh_from_db()
        version = project.serving
        assert (job.state, version.number) == ("done", number)
        assert (version.train_documents, version.scores["f1"]) == (10, 54.55)
        assert version.gold_at == job.gold_at
        threshold = project.threshold()
        assert (threshold.tau, threshold.origin, threshold.version) == (0.4, "training", version)
    assert project.versions.count() == 2


def train_next(project: Project, broker: Broker, **fields: Any) -> str:
    """What the next training was to go on from."""
    start(project)
    request = broker.take("gpu") or {}
    workers.deliver(workers.train(request, **fields))
    return str(request["start"])


def test_a_training_goes_on_from_the_version_that_serves(project: Project, broker: Broker) -> None:
    gold(project, 10)
    assert train_next(project, broker) == ""
    first = project.versions.get()
    assert first.start is None
    assert train_next(project, broker) == first.path
    second = project.versions.get(number=2)
    assert second.start == first
    assert train_next(project, broker, warm=False) == second.path
    assert project.versions.get(number=3).start is None  # it was of another kind


def test_every_fifth_version_begins_anew(project: Project, broker: Broker) -> None:
    gold(project, 10)
    begun = [train_next(project, broker) for _ in range(11)]
    assert [n for n, path in enumerate(begun, start=1) if not path] == [1, 6, 11]
    cold = project.versions.filter(start=None).order_by("number")
    assert [*cold.values_list("number", flat=True)] == [1, 6, 11]


def test_a_training_without_held_out_gold_has_no_scores(project: Project, broker: Broker) -> None:
    gold(project, 10)
    start(project)
    workers.deliver(workers.train(broker.take("gpu") or {}, dev=None, dev_texts=0))
    project.refresh_from_db()
    assert project.serving.scores is None


def test_a_training_that_failed_leaves_the_old_version_serving(
    project: Project, broker: Broker
) -> None:
    before = factories.make_version(project)
    gold(project, 10)
    job = start(project)
    workers.fail(broker.take("gpu") or {}, "RuntimeError: no memory")
    project.refresh_from_db()
    job.refresh_from_db()
    assert (project.serving, job.state, job.note) == (before, "failed", "RuntimeError: no memory")


def test_what_was_reviewed_since_the_last_training_makes_one_due(project: Project) -> None:
    Project.objects.update(retrain_after=2)
    project.refresh_from_db()
    began = timezone.now()

    def review(minutes: int) -> None:
        factories.make_document(
            project, status="gold", split="train", reviewed_at=began + timedelta(minutes=minutes)
        )

    factories.make_document(project, status="gold", split="train")  # imported, not reviewed
    review(1)
    assert not training.is_due(project)
    review(2)
    assert training.is_due(project)
    job = factories.make_job(project, Job.Kind.TRAIN, state="failed")
    Job.objects.filter(pk=job.pk).update(gold_at=began + timedelta(minutes=3))
    assert not training.is_due(project)  # however it ended
    review(4)
    assert not training.is_due(project)
    review(5)
    assert training.is_due(project)
    project.retrain_after = 0
    assert not training.is_due(project)


# --- Recalibrating -----------------------------------------------------------------------------
def read(document: Document, surface: str, label: str, u: float, answer: str = "") -> None:
    factories.make_prediction(document, surface, label, uncertainty=u)
    if answer:
        asked = asdict(whom(document.project))
        factories.make_question(document, surface, answer, **asked)


def test_recalibrating_needs_a_model_and_held_out_gold(project: Project) -> None:
    with pytest.raises(Impossible, match="no model yet"):
        recalibrating.prepare(project)
    factories.make_version(project)
    gold(project, 3)
    with pytest.raises(Impossible, match="no held-out gold"):
        recalibrating.prepare(project)
    gold(project, 1, "dev")
    assert recalibrating.prepare(project) == [[]]


def recalibration(project: Project, broker: Broker) -> CalibrateRequest:
    start(project, Job.Kind.RECALIBRATE)
    return CalibrateRequest.from_json(broker.take("gpu") or {})


def test_held_out_gold_says_who_was_right_about_each_mention(
    project: Project, broker: Broker
) -> None:
    factories.make_version(project)
    [held_out] = gold(project, 1, "dev")
    read(held_out, "Ada", "person", 0.1, "person")  # both right
    read(held_out, "saw", "group", 0.2, "O")  # rejected: only the LLM is right
    read(held_out, "Oslo", "place", 0.3)  # not gold, not asked
    factories.make_prediction(held_out, "dev", "place", lane="candidate")
    [learned] = gold(project, 1)
    read(learned, "Ada", "person", 0.9, "person")
    [audited] = recalibration(project, broker).audited
    assert audited.gold == [Mention(0, 3, "person")]
    assert [span.lane for span in audited.evidence] == ["mention"] * 3 + ["candidate"]
    [interval] = frontier.calibrated([audited]).intervals
    assert interval == Interval(0, 1, 3, local_accuracy=0.3333, asked=2, llm_accuracy=1)


def test_a_method_chosen_later_is_calibrated_on_what_it_says(
    project: Project, broker: Broker
) -> None:
    factories.make_version(project)
    [held_out] = gold(project, 1, "dev")
    Project.objects.update(method="entropy")
    held_out.project.refresh_from_db()
    read(held_out, "Ada", "person", 0.1, "person")
    project.refresh_from_db()
    assert project.threshold() is None
    [audited] = recalibration(project, broker).audited
    assert [(span.label, span.answer) for span in audited.evidence] == [("person", "person")]


def test_answers_about_a_label_that_is_left_out_say_nothing_of_tau(
    project: Project, broker: Broker
) -> None:
    factories.make_version(project)
    for held_out in gold(project, 2, "dev"):
        read(held_out, "Ada", "person", 0.1, "person")
        read(held_out, "Oslo", "place", 0.2, "O")
    project.labels.filter(name="person").update(ask_llm=False)
    request = recalibration(project, broker)
    workers.deliver(workers.calibrate(request.to_json(), enough=3))
    threshold = project.threshold()
    assert [(i["spans"], i["asked"], i["llm_accuracy"]) for i in threshold.intervals] == [(4, 2, 1)]
    assert threshold.origin == Threshold.Origin.TRAINING
    assert not recalibrating.is_due(project), "those that count are known"
    project.labels.update(ask_llm=True)
    assert recalibrating.is_due(project)


@pytest.mark.parametrize("happens", ["version", "method"])
def test_what_another_version_or_method_says_is_not_asked_for(
    project: Project, broker: Broker, happens: str
) -> None:
    factories.make_version(project)
    gold(project, 1, "dev")
    job = chunks.open_job(project, Job.Kind.RECALIBRATE, recalibrating.prepare(project))
    if happens == "version":
        factories.make_version(project)
    else:
        Project.objects.update(method="entropy")
    pipeline.dispatch(job)
    job.refresh_from_db()
    assert (job.state, broker.take("gpu")) == ("failed", None)
    assert "Another version or method came meanwhile" in job.note


def test_a_new_threshold_rebuilds_what_it_routes(project: Project, broker: Broker) -> None:
    factories.make_version(project, tau=0.4)
    [held_out] = gold(project, 1, "dev")
    read(held_out, "Ada", "person", 0.1, "person")
    under_review = factories.make_document(project, status="tagged")
    read(under_review, "Ada", "person", 0.3)
    start(project, Job.Kind.RECALIBRATE)
    workers.deliver(workers.calibrate(broker.take("gpu") or {}, tau=0.2))
    threshold = project.threshold()
    assert (threshold.tau, threshold.origin) == (0.2, Threshold.Origin.INTERSECTION)
    assert threshold.intervals[0]["asked"] == 1
    under_review.refresh_from_db()
    assert (under_review.needs_count, under_review.mentions.get().needs_person) == (1, True)


def test_without_answers_the_threshold_does_not_claim_to_rest_on_any(
    project: Project, broker: Broker
) -> None:
    factories.make_version(project)
    gold(project, 1, "dev")
    start(project, Job.Kind.RECALIBRATE)
    workers.deliver(workers.calibrate(broker.take("gpu") or {}))
    assert project.threshold().origin == Threshold.Origin.TRAINING


def test_too_few_answers_are_waited_for_and_more_of_them_are_looked_at(
    project: Project, broker: Broker
) -> None:
    factories.make_version(project)
    first, second = gold(project, 2, "dev")
    read(first, "Ada", "person", 0.1, "person")
    read(second, "Ada", "person", 0.1)
    start(project, Job.Kind.RECALIBRATE)
    workers.deliver(workers.calibrate(broker.take("gpu") or {}, enough=2))
    assert project.threshold().origin == Threshold.Origin.TRAINING
    assert not recalibrating.is_due(project)
    asked = asdict(whom(project))
    factories.make_question(second, "Ada", "person", **asked)
    assert recalibrating.is_due(project)


def test_the_floor_of_candidates_is_never_lowered_for_what_lies_below_is_not_seen(
    project: Project, broker: Broker
) -> None:
    version = factories.make_version(project)
    version.thresholds.update(candidate_floor=0.2)
    gold(project, 1, "dev")
    for found, kept in ((0.0, 0.2), (0.3, 0.3)):
        start(project, Job.Kind.RECALIBRATE)
        workers.deliver(workers.calibrate(broker.take("gpu") or {}, floor=found))
        assert project.threshold().candidate_floor == kept
        assert version.candidate_floor() == kept


def test_a_cancelled_recalibration_changes_nothing(project: Project, broker: Broker) -> None:
    factories.make_version(project, tau=0.4)
    gold(project, 1, "dev")
    pipeline.cancel(start(project, Job.Kind.RECALIBRATE))
    workers.deliver(workers.calibrate(broker.take("gpu") or {}))
    assert project.threshold().tau == 0.4
