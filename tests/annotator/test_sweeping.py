"""Which sentences the LLM reads whole, what it is sent, and what becomes of what it finds."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from annotator import chunks, linking, pipeline, recalibrating, review, steps, sweeping, tasks
from annotator.models import (
    Chunk,
    Document,
    Job,
    LLMCall,
    Price,
    Project,
    SweptSentence,
    Tagging,
    Threshold,
    User,
)
from annotator.refusals import Impossible
from annotator.review import Decision
from annotator.swept import swept_by
from mlworker.llm import sweep
from mlworker.llm.prompt import built_in
from mlworker.schema import SWEEP_PROMPT, AskRequest, AskResult, Outcome, Pool
from tests import factories
from tests.annotator import workers
from tests.annotator.workers import Broker

pytestmark = pytest.mark.django_db

TEXT = "Ada met Bo.\nOslo is far.\nNobody came."
Answer = Callable[[dict[str, Any]], Any]


@pytest.fixture
def project(settings: Any) -> Project:
    settings.LLM_BASE_URL, settings.LLM_MODEL = "http://127.0.0.1:1/v1", "m"
    settings.CHUNK_SENTENCES = 10
    project = factories.make_project(provider=Project.Provider.OPENAI, sweep_share=100)
    factories.make_version(project)
    return project


@pytest.fixture
def document(project: Project) -> Document:
    """Most is missed in its second sentence, then in the first."""
    return read_by_model(project, 0.2, 0.9, 0.1)


def read_by_model(project: Project, *missed: float, text: str = TEXT, **fields: Any) -> Document:
    document = factories.make_document(project, text, **{"status": "tagged"} | fields)
    factories.make_tagging(document, *missed)
    return document


def start(project: Project) -> Job:
    job = pipeline.chunks.open_job(project, Job.Kind.SWEEP, sweeping.prepare(project), follow=False)
    pipeline.dispatch(job)
    return job


def told(request: dict[str, Any]) -> AskResult:
    return workers.read(request, Ada="person", Oslo="place")


def work(broker: Broker, answer: Answer = told) -> list[list[str]]:
    """Answers requests until there are none; the texts of each."""
    sent = []
    while (request := broker.take("llm")) is not None:
        sent.append([passage["text"] for passage in request["passages"]])
        workers.deliver(answer(request))
    return sent


def chosen(project: Project, share: float) -> list[str]:
    project.sweep_share = share
    texts = dict(Document.objects.values_list("pk", "text"))
    return [texts[pk][start:end] for pk, start, end in sweeping.to_read(project)]


def swept(document: Document) -> dict[str, SweptSentence]:
    return {document.text[s.start : s.end]: s for s in document.swept.all()}


def shown(document: Document) -> dict[str, tuple[str, str, bool, bool]]:
    return {
        m.surface: (m.label.name, m.source, m.needs_person, m.maybe)
        for m in document.mentions.select_related("label", "document")
    }


# --- Which sentences ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("share", "sentences"),
    [
        (0, []),
        (34, ["Oslo is far."]),
        (67, ["Oslo is far.", "Ada met Bo."]),
        (100, ["Oslo is far.", "Ada met Bo.", "Nobody came."]),
    ],
)
def test_a_share_is_read_that_in_which_most_is_missed_first(
    document: Document, share: float, sentences: list[str]
) -> None:
    assert chosen(document.project, share) == sentences


def test_the_share_is_of_all_documents_together(document: Document) -> None:
    read_by_model(document.project, 0.5, text="Eve slept.")
    assert chosen(document.project, 50) == ["Oslo is far.", "Eve slept."]


def test_without_a_model_the_first_are_the_first(project: Project) -> None:
    Project.objects.update(serving=None)
    project.refresh_from_db()
    for text in ("Ada met Bo.\nHi.", "Oslo is far."):
        ends = [[0, 11], [12, 15]][: text.count("\n") + 1]
        factories.make_document(project, text, sentences=ends)
    factories.make_document(project, "Nobody cut this.")
    assert chosen(project, 67) == ["Ada met Bo.", "Hi."]


def test_planted_gold_changes_nothing_that_is_read(project: Project) -> None:
    rows = [
        read_by_model(project, 0.5, 0.9, 0.1),
        read_by_model(project, 0.4, 0.3, 0.2, status="gold", split="dev"),
        read_by_model(project, 0.45, 0.35, 0.25, status="gold", split="test"),
    ]
    before = list(sweeping.to_read(project)), sweeping.in_order(project)
    assert len(before[1]) == 9
    for row in rows:
        for surface in ("Ada", "Nobody"):
            factories.make_mention(row, surface, "person", state="accepted", source="person")
    assert (list(sweeping.to_read(project)), sweeping.in_order(project)) == before


def test_held_out_and_test_gold_is_read_by_the_same_rule_and_what_was_learned_from_never(
    project: Project,
) -> None:
    under_review = read_by_model(project, 0.5, text="a b")
    held_out = read_by_model(project, 0.7, text="c d", status="gold", split="dev")
    test = read_by_model(project, 0.3, text="e f", status="gold", split="test")
    read_by_model(project, 0.9, text="g h", status="gold", split="train")
    ranked = [pk for pk, *_ in sweeping.in_order(project)]
    assert ranked == [held_out.pk, under_review.pk, test.pk]
    assert chosen(project, 34) == ["c d"]


def test_what_is_too_long_for_a_sentence_is_none(project: Project) -> None:
    long = "a " * (sweeping.LONGEST // 2)
    read_by_model(project, 0.9, 0.9, 0.1, text=f"{long}b\n{long}\nshort")
    assert chosen(project, 100) == [long, "short"]


def test_a_sentence_is_read_once(document: Document, broker: Broker) -> None:
    start(document.project)
    work(broker)
    assert sweeping.prepare(document.project) == []
    assert not sweeping.is_due(document.project)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"provider": ""}, "asks no LLM"),
        ({"provider": "recorded"}, "Only an LLM server can read"),
        ({"sweep_share": 0}, "No share of the sentences"),
    ],
)
def test_reading_cannot_start_without(
    document: Document, fields: dict[str, Any], says: str
) -> None:
    for name, value in fields.items():
        setattr(document.project, name, value)
    for prepare in (sweeping.prepare, sweeping.prepare_split):
        with pytest.raises(Impossible, match=says):
            prepare(document.project)
    assert not sweeping.is_due(document.project)


# --- What is sent ------------------------------------------------------------------------------
def test_the_riskiest_sentences_are_sent_first_and_nothing_else(
    document: Document, broker: Broker, settings: Any
) -> None:
    settings.CHUNK_SENTENCES = 2
    start(document.project)
    first, second = (AskRequest.from_json(request) for request in broker.all("llm"))
    assert {p.text for p in first.passages} == {"Oslo is far.", "Ada met Bo."}
    assert [p.text for p in second.passages] == ["Nobody came."]
    assert (first.provider, first.model, first.questions) == ("openai", "m", [])
    assert first.prompt == built_in(SWEEP_PROMPT)
    assert [label.name for label in first.labels] == list(factories.LABELS)
    assert [c.questions_count for c in LLMCall.objects.order_by("pk")] == [2, 1]


def test_what_was_left_is_not_sent_when_the_share_became_smaller(
    document: Document, broker: Broker, settings: Any
) -> None:
    settings.CHUNK_SENTENCES = 1
    pipeline.cancel(start(document.project))
    broker.all("llm")
    document.project.sweep_share = 34
    ((only,),) = sweeping.prepare(document.project)
    assert swept(document)["Oslo is far."].pk == only


def test_a_document_that_was_reviewed_while_its_job_was_paused_is_not_sent(
    document: Document, broker: Broker
) -> None:
    pieces = sweeping.prepare(document.project)
    job = chunks.open_job(document.project, Job.Kind.SWEEP, pieces, follow=False)
    assert pipeline.pause(job)
    Document.objects.filter(pk=document.pk).update(status="gold", split="train")
    assert pipeline.resume(job)
    pipeline.dispatch(job)
    assert broker.all("llm") == []
    assert not LLMCall.objects.exists()
    job.refresh_from_db()
    assert job.state == "done"


# --- What is found -----------------------------------------------------------------------------
def test_finds_are_kept_with_offsets_of_the_document_and_become_proposals(
    document: Document, broker: Broker
) -> None:
    job = start(document.project)
    work(broker)
    job.refresh_from_db()
    assert (job.state, job.done, job.total) == ("done", 3, 3)
    at = TEXT.index("Oslo")
    assert swept(document)["Oslo is far."].found == [[at, at + 4, "place"]]
    assert swept(document)["Nobody came."].found == []
    assert shown(document) == {
        "Ada": ("person", "sweep", True, True),
        "Oslo": ("place", "sweep", True, True),
    }
    document.refresh_from_db()
    assert (document.needs_count, document.priority) == (2, 2.0)
    call = LLMCall.objects.get()
    assert {s.call for s in document.swept.all()} == {call}


def test_what_is_not_there_is_kept_as_ungrounded_and_placed_nowhere(
    document: Document, broker: Broker
) -> None:
    start(document.project)

    def invents(request: dict[str, Any]) -> AskResult:
        asked = AskRequest.from_json(request)
        named = [{"text": "Eve", "occurrence": 1, "label": "A"}]
        entries = [{"id": n, "mentions": named} for n in range(1, len(asked.passages) + 1)]
        finds = sweep.parse(json.dumps({"found": entries}), {"A": "person"}, asked.passages)
        return AskResult(asked.chunk, asked.attempt, Outcome.ANSWERED, finds=finds)

    work(broker, invents)
    assert all(s.ungrounded == [["Eve", "person"]] for s in document.swept.all())
    assert shown(document) == {}


def test_a_label_that_was_removed_since_is_dropped(document: Document, broker: Broker) -> None:
    start(document.project)
    request = broker.take("llm") or {}
    document.project.labels.filter(name="place").delete()
    workers.deliver(told(request))
    assert [s.found for s in document.swept.order_by("start")] == [[[0, 3, "person"]], [], []]


def test_what_got_no_usable_answer_is_read_once_more_without_the_others(
    document: Document, broker: Broker
) -> None:
    job = start(document.project)

    def half(request: dict[str, Any]) -> AskResult:
        result = told(request)
        return AskResult(result.chunk, result.attempt, Outcome.ANSWERED, finds=result.finds[1:])

    sent = work(broker, half)
    assert [len(texts) for texts in sent] == [3, 1]
    job.refresh_from_db()
    assert (job.state, job.done) == ("done", 3)
    states = [s.state for s in document.swept.order_by("start")]
    assert states == ["unresolved", "answered", "answered"]
    left = document.swept.get(state="unresolved")
    assert left.reason == "no answer"
    assert sweeping.prepare(document.project) == []
    assert sweeping.reopen(document.project) == 1
    assert sweeping.prepare(document.project) == [[left.pk]]


def test_a_refusal_ends_the_job_and_leaves_its_sentences_open(
    document: Document, broker: Broker
) -> None:
    job = start(document.project)
    work(broker, lambda request: workers.outcome(request, Outcome.REFUSED, reason="wrong key"))
    job.refresh_from_db()
    assert (job.state, job.note) == ("failed", "wrong key")
    assert {(s.state, s.reason) for s in document.swept.all()} == {("open", "wrong key")}
    assert sweeping.is_due(document.project)


def test_a_request_that_is_refused_for_one_sentence_is_halved(
    document: Document, broker: Broker
) -> None:
    start(document.project)

    def too_much(request: dict[str, Any]) -> AskResult:
        if len(request["passages"]) > 1:
            return workers.outcome(request, Outcome.SPLIT, reason="too long")
        return told(request)

    assert [len(texts) for texts in work(broker, too_much)] == [3, 1, 2, 1, 1]
    assert {s.state for s in document.swept.all()} == {"answered"}


def test_nothing_is_sent_that_the_budget_has_no_room_for(
    document: Document, broker: Broker
) -> None:
    Price.objects.create(model="m", since="2020-01-01", prompt=10_000, completion=10_000)
    document.project.monthly_budget = 1
    document.project.save()
    job = start(document.project)
    assert work(broker) == []
    job.refresh_from_db()
    assert job.state == "failed"
    assert "budget of 1.00 USD is spent" in job.note
    assert LLMCall.objects.count() == 0
    assert {s.state for s in document.swept.all()} == {"open"}


def test_the_llm_changed_while_it_read(document: Document, broker: Broker, settings: Any) -> None:
    settings.CHUNK_SENTENCES, settings.LLM_CONCURRENCY = 1, 1
    job = start(document.project)
    settings.LLM_MODEL = "another"
    work(broker)
    job.refresh_from_db()
    said = "The project's LLM, prompt or labels changed; ask again."
    assert (job.state, job.note) == ("failed", said)


def test_another_llm_reads_anew_and_what_the_first_found_no_longer_counts(
    document: Document, broker: Broker, settings: Any
) -> None:
    start(document.project)
    work(broker)
    settings.LLM_MODEL = "another"
    assert not swept_by(document.project).exists()
    start(document.project)
    work(broker, lambda request: workers.read(request, Bo="person"))
    assert set(shown(document)) == {"Bo"}
    assert SweptSentence.objects.count() == 6


names = st.sampled_from(
    ["Ada", "Bo", "Oslo", "a", " ", "é\U0001f1f3\U0001f1f4", "\n", "", "Ada met"]
)
mentions = st.fixed_dictionaries(
    {
        "text": names | st.text(max_size=4),
        "occurrence": st.integers(-1, 3),
        "label": st.sampled_from(["A", "B", "C", "person", ""]),
    }
)


@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    text=st.lists(names, min_size=1, max_size=8).map(" ".join).filter(str.strip),
    named=st.lists(mentions, max_size=6),
)
def test_what_is_kept_are_always_the_words_that_were_named_where_they_stand(
    project: Project, broker: Broker, text: str, named: list[dict[str, Any]]
) -> None:
    SweptSentence.objects.all().delete()  # an earlier example's answer would be this text's too
    document = read_by_model(project, text=text)
    start(project)

    def answer(request: dict[str, Any]) -> AskResult:
        asked = AskRequest.from_json(request)
        entries = [{"id": n, "mentions": named} for n in range(1, len(asked.passages) + 1)]
        labels = {"A": "person", "B": "place"}
        finds = sweep.parse(json.dumps({"found": entries}), labels, asked.passages)
        return AskResult(asked.chunk, asked.attempt, Outcome.ANSWERED, finds=finds)

    work(broker, answer)
    words = {mention["text"] for mention in named}
    for sentence in document.swept.all():
        for at, end, label in sentence.found:
            assert sentence.start <= at < end <= sentence.end
            assert document.text[at:end] in words
            assert label in ("person", "place")


# --- The loop ----------------------------------------------------------------------------------
def held_out_read(project: Project, broker: Broker) -> Document:
    document = read_by_model(project, 0.9, 0.9, 0.9, status="gold", split="dev")
    start(project)
    work(broker)
    return document


def test_a_recalibration_is_due_when_held_out_gold_was_read(
    project: Project, broker: Broker
) -> None:
    assert not recalibrating.is_due(project)
    held_out_read(project, broker)
    assert recalibrating.is_due(project)
    job = pipeline.start(project, Job.Kind.RECALIBRATE, follow=False)
    pipeline.dispatch(job)
    request = broker.take("gpu") or {}
    (audited,) = request["audited"]
    assert [(e["lane"], e["label"], e["found"]) for e in audited["evidence"]] == [
        ("proposal", "person", "person"),
        ("proposal", "place", "place"),
    ]
    pool = Pool(["person"], {"entity": 1.0}, 0.5, 250)
    result = workers.calibrate(request)
    pipeline.deliver({"ok": result.to_json() | {"pool": pool.to_json()}})
    threshold = project.threshold()
    assert (threshold.swept, threshold.pool) == (3, pool.to_json())
    assert not recalibrating.is_due(project)


def test_what_another_llm_read_of_held_out_gold_is_weighed_anew(
    project: Project, broker: Broker, settings: Any
) -> None:
    held_out_read(project, broker)
    Threshold.objects.update(swept=5)
    assert recalibrating.is_due(project), "as many are not the same"
    settings.LLM_MODEL = "another"
    assert not recalibrating.is_due(project), "it has read nothing yet"


def test_a_budget_of_questions_keeps_the_weights(document: Document) -> None:
    project = document.project
    Threshold.objects.update(pool={"spans": 250}, swept=7)
    project.questions_per_100 = 50
    project.save()
    assert pipeline.budget.keep(project)
    kept = project.threshold()
    assert (kept.origin, kept.pool, kept.swept) == ("budget", {"spans": 250}, 7)


@pytest.fixture
def run(broker: Broker, django_capture_on_commit_callbacks: Any) -> Any:
    """Lets the workers work until nothing is left to do; the kinds of jobs, in order."""

    def run(begin: Callable[[], object], **fields: Any) -> list[str]:
        answers: dict[str, Answer] = {
            "passages": lambda r: told(r) if r["passages"] else workers.answer(r, Ada="person"),
            "dataset": workers.train,
            "audited": workers.calibrate,
            "method": lambda r: _with_sentences(workers.tag(r, ("Ada", "person", 0.7)), r),
            "texts": workers.split,
        }
        with django_capture_on_commit_callbacks(execute=True):
            begin()
        for _ in range(60):
            requests = broker.all("gpu") + broker.all("llm")
            if not requests:
                break
            for request in requests:
                key = next(key for key in answers if key in request)
                with django_capture_on_commit_callbacks(execute=True):
                    workers.deliver(answers[key](request))
        else:
            pytest.fail("the loop never ends")
        return list(Job.objects.order_by("pk").values_list("kind", flat=True))

    return run


def _with_sentences(result: Any, request: dict[str, Any]) -> Any:
    """The tagged texts, each one sentence in which something is missed."""
    for tagged, text in zip(result.texts, request["texts"], strict=True):
        tagged.sentences.append(workers.schema.ReadSentence(0, len(text["text"]), 0.5))
    return result


def gold(project: Project, train: int, dev: int) -> None:
    for number in range(train + dev):
        split = "train" if number < train else "dev"
        text = f"Ada saw Oslo {number}."
        factories.make_gold(project, text, ("Ada", "person"), split=split)


def test_reading_follows_the_questions_and_a_recalibration_the_reading(
    project: Project, run: Any
) -> None:
    gold(project, 10, 2)
    factories.make_document(project, "Ada left Oslo.")
    kinds = run(lambda: pipeline.start(project, Job.Kind.TRAIN))
    link = ["link", "recalibrate", "link"]
    assert kinds == ["train", "tag", *link, "sweep", "recalibrate", "link"]
    assert not Job.objects.active().exists()
    assert set(Job.objects.values_list("state", flat=True)) == {"done"}


def test_without_a_share_nothing_is_read(project: Project, run: Any) -> None:
    Project.objects.update(sweep_share=0)
    gold(project, 10, 2)
    kinds = run(lambda: pipeline.start(project, Job.Kind.TRAIN))
    assert "sweep" not in kinds


# --- Before there is a model -------------------------------------------------------------------
@pytest.fixture
def cold(project: Project) -> Project:
    """No gold and no model."""
    Project.objects.update(serving=None)
    project.versions.all().delete()
    project.refresh_from_db()
    return project


def test_from_no_gold_to_a_model(cold: Project, run: Any) -> None:
    documents = [factories.make_document(cold, f"Ada saw Oslo {n}.\nHi {n}.") for n in range(30)]
    rest = factories.make_document(cold, "Eve slept.")
    Project.objects.update(sweep_share=98, retrain_after=20)
    cold.refresh_from_db()
    assert steps.first_step(cold, Job.Kind.SWEEP) == Job.Kind.SPLIT
    assert run(lambda: pipeline.start(cold, Job.Kind.SPLIT)) == ["split", "sweep"]
    assert steps.first_step(cold, Job.Kind.SWEEP) == Job.Kind.SWEEP
    assert shown(documents[0]) == {
        "Ada": ("person", "sweep", True, True),
        "Oslo": ("place", "sweep", True, True),
    }
    rest.refresh_from_db()
    assert (rest.status, rest.swept.count()) == ("new", 0)
    assert cold.documents.to_review().count() == 30

    user = factories.make_user()
    for document in documents[:19]:
        confirm(document, user)
    assert run(tasks.retrain_due) == ["split", "sweep"]
    confirm(documents[19], user)
    kinds = run(tasks.retrain_due)
    assert kinds[:5] == ["split", "sweep", "train", "tag", "link"]
    cold.refresh_from_db()
    assert cold.serving is not None
    assert not cold.documents.filter(status="new").exists()
    waiting = cold.documents.to_review().first()
    assert shown(waiting)["Oslo"][1] == "sweep", "what was read before the model came still counts"
    assert shown(waiting)["Ada"][1] != "sweep"


def confirm(document: Document, user: User) -> None:
    """As a person who accepts each proposal, and submits."""
    for mention in document.mentions.all():
        document.refresh_from_db()
        review.decide(document, user, Decision(uuid.uuid4(), "accept", mention=mention.pk))
    document.refresh_from_db()
    review.submit(document, user, id=uuid.uuid4(), version=document.version)


def test_a_document_in_which_nothing_was_found_is_still_one_that_nobody_has_read(
    cold: Project, run: Any
) -> None:
    found, empty = (factories.make_document(cold, text) for text in ("Ada slept.", "It rained."))
    run(lambda: pipeline.start(cold, Job.Kind.SPLIT))
    assert (shown(found), shown(empty)) == ({"Ada": ("person", "sweep", True, True)}, {})
    statuses = list(cold.documents.order_by("pk").values_list("status", flat=True))
    assert statuses == ["tagged", "new"]


def test_where_the_sentences_are_is_found_first(cold: Project) -> None:
    factories.make_document(cold, "Ada slept.")
    with pytest.raises(Impossible, match="start with “Finding sentences”"):
        sweeping.prepare(cold)


def test_once_a_model_serves_its_sentences_count(document: Document) -> None:
    factories.make_document(document.project, "Not read yet.")
    assert not sweeping.lacks_sentences(document.project)
    assert len(sweeping.in_order(document.project)) == 3
    assert linking.prepare(document.project) == []
    assert Tagging.objects.count() == 1
    assert Chunk.objects.count() == 0
