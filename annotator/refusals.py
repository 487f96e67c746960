"""Why a step of the loop cannot start, or go on, in words for whoever asked for it."""

from __future__ import annotations

from .models import Job


class Busy(Exception):
    """Such a job is already running, or paused, in this project."""

    def __init__(self, job: Job) -> None:
        what = job.get_kind_display()
        paused = f"{what} is paused in this project; resume or cancel it first."
        running = f"{what} is already under way in this project."
        super().__init__(paused if job.is_paused else running)
        self.job = job


class Impossible(Exception):
    """The message says what is missing and how to get it."""
