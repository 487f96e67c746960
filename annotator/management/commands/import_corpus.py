"""manage.py import_corpus PROJECT FILE… --format F [--gold] [--split train|dev|test|none]"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from annotator import importing
from annotator.formats import FORMATS
from annotator.formats.records import FormatError
from annotator.management.steps import ProjectCommand
from annotator.models import Document, Import, Project


class Command(ProjectCommand):
    help = "Imports files into a project; a file comes in whole or not at all."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("files", nargs="+", type=Path)
        parser.add_argument("--format", choices=sorted(FORMATS), help="default: by looking at it")
        parser.add_argument("--gold", action="store_true", help="the mentions in it are gold")
        parser.add_argument("--split", choices=Document.Split.values, default="none")
        parser.add_argument("--text-column", help="CSV: the column that holds the text")

    def handle(self, *args: Any, **options: Any) -> None:
        project = self.project(options)
        done = [self._import(project, path, options) for path in options["files"]]
        documents = sum(source.documents_count for source in done)
        self.answer({"files": len(done), "documents": documents}, options)

    def _import(self, project: Project, path: Path, options: dict[str, Any]) -> Import:
        try:
            source = importing.import_file(
                project,
                filename=path.name.encode(errors="replace").decode(),  # it may be no UTF-8
                data=path.read_bytes(),
                format=options["format"],
                gold=options["gold"],
                split=options["split"],
                text_column=options["text_column"],
                tell=lambda done, total: self.stderr.write(f"{path.name}: {done}/{total}"),
            )
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}") from error
        except (FormatError, importing.Duplicate) as error:
            raise CommandError(f"{error} Nothing of this file was imported.") from error
        for note in source.notes:
            self.stderr.write(f"{path.name}: {note}")
        return source
