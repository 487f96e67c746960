"""Every query of a person goes through `for_user`, so that nobody sees a foreign project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.db import models

if TYPE_CHECKING:
    from .people import User


class ProjectScopedQuerySet(models.QuerySet[Any]):
    """Rows that belong to a project, found by following `project_path`."""

    project_path: ClassVar[str] = "project"

    def for_user(self, user: User) -> Self:
        """The rows of the projects that `user` is a member of."""
        prefix = f"{self.project_path}__" if self.project_path else ""
        return self.filter(**{f"{prefix}memberships__user": user})
