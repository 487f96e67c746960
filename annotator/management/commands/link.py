"""manage.py link PROJECT"""

from __future__ import annotations

from typing import Any

from annotator import linking, sweeping
from annotator.figures import project_figures
from annotator.management.steps import ProjectCommand
from annotator.models import Job


class Command(ProjectCommand):
    help = (
        "Asks the LLM about routed spans. The first time after a training it asks about held-out "
        "gold, chooses τ from the answers, and then asks about what that τ routes. Then it has "
        "the LLM read the share of the sentences that the project says."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        project = self.project(options)
        linking.reopen(project)
        sweeping.reopen(project)
        self.run_on(project, Job.Kind.LINK)
        figures, threshold = project_figures(project), project.threshold()
        self.answer(
            {
                "asked": figures.asked,
                "answered": figures.answered,
                "unresolved": figures.unresolved,
                "tau": threshold.tau if threshold else None,
            },
            options,
        )
