"""What the calibration is told of what was read, and what each route takes and finds."""

from __future__ import annotations

from typing import Any

import pytest

from annotator import chunks, frontier, pipeline
from annotator.asked import whom
from annotator.cost import Cost
from annotator.models import Document, Job, Project, Tagging
from annotator.swept import whom_sweeps
from annotator.views.plot import Plot
from mlworker.schema import CalibrateRequest, Frontier, Point, Route, Scores, Turn
from mlworker.tasks import gpu
from tests import factories
from tests.annotator.workers import Broker

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("llm_server")]

TEXT = "Ada met Bo. It rained."
FIRST, SECOND = (0, 11), (12, 22)


@pytest.fixture
def project() -> Project:
    project = factories.make_project(provider=Project.Provider.OPENAI)
    factories.make_version(project, tau=0.4)
    return project


def tagged(project: Project, missed: float, **fields: Any) -> Document:
    """Two sentences; more is missed in the first."""
    document = factories.make_document(project, TEXT, **({"status": "gold"} | fields))
    Tagging.objects.create(
        document=document,
        version=project.serving,
        method=project.method,
        sentences=[[*FIRST, missed], [*SECOND, 0.0]],
    )
    return document


def read(document: Document, at: tuple[int, int], **fields: Any) -> None:
    to = whom_sweeps(document.project)
    factories.make_swept_sentence(
        document,
        start=at[0],
        end=at[1],
        model=to.model,
        prompt_version=to.prompt_version,
        **fields,
    )


# --- What was read -----------------------------------------------------------------------------
def test_turns_are_those_of_the_project_whose_riskiest_sentences_are_read_first(
    project: Project,
) -> None:
    risky = tagged(project, 0.9, split="dev")
    open_one = tagged(project, 0.5, status="tagged")
    for document in (risky, open_one):
        read(document, FIRST)
    found = frontier.turns(project)
    assert found.read == {risky.pk: [Turn(*FIRST, 25.0)]}  # of four sentences the first
    assert found.shares == [25.0, 50.0]  # the turn of its other sentence comes at 75


def test_a_share_counts_once_nearly_all_its_held_out_sentences_were_read(project: Project) -> None:
    document = tagged(project, 0.9, split="dev")
    other = tagged(project, 0.8, split="dev")
    read(document, FIRST)
    assert frontier.turns(project).shares == [25.0]
    read(other, FIRST)
    assert frontier.turns(project).shares == [25.0, 50.0]
    read(document, SECOND)
    read(other, SECOND, state="unresolved")
    assert frontier.turns(project).shares == [25.0, 50.0]


def test_what_another_llm_read_was_not_read(project: Project) -> None:
    document = tagged(project, 0.9, split="dev")
    factories.make_swept_sentence(document)
    assert frontier.turns(project) == frontier.Turns({}, [])


def recalibrate(project: Project, broker: Broker) -> CalibrateRequest:
    job = chunks.open_job(project, Job.Kind.RECALIBRATE, [[]], follow=False)
    pipeline.dispatch(job)
    return CalibrateRequest.from_json(broker.take("gpu") or {})


def test_the_calibration_judges_and_what_it_found_is_kept(project: Project, broker: Broker) -> None:
    document = tagged(project, 0.9, split="dev")
    to = whom(project)
    for surface, label in (("Ada", "person"), ("Bo", "person")):
        factories.make_mention(document, surface, label, state="accepted", source="person")
    factories.make_prediction(document, "Ada", "place", uncertainty=0.9)
    factories.make_question(
        document,
        "Ada",
        "person",
        provider=to.provider,
        model=to.model,
        prompt_version=to.prompt_version,
    )
    read(document, FIRST, found={"Bo": "person"})
    read(document, SECOND)
    request = recalibrate(project, broker)
    assert request.shares == [50.0, 100.0]
    assert request.audited[0].read == [Turn(*FIRST, 50.0), Turn(*SECOND, 100.0)]
    pipeline.deliver(gpu.calibrate(request.to_json()))
    threshold = project.threshold()
    assert threshold is not None
    kept = Frontier.from_json(threshold.frontier)
    assert (kept.documents, kept.gold) == (1, 2)
    assert [p.route for p in kept.points] == [Route.LOCAL, Route.REPLACE, Route.SWEEP]


# --- What it takes -----------------------------------------------------------------------------
def point(route: Route, share: float, f1: float, *counts: int, low: float = 0) -> Point:
    questions, sentences = counts or (0, 0)
    return Point(route, share, Scores(f1, f1, f1), questions, sentences, low + 1, low, low + 2)


def keep(project: Project, *points: Point, documents: int = 500) -> frontier.Choices:
    threshold = project.threshold()
    assert threshold is not None
    threshold.frontier = Frontier(documents, 900, list(points)).to_json()
    threshold.save()
    found = frontier.choices(project)
    assert found is not None
    return found


LOCAL = point(Route.LOCAL, 0, 60.0)
POOL = point(Route.POOL, 0, 70.0, 300, 0)
QUARTER = point(Route.BOTH, 25, 74.0, 300, 200, low=1.0)
HALF = point(Route.BOTH, 50, 75.0, 300, 400, low=2.0)


def test_before_it_was_judged_there_is_nothing_to_choose_from(project: Project) -> None:
    assert frontier.choices(project) is None
    assert frontier.choices(factories.make_project()) is None


def test_costs_follow_from_what_a_question_and_a_sentence_took(project: Project) -> None:
    document = tagged(project, 0.9, split="dev")
    to, reader = whom(project), whom_sweeps(project)
    tokens = {"prompt_tokens": 800, "completion_tokens": 80}
    asking = factories.make_call(project, questions_count=6, micros=1600, **tokens)
    reading = factories.make_call(
        project, prompt_version=reader.prompt_version, questions_count=3, micros=4000, **tokens
    )
    words = {"provider": to.provider, "model": to.model, "prompt_version": to.prompt_version}
    for surface in ("Ada", "met", "Bo", "It", "rained", "Ada met", "met Bo", "It rained"):
        factories.make_question(document, surface, "person", call=asking, **words)
    for at in (FIRST, SECOND, (0, 3), (12, 14)):
        read(document, at, call=reading)
    factories.make_question(document, "Ada met Bo", "person", **words)  # its request is not known
    local, pool, quarter = keep(project, LOCAL, POOL, QUARTER).rows
    assert local.cost == Cost()
    # 600 questions per 1,000 documents, 8 in a request: two are twins of the six that were sent
    assert pool.cost == Cost(requests=75, tokens=66_000, micros=120_000)
    assert quarter.reading == Cost(requests=100, tokens=88_000, micros=400_000)
    assert quarter.cost.micros == 520_000
    assert str(quarter.reading.amount) == "0.4"


def test_the_best_reading_is_the_one_that_finds_most_beyond_chance(project: Project) -> None:
    best = keep(project, LOCAL, POOL, QUARTER, HALF).best_read
    assert best is not None
    assert best.point == HALF
    chance = point(Route.BOTH, 100, 76.0, 300, 800, low=-0.5)
    best = keep(project, LOCAL, POOL, QUARTER, chance).best_read
    assert best is not None
    assert best.point == QUARTER
    assert keep(project, LOCAL, POOL, chance).best_read is None


def test_asking_is_weighed_where_that_was_learned(project: Project) -> None:
    replaced = point(Route.REPLACE, 0, 69.0, 300, 0)
    assert keep(project, LOCAL).linked is None
    linked = keep(project, LOCAL, replaced).linked
    assert linked is not None
    assert linked.point == replaced
    linked = keep(project, LOCAL, replaced, POOL, HALF).linked
    assert linked is not None
    assert linked.point == POOL


# --- The figure --------------------------------------------------------------------------------
def test_the_figure_holds_every_way_and_a_line_through_the_best(project: Project) -> None:
    document = tagged(project, 0.9, split="dev")
    read(document, FIRST, call=factories.make_call(project, questions_count=4, prompt_tokens=400))
    worse = point(Route.SWEEP, 100, 50.0, 0, 800)
    plot = Plot.of(keep(project, LOCAL, worse, QUARTER, HALF))
    assert not plot.in_money
    xs = [marker.x for marker in plot.markers]
    ys = [marker.y for marker in plot.markers]
    assert xs[0] < xs[2] < xs[3] < xs[1]
    assert ys[3] < ys[2] < ys[0] < ys[1]  # up is a smaller y
    assert all(plot.left <= x <= plot.right for x in xs)
    assert all(plot.top <= y <= plot.bottom for y in ys)
    assert plot.path.split() == [f"{xs[i]},{ys[i]}" for i in (0, 2, 3)]
    assert [tick.text for tick in plot.y_ticks] == ["50", "55", "60", "65", "70", "75"]


def test_a_figure_of_one_way_that_costs_nothing_can_be_drawn(project: Project) -> None:
    plot = Plot.of(keep(project, LOCAL))
    assert len(plot.markers) == 1
    assert len({tick.at for tick in plot.y_ticks}) == len(plot.y_ticks) >= 2
    assert [tick.text for tick in plot.x_ticks] == ["0", "1"]
