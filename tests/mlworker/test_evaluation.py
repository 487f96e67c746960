from __future__ import annotations

from mlworker import evaluation
from mlworker.schema import HeldOut, Lane, Mention, ScoredSpan, Scores, TaggedText, Text


def span(
    start: int, end: int, label: str, sure: float = 0.9, lane: Lane = Lane.MENTION
) -> ScoredSpan:
    rest = {"person": 1 - sure, "place": 1 - sure, label: sure}
    return ScoredSpan(start, end, label, lane, {"O": 0.0, **rest}, 1 - sure, 0, 9)


def test_scores_are_exact_micro_and_leave_out_no_gold() -> None:
    gold = [Mention(0, 3, "person"), Mention(5, 60, "place"), Mention(5, 7, "place")]
    texts = [Text(1, "x" * 60, None, gold), Text(2, "x" * 9, None, [Mention(0, 3, "person")])]
    tagged = [
        TaggedText(1, [span(0, 3, "person"), span(5, 7, "person")]),
        TaggedText(2, [span(0, 3, "person", lane=Lane.CANDIDATE), span(4, 5, "place")]),
    ]
    assert evaluation.scores(tagged, texts) == Scores(33.33, 25.0, 28.57)


def test_outcomes_are_of_predicted_mentions() -> None:
    texts = [Text(1, "x" * 9, None, [Mention(0, 3, "person")])]
    tagged = [
        TaggedText(
            1,
            [
                span(0, 3, "person", 0.8),
                span(4, 5, "place", 0.6),
                span(6, 7, "place", lane=Lane.CANDIDATE),
            ],
        )
    ]
    found = evaluation.outcomes(tagged, texts)
    assert [(round(o.uncertainty, 6), o.local_correct, o.llm_correct) for o in found] == [
        (0.2, True, None),
        (0.4, False, None),
    ]
    (candidate,) = evaluation.candidate_outcomes(tagged, texts)
    assert not candidate.is_mention


def test_quality_of_a_method_that_knows_its_errors_and_of_one_that_does_not() -> None:
    good = [HeldOut(0.9, False), HeldOut(0.8, False), HeldOut(0.1, True), HeldOut(0.2, True)]
    assert evaluation.uncertainty_quality(good, 0.5) == evaluation.UncertaintyQuality(
        1.0, 0.15, 0.5
    )
    blind = [HeldOut(0.5, correct) for correct in (True, False)]
    assert evaluation.uncertainty_quality(blind, 0.5) == evaluation.UncertaintyQuality(
        0.5, 0.0, 0.0
    )


def test_quality_of_nothing_or_of_one_kind_is_no_number() -> None:
    assert evaluation.uncertainty_quality([], 0.5) == evaluation.UncertaintyQuality(
        None, None, None
    )
    assert evaluation.uncertainty_quality([HeldOut(0.1, True)], 0.5).auroc is None
