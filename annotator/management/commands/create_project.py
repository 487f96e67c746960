"""manage.py create_project NAME --labels FILE [--llm]"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser

from annotator.asked import set_up
from annotator.languages import LANGUAGES
from annotator.management.steps import DatabaseCommand
from annotator.models import Membership, Project, User
from annotator.presets import PRESETS, labels_of
from annotator.projects import create_project, read_label_file
from mlworker import schema


class Command(DatabaseCommand):
    help = "Makes a project with its labels. Every operator (superuser) becomes its owner."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument(
            "--labels",
            required=True,
            type=Path,
            metavar="FILE",
            help="YAML or JSON: a list of name, description; or, where there is no such file, a "
            f"known label set: {', '.join(PRESETS)}",
        )
        parser.add_argument("--head", choices=list(schema.Head), default=schema.Head.SOFTMAX.value)
        parser.add_argument(
            "--method",
            choices=list(schema.Method),
            default=schema.Method.LEAST_CONFIDENCE.value,
            help="how uncertainty is measured",
        )
        parser.add_argument(
            "--language",
            choices=list(LANGUAGES),
            default=schema.DEFAULT_LANGUAGE,
            metavar="CODE",
            help="whose rules text is cut by (ISO 639, xx for any; default: %(default)s)",
        )
        parser.add_argument(
            "--llm",
            action="store_true",
            help="let it ask the configured LLM: the server, else the own",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        llm = next(iter(set_up()), Project.Provider.OPENAI)
        provider = llm if options["llm"] else Project.Provider.NONE
        try:
            labels = read_label_file_or_preset(options["labels"])
            project = create_project(
                options["name"],
                labels,
                language=options["language"],
                provider=provider,
                head=options["head"],
                method=options["method"],
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        for operator in User.objects.filter(is_superuser=True):
            Membership.objects.create(project=project, user=operator, role=Membership.Role.OWNER)
        names = ", ".join(label.name for label in labels)
        self.stdout.write(f"Project “{project.name}” with the labels {names}.")


def read_label_file_or_preset(given: Path) -> list[schema.Label]:
    """A file goes before a preset of its name."""
    if given.exists():
        return read_label_file(given)
    if str(given) in PRESETS:
        return labels_of(str(given))
    known = ", ".join(PRESETS)
    raise ValidationError(f"{given}: No such file or directory. Known label sets: {known}.")
