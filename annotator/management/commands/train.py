"""manage.py train PROJECT"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from annotator.management.steps import ProjectCommand
from annotator.models import Job


class Command(ProjectCommand):
    help = "Trains a new model version on the project's gold and lets it serve."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--cold",
            action="store_true",
            help="begin with the encoder instead of going on from the version that serves",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        project = self.project(options)
        self.run_step(project, Job.Kind.TRAIN, cold=options["cold"])
        project.refresh_from_db()
        version, threshold = project.serving, project.threshold()
        if version is None or threshold is None:
            raise RuntimeError("training ended without a version")
        scores = {f"dev_{name}": value for name, value in (version.scores or {}).items()}
        figures: dict[str, Any] = {
            "version": version.number,
            "start": version.start.number if version.start else None,
            "train_documents": version.train_documents,
        }
        figures |= {"dev_documents": version.dev_documents, "seconds": round(version.seconds, 1)}
        self.answer(figures | scores | {"tau": threshold.tau}, options)
