"""Whose label counts, what a person is shown, and who must look: the whole truth table."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlworker import fusion
from mlworker.fusion import Fused, Rules, features
from mlworker.schema import NO_ENTITY, Evidence, Lane, Pool, Routing

SURE, UNSURE, TAU = 0.1, 0.7, 0.4
MENTION, CANDIDATE, PROPOSAL = Lane
ACCEPT, LLM, HUMAN = Routing.ACCEPT, Routing.LLM, Routing.HUMAN


def known(lane: Lane = MENTION, uncertainty: float = UNSURE, **more: Any) -> Evidence:
    """A span that the local model takes for a place, if for anything."""
    p = {"place": 1 - uncertainty, "person": 0.0, NO_ENTITY: uncertainty}
    fields = {"start": 0, "end": 4, "label": "place", "probabilities": p} | more
    return Evidence(lane=lane, uncertainty=uncertainty, **fields)


def fuse(span: Evidence, *, asks: bool = True, pool: Pool | None = None) -> Fused:
    (fused,) = fusion.fuse([span], Rules(TAU, asks, pool))
    return fused


@pytest.mark.parametrize(
    ("lane", "uncertainty", "answer", "label", "shown", "source", "routing"),
    [
        # A sure mention is the local model's, whatever the LLM would say.
        (MENTION, SURE, None, "place", "place", "local", ACCEPT),
        (MENTION, SURE, "place", "place", "place", "local", ACCEPT),
        (MENTION, SURE, "person", "place", "place", "local", ACCEPT),
        (MENTION, SURE, NO_ENTITY, "place", "place", "local", ACCEPT),
        # u = τ is not above τ.
        (MENTION, TAU, "person", "place", "place", "local", ACCEPT),
        # A routed mention is the LLM's; people look where the two differ or it said nothing.
        (MENTION, UNSURE, None, "place", "place", "local", HUMAN),
        (MENTION, UNSURE, "place", "place", "place", "llm", LLM),
        (MENTION, UNSURE, "person", "person", "person", "llm", HUMAN),
        (MENTION, UNSURE, NO_ENTITY, None, "place", "local", HUMAN),
        # A candidate is routed however sure it is.
        (CANDIDATE, SURE, None, None, "place", "local", HUMAN),
        (CANDIDATE, UNSURE, None, None, "place", "local", HUMAN),
        (CANDIDATE, SURE, NO_ENTITY, None, None, "llm", LLM),
        (CANDIDATE, SURE, "place", "place", "place", "llm", HUMAN),
        (CANDIDATE, SURE, "person", "person", "person", "llm", HUMAN),
    ],
)
def test_truth_table(
    lane: Lane,
    uncertainty: float,
    answer: str | None,
    label: str | None,
    shown: str | None,
    source: str,
    routing: Routing,
) -> None:
    fused = fuse(known(lane, uncertainty, answer=answer))
    assert (fused.label, fused.shown, fused.source, fused.routing) == (
        label,
        shown,
        source,
        routing,
    )
    assert bool(fused.reason) == (routing == HUMAN)


def test_reasons_say_who_said_what() -> None:
    def reason(lane: Lane = MENTION, asks: bool = True, **more: Any) -> str:
        return fuse(known(lane, 0.62, **more), asks=asks).reason

    assert reason(asks=False) == "The local model is unsure: u = 0.62, above τ = 0.40."
    assert reason(CANDIDATE, asks=False) == "The local model sees no entity, but place is possible."
    assert reason().endswith("The LLM gave no answer: not asked yet.")
    assert reason(reason="timed out").endswith("The LLM gave no answer: timed out.")
    assert reason(answer="person") == "The local model says place; the LLM says person."
    assert reason(answer=NO_ENTITY).endswith("the LLM says this is not an entity.")
    assert reason(CANDIDATE, answer="place") == (
        "The local model sees no entity; the LLM says place."
    )


@given(
    lane=st.sampled_from(Lane),
    uncertainty=st.floats(0, 1),
    asks=st.booleans(),
    answer=st.sampled_from([None, NO_ENTITY, "place", "person"]),
)
def test_a_silent_llm_never_turns_a_mention_into_no_entity(
    lane: Lane, uncertainty: float, asks: bool, answer: str | None
) -> None:
    span = known(lane, uncertainty, answer=answer)
    fused = fuse(span, asks=asks)
    if answer is None and lane == MENTION:
        assert fused.label == "place"
    if lane == MENTION:
        assert fused.shown is not None
    if fused.routing != HUMAN:
        assert fused.label == fused.shown
    if not fusion.is_routed(span, TAU):
        assert fused == fuse(known(lane, uncertainty))


# --- What the sweep proposes -------------------------------------------------------------------
def proposal(start: int = 0, end: int = 4, label: str = "person") -> Evidence:
    return known(PROPOSAL, 1.0, start=start, end=end, label=label, probabilities={}, found=label)


def test_what_only_the_sweep_found_is_a_proposal_and_no_label_yet() -> None:
    fused = fuse(proposal())
    assert (fused.label, fused.shown, fused.source, fused.routing) == (
        None,
        "person",
        "sweep",
        HUMAN,
    )
    assert fused.reason == "Reading the whole sentence, the LLM found this person; nobody else did."


def test_a_proposal_that_overlaps_what_is_shown_is_hidden() -> None:
    spans = [proposal(0, 9), known(start=5, end=9), proposal(9, 12)]
    wide, mention, beside = fusion.fuse(spans, Rules(TAU, asks=True))
    assert (wide.shown, mention.shown, beside.shown) == (None, "place", "person")


# --- Pooling -----------------------------------------------------------------------------------
WEIGHTS = {
    "entity": -1.0,
    "label place": 0.0,
    "label person": 0.0,
    "local": 0.0,
    "question unasked": 0.0,
    "question this": 4.0,
    "question another": -2.0,
    "question nothing": -2.0,
    "sweep unasked": 0.0,
    "sweep this": 4.0,
    "sweep another": 0.0,
    "sweep nothing": -2.0,
}
POOL = Pool(["place", "person"], WEIGHTS, cut=0.5, spans=300)


def test_chances_are_those_of_a_softmax_in_which_no_entity_weighs_nothing() -> None:
    span = known(answer="person")
    chances = fusion.chances([features(span, label) for label in POOL.labels], POOL)
    place, person, nothing = math.exp(-1 - 2), math.exp(-1 + 4), 1.0
    total = place + person + nothing
    expected = {"place": place / total, "person": person / total, NO_ENTITY: nothing / total}
    assert chances == pytest.approx(expected)


def test_what_is_sure_enough_needs_no_person_whoever_says_so() -> None:
    agreed = fuse(known(answer="person", found="person"), pool=POOL)
    assert (agreed.label, agreed.source, agreed.routing) == ("person", "llm", LLM)
    assert agreed.right == pytest.approx(math.exp(7) / (math.exp(7) + math.exp(-3) + 1))
    refused = fuse(known(answer=NO_ENTITY, found=NO_ENTITY), pool=POOL)
    assert (refused.label, refused.shown, refused.routing) == (None, None, LLM)


def test_what_is_not_sure_enough_goes_to_a_person_with_what_each_says() -> None:
    fused = fuse(known(answer="person", found=NO_ENTITY), pool=POOL)
    assert (fused.label, fused.shown, fused.routing) == ("person", "person", HUMAN)
    assert fused.reason == (
        "The local model says place; asked, the LLM says person; reading the sentence, it says "
        "no entity. Together: person 73%, no entity 27%."
    )


def test_a_person_is_told_why_the_llm_gave_no_answer() -> None:
    fused = fuse(known(reason="it was cut off", found="place"), pool=POOL)
    assert fused.routing == LLM
    fused = fuse(known(reason="it was cut off", found=NO_ENTITY), pool=replace(POOL, cut=0.0))
    assert fused.routing == HUMAN
    assert "says place; the LLM gave no answer: it was cut off; reading" in fused.reason


def test_of_two_that_overlap_the_more_probable_one_stays() -> None:
    wide = known(start=0, end=9, answer=NO_ENTITY, found=NO_ENTITY)
    narrow = proposal(5, 9)
    first, second = fusion.fuse([wide, narrow], Rules(TAU, asks=True, pool=POOL))
    assert (first.label, first.shown, second.label) == (None, None, "person")


def test_a_sure_local_mention_is_never_pooled() -> None:
    fused = fuse(known(uncertainty=SURE, answer=NO_ENTITY, found=NO_ENTITY), pool=POOL)
    assert (fused.label, fused.routing, fused.right) == ("place", ACCEPT, None)


def test_what_no_weights_were_learned_for_is_decided_by_the_papers_rule() -> None:
    unread = {name: weight for name, weight in WEIGHTS.items() if name != "sweep this"}
    fused = fuse(proposal(), pool=replace(POOL, weights=unread))
    assert (fused.label, fused.shown, fused.right) == (None, "person", None)
