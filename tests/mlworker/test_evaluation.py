from __future__ import annotations

from pathlib import Path

import pytest

from mlworker import conll, evaluation
from mlworker.schema import HeldOut, Lane, Mention, Method, ScoredSpan, Scores, TaggedText, Text


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


def test_outcomes_are_of_predicted_mentions_by_the_method_asked_for() -> None:
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
    found = evaluation.outcomes(tagged, texts, Method.LEAST_CONFIDENCE)
    assert [(round(o.uncertainty, 6), o.local_correct, o.llm_correct) for o in found] == [
        (0.2, True, None),
        (0.4, False, None),
    ]
    assert evaluation.outcomes(tagged, texts, Method.ENTROPY)[0].uncertainty != 0.2


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


def read(folder: Path, content: str) -> list[Text]:
    file = folder / "file.conll"
    file.write_text(content, encoding="utf-8")
    return conll.read(file)


def test_conll_is_a_text_per_sentence_with_its_words_and_mentions(tmp_path: Path) -> None:
    first, second = read(
        tmp_path,
        "-DOCSTART-\tO\n\n👍🏽\tO\nNew\tB-place\nYork\tI-place\n\n\nAda NNP B-person\nin IN O\n",
    )
    assert first == Text(0, "👍🏽 New York", [(0, 2), (3, 6), (7, 11)], [Mention(3, 11, "place")])
    assert second.text[0:3] == "Ada"
    assert second.mentions == [Mention(0, 3, "person")]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [  # as conlleval counts chunks
        ("I-a I-a", [(0, 2, "a")]),
        ("O I-a I-b", [(1, 2, "a"), (2, 3, "b")]),
        ("B-a B-a I-a", [(0, 1, "a"), (1, 3, "a")]),
        ("B-a I-b O", [(0, 1, "a"), (1, 2, "b")]),
        ("B-a O I-a", [(0, 1, "a"), (2, 3, "a")]),
    ],
)
def test_tags_are_repaired_as_conlleval_does(
    tmp_path: Path, tags: str, expected: list[tuple[int, int, str]]
) -> None:
    (text,) = read(tmp_path, "\n".join(f"w\t{tag}" for tag in tags.split()))
    found = [(m.start // 2, m.end // 2 + 1, m.label) for m in text.mentions]
    assert found == expected


@pytest.mark.parametrize("line", ["alone", "word\tX-person", "\tO"])
def test_a_broken_line_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(ValueError, match=r"file\.conll:2: "):
        read(tmp_path, f"fine\tO\n{line}\n")
