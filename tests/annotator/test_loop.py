"""The steps follow one another by themselves, in order, and come to an end."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from annotator import pipeline, review, tasks
from annotator.models import Document, Job, Label, Mention, Project, Question, Threshold
from mlworker.schema import NO_ENTITY, Outcome
from tests import factories
from tests.annotator import workers
from tests.annotator.workers import Broker

pytestmark = pytest.mark.django_db

FOUND = (("Ada", "person", 0.3), ("Oslo", "place", 0.6))
Llm = Callable[[dict[str, Any]], Any]


def told(request: dict[str, Any]) -> Any:
    return workers.answer(request, Ada="person", Oslo="place")


def silent(request: dict[str, Any]) -> Any:
    return workers.answer(request)


@pytest.fixture
def project() -> Project:
    """Ten documents of gold to learn from, two held out, three to review."""
    project = factories.make_project(provider=Project.Provider.RECORDED, recording="demo")
    for number in range(12):
        split = "train" if number < 10 else "dev"
        document = factories.make_document(
            project, f"Ada saw Oslo {number}.", status="gold", split=split
        )
        factories.make_mention(document, "Ada", "person", state="accepted")
    for number in range(3):
        factories.make_document(project, f"Ada left Oslo {number}.")
    return project


@pytest.fixture
def run(broker: Broker, django_capture_on_commit_callbacks: Any) -> Any:
    """Lets the workers work until nothing is left to do; the kinds of jobs, in order."""

    def run(start: Callable[[], object], llm: Llm = told, tau: float = 0.2) -> list[str]:
        answers: dict[str, Llm] = {
            "dataset": workers.train,
            "texts": lambda request: workers.tag(request, *FOUND),
            "audited": lambda request: workers.calibrate(request, tau),
            "questions": llm,
        }
        before = set(Job.objects.values_list("pk", flat=True))
        with django_capture_on_commit_callbacks(execute=True):
            start()
        for _ in range(60):
            requests = broker.all("gpu") + broker.all("llm")
            if not requests:
                break
            for request in requests:
                kind = next(key for key in answers if key in request)
                with django_capture_on_commit_callbacks(execute=True):
                    workers.deliver(answers[kind](request))
        else:
            pytest.fail("the loop never ends")
        made = Job.objects.exclude(pk__in=before).order_by("pk")
        assert not made.active().exists()
        return list(made.values_list("kind", flat=True))

    return run


def test_training_leads_through_the_whole_loop(project: Project, run: Any) -> None:
    started_by = factories.make_user()
    kinds = run(lambda: pipeline.start(project, Job.Kind.TRAIN, started_by))
    assert kinds == ["train", "tag", "link", "recalibrate", "link"]
    assert {job.created_by for job in project.jobs.all()} == {started_by}
    project.refresh_from_db()
    assert project.threshold().origin == Threshold.Origin.INTERSECTION
    assert project.threshold().tau == 0.2
    held_out, rest = _questions(project)
    assert (held_out, rest) == (4, 6)
    first, second = project.jobs.filter(kind="link").order_by("pk")
    assert (first.total, second.total) == (4, 6)


def _questions(project: Project) -> tuple[int, int]:
    asked = Question.objects.filter(document__project=project)
    held_out = asked.filter(document__status="gold").count()
    return held_out, asked.count() - held_out


def test_without_llm_it_ends_with_tagging(project: Project, run: Any) -> None:
    Project.objects.update(provider=Project.Provider.NONE)
    assert run(lambda: pipeline.start(project, Job.Kind.TRAIN)) == ["train", "tag"]
    to_review = project.documents.to_review()
    assert to_review.count() == 3
    assert all(d.needs_count == 1 for d in to_review)  # Oslo: u 0.6 > τ 0.4


def test_a_method_chosen_later_gets_a_threshold_of_its_own(project: Project, run: Any) -> None:
    Project.objects.update(provider=Project.Provider.NONE)
    run(lambda: pipeline.start(project, Job.Kind.TRAIN))
    Project.objects.update(method="entropy")
    project.refresh_from_db()
    assert project.threshold() is None
    assert run(lambda: pipeline.start(project, Job.Kind.TAG)) == ["tag", "recalibrate"]
    assert project.threshold().tau == 0.2


def test_a_method_chosen_later_gets_one_without_held_out_gold_too(
    project: Project, run: Any
) -> None:
    Project.objects.update(provider=Project.Provider.NONE)
    run(lambda: pipeline.start(project, Job.Kind.TRAIN))
    project.documents.held_out().delete()
    Project.objects.update(method="entropy")
    project.refresh_from_db()
    assert run(lambda: pipeline.start(project, Job.Kind.TAG)) == ["tag", "recalibrate"]
    assert project.threshold().tau == 0.2


def test_a_second_tagging_does_not_recalibrate_again(project: Project, run: Any) -> None:
    run(lambda: pipeline.start(project, Job.Kind.TRAIN))
    factories.make_document(project, "Ada found Oslo.")
    project.refresh_from_db()
    assert run(lambda: pipeline.start(project, Job.Kind.TAG)) == ["tag", "link"]


def test_a_silent_llm_does_not_send_the_loop_in_circles(project: Project, run: Any) -> None:
    kinds = run(lambda: pipeline.start(project, Job.Kind.TRAIN), llm=silent)
    assert kinds == ["train", "tag", "link", "link"]
    assert _questions(project) == (4, 3)  # the rest is routed by the τ of the training
    mentions = Mention.objects.undecided().filter(needs_person=True)
    assert [m.surface for m in mentions] == ["Oslo"] * 3


def test_held_out_gold_in_which_nothing_is_found_does_not_either(
    project: Project, run: Any
) -> None:
    project.documents.filter(split="dev").update(text="Nobody was there.", length=17)
    kinds = run(lambda: pipeline.start(project, Job.Kind.TRAIN))
    assert kinds == ["train", "tag", "link"]
    assert _questions(project) == (0, 3)


def test_an_unreachable_llm_ends_the_loop_with_a_failed_job(
    project: Project, run: Any, settings: Any
) -> None:
    settings.CHUNK_QUESTIONS = 1
    kinds = run(
        lambda: pipeline.start(project, Job.Kind.TRAIN),
        llm=lambda request: workers.outcome(request, Outcome.REFUSED, reason="no key"),
    )
    assert kinds == ["train", "tag", "link"]
    job = project.jobs.get(kind="link")
    assert (job.state, job.note) == ("failed", "no key")


def test_without_held_out_gold_the_threshold_of_the_training_stays(
    project: Project, run: Any
) -> None:
    project.documents.filter(split="dev").update(split="train")
    kinds = run(lambda: pipeline.start(project, Job.Kind.TRAIN))
    assert kinds == ["train", "tag", "link"]
    project.refresh_from_db()
    assert project.threshold().origin == Threshold.Origin.TRAINING


def test_a_step_that_was_started_alone_stays_alone(project: Project, run: Any) -> None:
    assert run(lambda: pipeline.start(project, Job.Kind.TRAIN, follow=False)) == ["train"]


def test_a_cancelled_step_is_not_followed(
    project: Project, broker: Broker, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        job = pipeline.start(project, Job.Kind.TRAIN)
    pipeline.cancel(job)
    with django_capture_on_commit_callbacks(execute=True):
        workers.deliver(workers.train(broker.take("gpu") or {}))
    project.refresh_from_db()
    assert (project.serving, project.jobs.count()) == (None, 1)


def test_documents_that_come_in_during_a_tagging_are_tagged_next(
    project: Project, broker: Broker, run: Any, django_capture_on_commit_callbacks: Any
) -> None:
    project.provider = Project.Provider.NONE
    factories.make_version(project)
    with django_capture_on_commit_callbacks(execute=True):
        pipeline.start(project, Job.Kind.TAG)
    late = factories.make_document(project, "Ada came late.")
    assert run(lambda: None) == ["tag"]
    late.refresh_from_db()
    assert late.status == Document.Status.TAGGED


def test_a_version_that_begins_to_serve_during_a_tagging_tags_next(
    project: Project, run: Any, django_capture_on_commit_callbacks: Any
) -> None:
    project.provider = Project.Provider.NONE
    factories.make_version(project)
    with django_capture_on_commit_callbacks(execute=True):
        pipeline.start(project, Job.Kind.TAG)
    project.refresh_from_db()
    newer = factories.make_version(project)
    assert run(lambda: None) == ["tag"]
    assert not project.documents.unread_by(newer).exists()


def test_a_document_that_cannot_be_tagged_does_not_send_the_loop_in_circles(
    project: Project, broker: Broker, django_capture_on_commit_callbacks: Any, settings: Any
) -> None:
    settings.CHUNK_DOCUMENTS = 1
    factories.make_version(project)
    with django_capture_on_commit_callbacks(execute=True):
        pipeline.start(project, Job.Kind.TAG)
    requests = broker.all("gpu")
    workers.fail(requests.pop())
    while requests:
        workers.deliver(workers.tag(requests.pop(), *FOUND))
        requests += broker.all("gpu")
    job = project.jobs.get(kind="tag")
    assert (job.state, job.failed) == ("done", 1)


def test_retraining_begins_when_enough_was_reviewed(
    project: Project, run: Any, django_capture_on_commit_callbacks: Any
) -> None:
    Project.objects.update(retrain_after=2, provider=Project.Provider.NONE)
    run(lambda: pipeline.start(project, Job.Kind.TRAIN))
    assert run(tasks.retrain_due) == []
    user = factories.make_user()
    for document in project.documents.to_review()[:2]:
        review.submit(document, user, id=uuid.uuid4())
    assert run(tasks.retrain_due) == ["train", "tag"]
    project.refresh_from_db()
    assert project.serving.number == 2
    assert run(tasks.retrain_due) == []


def test_what_people_decided_survives_the_whole_loop(project: Project, run: Any) -> None:
    run(lambda: pipeline.start(project, Job.Kind.TRAIN))
    document = project.documents.to_review().first()
    document.mentions.filter(label__name="person").update(state="rejected")
    place = Label.objects.get(project=project, name="place")
    document.mentions.create(start=4, end=8, label=place, state="accepted", source="person")
    decided = list(
        document.mentions.exclude(state="suggested").values_list("pk", "start", "label", "state")
    )
    project.refresh_from_db()

    def contrary(request: dict[str, Any]) -> Any:
        return workers.answer(request, Ada="group", Oslo=NO_ENTITY)

    run(lambda: pipeline.start(project, Job.Kind.TRAIN), llm=contrary)
    assert (
        list(
            document.mentions.exclude(state="suggested").values_list(
                "pk", "start", "label", "state"
            )
        )
        == decided
    )
