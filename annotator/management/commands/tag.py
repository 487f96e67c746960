"""manage.py tag PROJECT"""

from __future__ import annotations

from typing import Any

from annotator.figures import project_figures
from annotator.management.steps import ProjectCommand
from annotator.models import Job


class Command(ProjectCommand):
    help = "Lets the serving version read every document that it has not read yet."

    def handle(self, *args: Any, **options: Any) -> None:
        project = self.project(options)
        job = self.run_step(project, Job.Kind.TAG)
        figures = project_figures(project)
        self.answer(
            {
                "documents": job.done,
                "to_review": figures.to_review,
                "mentions_needing_people": figures.mentions_needing_people,
            },
            options,
        )
