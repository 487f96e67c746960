"""Which documents are read by the serving version, and what of its answer is kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from annotator import chunks, pipeline, tagging
from annotator.models import Document, Job, Prediction, Project, Tagging
from annotator.refusals import Impossible
from mlworker import schema
from tests import factories
from tests.annotator import workers
from tests.annotator.workers import Broker

pytestmark = pytest.mark.django_db

ADA = ("Ada", "person", 0.1)


@pytest.fixture
def project() -> Project:
    project = factories.make_project()
    factories.make_version(project)
    return project


def documents(project: Project, count: int) -> list[Document]:
    return [factories.make_document(project, f"Ada wrote letter {n}.") for n in range(count)]


def start(project: Project) -> Job:
    job = chunks.open_job(project, Job.Kind.TAG, tagging.prepare(project), follow=False)
    pipeline.dispatch(job)
    return job


def test_all_is_read_but_the_gold_that_was_learned_from(project: Project) -> None:
    def make(status: str, split: str) -> int:
        return factories.make_document(project, status=status, split=split).pk

    new, tagged = make("new", "none"), make("tagged", "train")
    held_out, test = make("gold", "dev"), make("gold", "test")
    make("gold", "train")
    factories.make_document(factories.make_project())
    assert tagging.prepare(project) == [[new, tagged, held_out, test]]
    Tagging.objects.create(document_id=new, version=project.serving, method=project.method)
    Tagging.objects.create(document_id=test, version=project.serving, method="entropy")
    assert tagging.prepare(project) == [[tagged, held_out, test]]
    factories.make_version(project)
    assert tagging.prepare(project) == [[new, tagged, held_out, test]]


def test_candidates_end_where_the_threshold_says(project: Project, broker: Broker) -> None:
    documents(project, 1)
    project.serving.thresholds.update(candidate_floor=0.17)
    start(project)
    assert (broker.take("gpu") or {})["candidate_floor"] == 0.17


def test_documents_are_cut_by_the_rules_of_the_projects_language(
    project: Project, broker: Broker
) -> None:
    documents(project, 1)
    Project.objects.update(language="de")
    start(Project.objects.get())
    (text,) = (broker.take("gpu") or {})["texts"]
    assert text["language"] == "de"


def test_without_a_model_nothing_is_read() -> None:
    with pytest.raises(Impossible, match="no model yet; train one first"):
        tagging.prepare(factories.make_project())


def test_a_label_removed_meanwhile_is_left_out(project: Project, broker: Broker) -> None:
    documents(project, 1)
    job = start(project)
    request = broker.take("gpu") or {}
    project.labels.filter(name="group").delete()
    workers.deliver(workers.tag(request, ADA, ("letter", "group", 0.2)))
    job.refresh_from_db()
    assert job.state == "done"
    assert [p.label.name for p in Prediction.objects.all()] == ["person"]


def test_a_document_deleted_meanwhile_is_left_out(project: Project, broker: Broker) -> None:
    first, second = documents(project, 2)
    job = start(project)
    request = broker.take("gpu") or {}
    first.delete()
    workers.deliver(workers.tag(request, ADA))
    job.refresh_from_db()
    assert (job.state, list(Tagging.objects.values_list("document", flat=True))) == (
        "done",
        [second.pk],
    )


def test_uncertainty_is_kept_inside_its_bounds(project: Project, broker: Broker) -> None:
    documents(project, 1)
    start(project)
    workers.deliver(workers.tag(broker.take("gpu") or {}, ("Ada", "person", 1.0000001)))
    assert Prediction.objects.get().uncertainty == 1


def test_the_examples_of_a_span_are_kept_with_it(project: Project, broker: Broker) -> None:
    documents(project, 1)
    start(project)
    answer = workers.tag(broker.take("gpu") or {}, ADA)
    (span,) = answer.texts[0].spans
    nearest = [schema.Neighbour(7, 3, 9, "person", 0.873)]
    answer.texts[0].spans[:] = [replace(span, nearest=nearest)]
    workers.deliver(answer)
    assert Prediction.objects.get().nearest == [
        {"text": 7, "start": 3, "end": 9, "label": "person", "similarity": 0.873}
    ]
