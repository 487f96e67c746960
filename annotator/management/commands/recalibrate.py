"""manage.py recalibrate PROJECT"""

from __future__ import annotations

from typing import Any

from annotator.management.steps import ProjectCommand
from annotator.models import Job


class Command(ProjectCommand):
    help = "Chooses τ anew from held-out gold (LinkNER §5.3)."

    def handle(self, *args: Any, **options: Any) -> None:
        project = self.project(options)
        self.run_step(project, Job.Kind.RECALIBRATE)
        threshold = project.threshold()
        if threshold is None:
            raise RuntimeError("recalibration ended without a threshold")
        figures = {"method": threshold.method, "tau": threshold.tau, "note": threshold.note}
        self.answer(figures, options)
