"""manage.py sweep PROJECT [--share PERCENT]"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from annotator import steps, sweeping
from annotator.figures import named, sweep_figures
from annotator.management.steps import ProjectCommand
from annotator.models import Job, Project
from annotator.refusals import Impossible


class Command(ProjectCommand):
    help = (
        "Has the LLM read a share of the sentences whole, those first in which most is missed, "
        "and chooses τ and weights anew where held-out gold was among them."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--share",
            type=float,
            metavar="PERCENT",
            help="from now on this share of the sentences is read (0 to 100; 0 turns it off)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        project = self.project(options)
        if options["share"] is not None:
            self._set_share(project, options["share"])
        if project.sweep_share or options["share"] is None:
            sweeping.reopen(project)
            self.run_on(project, steps.first_step(project, Job.Kind.SWEEP))
        figures = self._figures(project)
        if not figures["sentences"]:
            self.stderr.write("There are no sentences to read: import some text first.")
        self.answer(figures, options)

    def _set_share(self, project: Project, percent: float) -> None:
        """Refused before it is saved where nothing would read the sentences."""
        if not 0 <= percent <= 100:
            raise CommandError("--share is a percentage from 0 to 100.")
        project.sweep_share = percent
        try:
            if percent:
                sweeping.check(project)
        except Impossible as reason:
            raise CommandError(str(reason)) from reason
        Project.objects.filter(pk=project.pk).update(sweep_share=percent)

    def _figures(self, project: Project) -> dict[str, Any]:
        figures, (found, ungrounded) = sweep_figures(project), named(project)
        threshold = project.threshold()
        return {
            "sentences": len(sweeping.in_order(project)),
            "share": project.sweep_share,
            "read": figures.read,
            "found": found,
            "proposals": figures.proposals,
            "ungrounded": ungrounded,
            "unresolved": figures.unresolved,
            "tau": threshold.tau if threshold else None,
            "weighed": bool(threshold and threshold.pool),
        }
