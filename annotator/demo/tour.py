"""The tour of the review page, for whoever sees the demo project for the first time."""

from __future__ import annotations

from annotator.models import Project, User

from .making import RECORDING


def shows_tour(user: User, project: Project) -> bool:
    """Whether the review page of `project` shows `user` around. The demo project is known by its
    recorded answers, which it keeps whatever it is called and whoever is asked instead."""
    return project.recording == RECORDING and not user.tour_seen
