"""manage.py export PROJECT FILE --format F"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from annotator import exporting
from annotator.formats import Loss
from annotator.management.steps import ProjectCommand


class Command(ProjectCommand):
    help = "Writes the project's documents and mentions to a file."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", type=Path)
        parser.add_argument("--format", choices=sorted(exporting.FORMATS), required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        project, path = self.project(options), options["file"]
        losses: list[Loss] = []
        documents = exporting.documents(project, options["format"]).count()

        def tell(done: int) -> None:
            self.stderr.write(f"{path.name}: {done}/{documents}")

        beside = path.with_name(f".{path.name}.part")
        try:
            with beside.open("w", encoding="utf-8", newline="") as file:
                for piece in exporting.export(project, options["format"], losses, tell):
                    file.write(piece)
            beside.replace(path)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise CommandError(f"{path}: {error.strerror}") from error
        for loss in losses:
            self.stderr.write(f"left out: {loss}")
        figures = {"file": str(path), "documents": documents, "mentions_left_out": len(losses)}
        self.answer(figures, options)
