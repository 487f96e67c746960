"""How fast a job goes and how long it still takes, in words (pure).

It is said roughly and only where enough was done to know, so that it does not jump about.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from .models import Job

KNOWN_AFTER = timedelta(seconds=10)
KNOWN_FROM = 0.02
"""The part of the work that must be done before the rest is foretold."""
ITEMS = {
    Job.Kind.TRAIN: "steps",
    Job.Kind.TAG: "documents",
    Job.Kind.LINK: "questions",
    Job.Kind.TRIAL: "questions",
    Job.Kind.SPLIT: "documents",
    Job.Kind.SWEEP: "sentences",
}


@dataclass(frozen=True)
class Speed:
    """`done` of `total` items were done between `begun` and `last`, the last sign of progress."""

    begun: datetime
    last: datetime
    done: int
    total: int

    @property
    def spent(self) -> timedelta:
        return self.last - self.begun

    @property
    def is_known(self) -> bool:
        enough = 0 < self.done <= self.total and self.done >= KNOWN_FROM * self.total
        return enough and self.spent >= KNOWN_AFTER

    @property
    def each(self) -> timedelta:
        """What an item takes; known only where `is_known`."""
        return self.spent / self.done

    def left(self, now: datetime) -> timedelta | None:
        """None where it cannot be told: too little was done, or nothing was for longer than all
        that is left should take."""
        if not self.is_known:
            return None
        at_last = self.each * (self.total - self.done)
        idle = now - self.last
        return None if idle > max(at_last, KNOWN_AFTER) else max(at_last - idle, timedelta())

    @property
    def per_second(self) -> float | None:
        return self.done / self.spent.total_seconds() if self.is_known else None


def rate(job: Job) -> str:
    """As "12 documents a second"; empty where it is not known."""
    per_second = _speed(job).per_second
    items = ITEMS.get(Job.Kind(job.kind))
    if per_second is None or items is None or not job.is_running:
        return ""
    units = (("a second", 1), ("a minute", 60), ("an hour", 3600))
    for unit, seconds in units:
        if (number := round(per_second * seconds)) >= 2:
            return f"{number:,} {items} {unit}"
    return ""


def time_left(job: Job, now: datetime) -> str:
    """As "about 3 minutes left"; empty where it is not known."""
    left = _speed(job).left(now) if job.is_running else None
    return "" if left is None else f"{about(left)} left"


def took(job: Job) -> str:
    """How long a job that ended took; empty for one that has not."""
    return "" if job.finished_at is None else f"took {about(job.finished_at - job.created_at)}"


def _speed(job: Job) -> Speed:
    return Speed(job.created_at, job.updated_at, job.done, job.total)


def about(time: timedelta) -> str:
    """Rounded the more, the longer it is."""
    seconds = time.total_seconds()
    if seconds < 10:
        return "a few seconds"
    if seconds < 50:
        return "less than a minute"
    minutes = round(seconds / 60)
    if minutes < 10:
        return _counted(max(minutes, 1), "minute")
    if minutes < 58:
        return _counted(5 * round(minutes / 5), "minute")
    half_hours = round(minutes / 30)
    if half_hours < 20:
        return f"about {half_hours / 2:g} hour{'' if half_hours == 2 else 's'}"
    return _counted(round(minutes / 60), "hour")


def _counted(number: int, unit: str) -> str:
    return f"about {number:,} {unit}{'' if number == 1 else 's'}"
