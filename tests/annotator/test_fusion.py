"""Whose label counts, what a person is shown, and who must look: the whole truth table."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.fusion import Doubt, fuse
from mlworker.schema import NO_ENTITY, Lane, Routing

SURE, UNSURE, TAU = 0.1, 0.7, 0.4
MENTION, CANDIDATE = Lane.MENTION, Lane.CANDIDATE
ACCEPT, LLM, HUMAN = Routing.ACCEPT, Routing.LLM, Routing.HUMAN


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
    fused = fuse(Doubt(lane, "place", uncertainty, TAU, asked=True, answer=answer))
    assert (fused.label, fused.shown, fused.source, fused.routing) == (
        label,
        shown,
        source,
        routing,
    )
    assert bool(fused.reason) == (routing == HUMAN)


def test_reasons_say_who_said_what() -> None:
    def reason(lane: Lane = MENTION, **known: Any) -> str:
        return fuse(Doubt(lane, "place", 0.62, 0.4, **known)).reason

    assert reason() == "The local model is unsure (u 0.62 > τ 0.40)."
    assert reason(CANDIDATE) == "The local model sees no entity, but place is possible."
    assert reason(asked=True).endswith("The LLM gave no answer: not asked yet.")
    assert reason(asked=True, reason="timed out").endswith("The LLM gave no answer: timed out.")
    assert reason(answer="person") == "The local model says place; the LLM says person."
    assert reason(answer=NO_ENTITY).endswith("the LLM says this is not an entity.")
    assert reason(CANDIDATE, answer="place") == (
        "The local model sees no entity; the LLM says place."
    )


@given(
    lane=st.sampled_from(Lane),
    uncertainty=st.floats(0, 1),
    tau=st.floats(0, 1),
    asked=st.booleans(),
    answer=st.sampled_from([None, NO_ENTITY, "place", "person"]),
)
def test_a_silent_llm_never_turns_a_mention_into_no_entity(
    lane: Lane, uncertainty: float, tau: float, asked: bool, answer: str | None
) -> None:
    doubt = Doubt(lane, "place", uncertainty, tau, asked, answer)
    fused = fuse(doubt)
    if answer is None and lane == MENTION:
        assert fused.label == "place"
    if lane == MENTION:
        assert fused.shown is not None
    if fused.routing != HUMAN:
        assert fused.label == fused.shown
    if not doubt.routed:
        assert fused == fuse(Doubt(lane, "place", uncertainty, tau))
