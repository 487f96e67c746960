"""manage.py recalibrate PROJECT [--questions-per-100 N]"""

from __future__ import annotations

import math
from typing import Any

from django.core.management.base import CommandError, CommandParser

from annotator import pipeline
from annotator.figures import predicted, routed
from annotator.management.steps import ProjectCommand
from annotator.models import Job, Project, Threshold

NO_BUDGET = "none"


class Command(ProjectCommand):
    help = "Chooses τ anew: from held-out gold (LinkNER §5.3), or by a budget of questions."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--questions-per-100",
            metavar="N",
            help="from now on route at most N spans per 100 documents; “none” ends that",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        project = self.project(options)
        if given := options["questions_per_100"]:
            self._set_budget(project, given)
        if not given or given == NO_BUDGET:
            self.run_step(project, Job.Kind.RECALIBRATE)
        threshold = project.threshold()
        if threshold is None:
            raise RuntimeError("recalibration ended without a threshold")
        figures = {
            "method": threshold.method,
            "tau": threshold.tau,
            "low": threshold.low,
            "high": threshold.high,
            "routed": routed(project).count(),
            "predicted": predicted(project).count(),
            "note": threshold.note,
        }
        self.answer(figures, options)

    def _set_budget(self, project: Project, given: str) -> None:
        try:
            most = None if given == NO_BUDGET else float(given)
        except ValueError as error:
            raise CommandError(
                f"--questions-per-100 is a number or “none”, not {given!r}."
            ) from error
        if most is not None and not 0 <= most < math.inf:
            raise CommandError("--questions-per-100 must not be negative.")
        project.questions_per_100 = most
        Project.objects.filter(pk=project.pk).update(questions_per_100=most)
        if most is None:
            return
        pipeline.keep_budget(project)
        threshold = project.threshold()
        if threshold is None or threshold.origin != Threshold.Origin.BUDGET:
            raise CommandError("No document was read yet; tag first.")
