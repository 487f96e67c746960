"""What questions bought, counted by hand."""

from __future__ import annotations

import pytest

from annotator.bought import Bought, Checked, Share, by_label, sign_test

ROWS = [
    Checked("place", "place", "place", 5, 50.0),  # both right
    Checked("place", "group", "group", 2, 20.0),  # the LLM put it right
    Checked("place", "O", "O", 1, 10.0),
    Checked("place", "group", "place", 4, 40.0),  # and wrong
    Checked("place", "group", "person", 3),  # both wrong, each in its way
    Checked("O", "place", "place", 6, 6.0),
]


def test_questions_are_counted_by_what_the_local_model_said() -> None:
    found = by_label(ROWS)
    assert found == {
        "place": Bought(gained=3, lost=4, both_right=5, both_wrong=3, micros=120.0),
        "O": Bought(gained=6, micros=6.0),
    }
    place = found["place"]
    assert (place.asked, place.net, place.size, place.decided) == (15, -1, 1, 7)
    assert (place.local, place.llm) == (Share(9, 15), Share(8, 15))
    assert str(place.amount) == "0.00012"


def test_all_labels_together_are_their_sum() -> None:
    total = sum(by_label(ROWS).values(), Bought())
    assert (total.asked, total.gained, total.lost, total.micros) == (21, 9, 4, 126.0)


@pytest.mark.parametrize(
    ("gained", "lost", "chance"),
    [
        (0, 0, 1.0),
        (1, 1, 1.0),
        (0, 5, 2 / 32),
        (0, 6, 2 / 64),
        (2, 8, 2 * (1 + 10 + 45) / 1024),
        (8, 2, 2 * (1 + 10 + 45) / 1024),
    ],
)
def test_the_sign_test_is_exact(gained: int, lost: int, chance: float) -> None:
    assert sign_test(gained, lost) == pytest.approx(chance)


def test_the_sign_test_copes_with_very_many() -> None:
    assert sign_test(50_000, 50_000) == pytest.approx(1)
    assert sign_test(49_000, 51_000) < 1e-9


@pytest.mark.parametrize(
    ("gained", "lost", "loses", "gains"),
    [(0, 5, False, False), (0, 6, True, False), (6, 0, False, True), (40, 41, False, False)],
)
def test_only_what_is_beyond_chance_is_lost_or_gained(
    gained: int, lost: int, loses: bool, gains: bool
) -> None:
    bought = Bought(gained, lost, both_right=100)
    assert (bought.loses, bought.gains) == (loses, gains)


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    # Newcombe 1998, table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)],
)
def test_intervals_are_wilsons(right: int, n: int, low: float, high: float) -> None:
    share = Share(right, n)
    assert (share.low, share.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))
    assert share.low <= (share.value or 0) <= share.high


def test_of_nothing_nothing_is_known() -> None:
    assert (Share(0, 0).value, Share(0, 0).low, Share(0, 0).high) == (None, 0, 1)
