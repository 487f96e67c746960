"""How long a job takes still: said roughly, and only where it is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator import remaining
from annotator.models import Job
from annotator.remaining import Speed

NOON = datetime(2026, 11, 14, 12, tzinfo=UTC)


def job(seconds: float, done: int, total: int, **fields: object) -> Job:
    """One that began at noon and did something last `seconds` later."""
    last = NOON + timedelta(seconds=seconds)
    fields = {"kind": Job.Kind.TAG, "created_at": NOON, "updated_at": last} | fields
    return Job(done=done, total=total, **fields)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_the_rest_takes_as_long_as_what_was_done() -> None:
    half = job(180, 500, 1000)
    assert remaining.time_left(half, at(180)) == "about 3 minutes left"
    assert remaining.rate(half) == "3 documents a second"


def test_it_counts_down_between_two_signs_of_progress() -> None:
    half = job(300, 500, 1000)
    assert remaining.time_left(half, at(420)) == "about 3 minutes left"


@pytest.mark.parametrize(
    "early",
    [job(5, 500, 1000), job(600, 3, 1000), job(600, 0, 1000), job(600, 0, 0)],
    ids=["just begun", "hardly begun", "nothing done", "not known how much"],
)
def test_nothing_is_foretold_from_too_little(early: Job) -> None:
    assert remaining.time_left(early, at(600)) == ""
    assert remaining.rate(early) == ""


def test_a_job_that_stands_still_promises_nothing() -> None:
    assert remaining.time_left(job(60, 500, 1000), at(200)) == ""


@pytest.mark.parametrize("state", ["paused", "done", "failed", "cancelled"])
def test_a_job_that_does_not_run_has_no_speed(state: str) -> None:
    resting = job(180, 500, 1000, state=state)
    assert remaining.time_left(resting, at(180)) == "" == remaining.rate(resting)


def test_slow_work_is_counted_by_the_hour() -> None:
    assert remaining.rate(job(3600, 90, 1000)) == "2 documents a minute"
    assert remaining.rate(job(7200, 90, 1000, kind=Job.Kind.SWEEP)) == "45 sentences an hour"


def test_a_job_that_ended_says_what_it_took() -> None:
    assert remaining.took(job(1, 1, 1)) == ""
    ended = job(1, 1, 1, finished_at=at(130))
    assert remaining.took(ended) == "took about 2 minutes"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "a few seconds"),
        (20, "less than a minute"),
        (55, "about 1 minute"),
        (170, "about 3 minutes"),
        (1250, "about 20 minutes"),
        (3500, "about 1 hour"),
        (5300, "about 1.5 hours"),
        (100_000, "about 28 hours"),
    ],
)
def test_long_times_are_rounded_more(seconds: float, expected: str) -> None:
    assert remaining.about(timedelta(seconds=seconds)) == expected


@given(st.integers(1, 10_000), st.integers(1, 10_000), st.floats(10, 1e6), st.floats(0, 1e6))
def test_what_is_left_is_never_negative_and_only_shrinks(
    done: int, rest: int, spent: float, idle: float
) -> None:
    speed = Speed(NOON, at(spent), done, done + rest)
    first, later = speed.left(at(spent)), speed.left(at(spent + idle))
    if first is not None and later is not None:
        assert timedelta() <= later <= first
