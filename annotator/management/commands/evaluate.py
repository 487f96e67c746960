"""manage.py evaluate PROJECT --split test"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from annotator.evaluation import evaluate
from annotator.management.steps import ProjectCommand
from annotator.models import Document
from annotator.refusals import Impossible


class Command(ProjectCommand):
    help = "Counts local, LLM and fused labels against gold (exact match, micro, in percent)."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--split", choices=Document.Split.values, default="test")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            figures = evaluate(self.project(options), options["split"])
        except Impossible as error:
            raise CommandError(str(error)) from error
        self.answer(figures, options)
