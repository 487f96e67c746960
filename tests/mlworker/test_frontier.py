"""What each way of using the LLM would find, judged on documents that it did not learn from."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from mlworker import frontier, fusion
from mlworker.calibration import ROLLING
from mlworker.fusion import Rules
from mlworker.pooling import FEWEST_SPANS
from mlworker.schema import (
    NO_ENTITY,
    Audited,
    Evidence,
    Frontier,
    Lane,
    Mention,
    Point,
    Route,
    Turn,
)

LABELS = ["person", "place"]
TURNS = [10.0, 25.0, 50.0, 100.0]


def routed(
    document: int, *, llm_right: float, draw: random.Random
) -> tuple[Evidence, list[Mention]]:
    """A doubtful span at 0–4 that the local model takes for a place; in every second document it
    is one, else it is none. Asked, the LLM says what is right so often."""
    is_place = document % 2 == 0
    says_place = is_place if draw.random() < llm_right else not is_place
    span = Evidence(
        0,
        4,
        Lane.MENTION,
        "place",
        0.6,
        {"person": 0.0, "place": 0.5, NO_ENTITY: 0.5},
        answer="place" if says_place else NO_ENTITY,
    )
    return span, [Mention(0, 4, "place")] if is_place else []


def documents(count: int, *, llm_right: float = 0.8, read: bool = False) -> list[Audited]:
    """Each with a routed span and, where it was read, a person at 10–13 that only reading finds;
    their turns to be read come at 10, 25, 50 and 100 %."""
    draw = random.Random(1)
    out = []
    for number in range(count):
        span, gold = routed(number, llm_right=llm_right, draw=draw)
        missed = Mention(10, 13, "person")
        turn = Turn(9, 20, TURNS[number % 4])
        found = Evidence(10, 13, Lane.PROPOSAL, "person", 1.0, {}, found="person")
        out.append(Audited([span, found] if read else [span], [*gold, missed], [turn] * read))
    return out


def of(found: Frontier | None, route: Route, share: float = 0) -> Point:
    assert found is not None
    (point,) = [p for p in found.points if (p.route, p.share) == (route, share)]
    return point


def routes(found: Frontier | None) -> list[tuple[Route, float]]:
    return [] if found is None else [(p.route, p.share) for p in found.points]


# --- Which routes can be told of -----------------------------------------------------------------
def test_where_the_llm_said_nothing_there_is_no_frontier() -> None:
    silent = [Audited([replace(d.evidence[0], answer=None)], d.gold) for d in documents(9)]
    assert frontier.measure(silent, LABELS, []) is None
    assert frontier.measure([], LABELS, [100.0]) is None


def test_too_few_checked_spans_are_not_weighed() -> None:
    halves = 2 * FEWEST_SPANS
    few = frontier.measure(documents(halves - 1), LABELS, [])
    assert routes(few) == [(Route.LOCAL, 0), (Route.REPLACE, 0)]
    enough = frontier.measure(documents(halves), LABELS, [])
    assert routes(enough) == [(Route.LOCAL, 0), (Route.REPLACE, 0), (Route.POOL, 0)]


def test_what_is_read_may_be_enough_to_learn_from_where_questions_are_not() -> None:
    few = documents(2 * FEWEST_SPANS - 1, read=True)
    both = (Route.BOTH, 100.0)
    assert both in routes(frontier.measure(few, LABELS, [100.0]))
    assert both not in routes(frontier.measure(few[:40], LABELS, [100.0]))


def test_the_llm_alone_is_judged_where_it_read_everything() -> None:
    read = documents(40, read=True)
    assert Route.SWEEP not in [route for route, _ in routes(frontier.measure(read, LABELS, [50.0]))]
    alone = of(frontier.measure(read, LABELS, [100.0]), Route.SWEEP, 100)
    assert (alone.scores.precision, alone.scores.recall) == (100, pytest.approx(66.67))
    assert (alone.questions, alone.sentences) == (0, 40)


def test_of_very_many_documents_some_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frontier, "MOST", 20)
    found = frontier.measure(documents(40, read=True), LABELS, [100.0])
    assert found is not None
    assert found.documents == of(found, Route.SWEEP, 100).sentences == 20


# --- What they find and ask ----------------------------------------------------------------------
def test_local_alone_asks_nothing_and_finds_what_it_predicts() -> None:
    local = of(frontier.measure(documents(40), LABELS, []), Route.LOCAL)
    assert (local.scores.precision, local.scores.recall) == (50, pytest.approx(33.33))
    assert (local.questions, local.sentences) == (0, 0)


def test_reading_more_finds_more_and_costs_more() -> None:
    found = frontier.measure(documents(800, read=True), LABELS, [10.0, 50.0, 100.0])
    shares = [of(found, Route.POOL)] + [of(found, Route.BOTH, s) for s in (10, 50, 100)]
    assert [p.sentences for p in shares] == [0, 200, 600, 800]
    assert [p.questions for p in shares] == [800] * 4
    recalls = [p.scores.recall for p in shares]
    assert recalls == sorted(recalls)
    assert recalls[-1] > recalls[0] + 50
    for point in shares[1:]:
        assert 0 < point.low < point.lead < point.high


def test_the_lead_is_over_asking_about_routed_spans() -> None:
    found = frontier.measure(documents(40, llm_right=1.0), LABELS, [])
    local, linked = of(found, Route.LOCAL), of(found, Route.REPLACE)
    assert (linked.lead, linked.low, linked.high) == (0, 0, 0)
    assert local.lead == pytest.approx(local.scores.f1 - linked.scores.f1, abs=0.02)
    assert local.low < local.lead < local.high < 0


def test_spans_below_tau_are_no_questions() -> None:
    gold = [Mention(0, 4, "place")]
    sure = [Audited([replace(d.evidence[0], uncertainty=0.01)], gold) for d in documents(40)]
    doubtful = documents(40, llm_right=1.0)
    found = frontier.measure([*sure, *doubtful], LABELS, [])
    assert of(found, Route.REPLACE).questions == 40


# --- What τ is chosen from -----------------------------------------------------------------------
def test_tau_is_chosen_from_who_was_right_about_each_mention() -> None:
    found = frontier.calibrated(documents(40, llm_right=1.0, read=True))
    assert found.from_answers
    assert [(i.spans, i.local_accuracy, i.asked, i.llm_accuracy) for i in found.intervals] == [
        (40, 0.5, 40, 1)
    ]
    silent = [Audited([replace(d.evidence[0], answer=None)], d.gold) for d in documents(40)]
    found = frontier.calibrated(silent)
    assert not found.from_answers
    assert [(i.spans, i.asked, i.llm_accuracy) for i in found.intervals] == [(40, 0, None)]


def test_a_right_span_with_a_wrong_label_is_wrong() -> None:
    span = documents(1)[0].evidence[0]
    wrong = Audited([replace(span, answer="person")], [Mention(0, 4, "person")])
    [interval] = frontier.calibrated([wrong]).intervals
    assert (interval.local_accuracy, interval.llm_accuracy) == (0, 1)


@pytest.mark.parametrize(("label", "floor"), [(None, 0.5), ("place", 0), ("person", 0)])
def test_a_candidate_that_gold_has_was_worth_a_question(label: str | None, floor: float) -> None:
    candidate = replace(documents(1)[0].evidence[0], lane=Lane.CANDIDATE)
    gold = [Mention(0, 4, label)] if label else []
    found = frontier.calibrated([Audited([candidate], gold)] * ROLLING)
    assert found.candidate_floor == floor


# --- Nothing is judged by what it taught ---------------------------------------------------------
def test_each_document_is_judged_by_the_half_without_it() -> None:
    rules = frontier.crossed(documents(10), LABELS)
    assert sorted([id(r) for r in rules].count(id(r)) for r in rules) == [5] * 10


def test_what_is_right_in_a_document_does_not_change_the_rules_it_is_judged_by() -> None:
    rows = documents(400)
    before = frontier.crossed(rows, LABELS)
    changed = [Audited(rows[0].evidence, []), *rows[1:]]
    after = frontier.crossed(changed, LABELS)
    assert after[0] == before[0]
    assert any(one != other for one, other in zip(before, after, strict=True))


# --- As read -------------------------------------------------------------------------------------
def test_what_was_read_later_is_not_known_yet() -> None:
    span = Evidence(1, 3, Lane.MENTION, "place", 0.6, {"place": 1.0}, found="person")
    later = Evidence(12, 14, Lane.MENTION, "place", 0.6, {"place": 1.0}, found=NO_ENTITY)
    proposal = Evidence(15, 17, Lane.PROPOSAL, "person", 1.0, {}, found="person")
    document = Audited([span, later, proposal], [], [Turn(0, 10, 10.0), Turn(11, 20, 60.0)])
    assert frontier.as_read(document, 100) == document
    half = frontier.as_read(document, 50)
    assert [s.found for s in half.evidence] == ["person", None]
    assert half.read == [Turn(0, 10, 10.0)]
    assert frontier.as_read(document, 0).read == []


def test_counts_are_of_fused_labels_against_gold() -> None:
    rules = [Rules(0.4, asks=True)] * 4
    rows = documents(4, llm_right=1.0)
    assert frontier.counts(rows, rules).tolist() == [[1, 1, 2], [0, 0, 1]] * 2
    assert frontier.f1(frontier.counts(rows, rules)) == pytest.approx(50)
    assert fusion.is_routed(rows[0].evidence[0], 0.4)
