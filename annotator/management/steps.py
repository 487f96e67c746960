"""What the commands of the loop have in common: a project, progress on stderr, JSON on stdout."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from annotator import foreground, steps
from annotator.models import Job, Project
from annotator.refusals import Busy, Impossible


class DatabaseCommand(BaseCommand):
    """A command that needs Spanlight's tables; without them it says where it looked."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        file = Path(str(connection.settings_dict["NAME"]))
        missing = connection.vendor == "sqlite" and not file.exists()
        if missing or "annotator_project" not in connection.introspection.table_names():
            raise CommandError(
                f"There is no Spanlight in {settings.DATA_DIR}. Set DATA_DIR to the folder that "
                "`make run` was given, or run `make setup` first."
            )
        return super().execute(*args, **options)


class ProjectCommand(DatabaseCommand):
    """A command about one project, named by its name or slug."""

    requires_migrations_checks = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="name or slug of the project")
        parser.add_argument("--json", action="store_true", help="print the figures as JSON")

    def project(self, options: dict[str, Any]) -> Project:
        wanted = options["project"]
        found = Project.objects.filter(name=wanted) | Project.objects.filter(slug=wanted)
        project: Project | None = found.select_related("serving").first()
        if project is None:
            known = ", ".join(Project.objects.values_list("name", flat=True)) or "none yet"
            raise CommandError(f"There is no project “{wanted}”. Projects: {known}.")
        return project

    def run_step(self, project: Project, kind: str, *, cold: bool = False) -> Job:
        """Runs one step of the loop here, showing progress on stderr."""
        try:
            job = foreground.run_here(project, kind, Meter(), cold=cold)
        except (Busy, Impossible, ValidationError) as error:
            raise CommandError(str(error)) from error
        self.stderr.write("")
        if job.is_paused:
            raise CommandError(
                f"{job.get_kind_display()} was paused at {job.done} of {job.total}. Resume it on "
                "the project's page; then the workers, or this command run again, go on with it."
            )
        if job.state != Job.State.DONE:
            raise CommandError(f"{job.get_kind_display()} ended {job.state}: {job.note}")
        if job.failed:
            self.stderr.write(f"{job.failed} could not be done: {job.note}")
        return job

    def run_on(self, project: Project, kind: str) -> None:
        """As `run_step`, and then each step of the loop that follows."""
        step: str | None = kind
        while step is not None:
            job = self.run_step(project, step)
            job.follow = True
            step = steps.follow_up(job)

    def answer(self, figures: dict[str, Any], options: dict[str, Any]) -> None:
        """Prints `figures`: one JSON object on stdout, or a line for people."""
        if options["json"]:
            self.stdout.write(json.dumps(figures))
        else:
            self.stdout.write("\n".join(f"{key}: {plain(value)}" for key, value in figures.items()))


def plain(value: Any) -> str:
    """A figure for people: scores side by side, a dash for none."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {part}" for key, part in value.items())
    return "–" if value is None else str(value)


class Meter:
    """Shows a job's progress on stderr: in place on a terminal, now and then elsewhere."""

    def __init__(self) -> None:
        self.began = self.shown = time.monotonic()

    def __call__(self, job: Job) -> None:
        now = time.monotonic()
        terminal = sys.stderr.isatty()
        if job.is_active and now - self.shown < (0.1 if terminal else 5):
            return
        self.shown = now
        seconds = now - self.began
        counted = f"{job.done}/{job.total} " if job.total else ""
        text = f"{job.get_kind_display()}: {counted}{job.note} ({seconds:.0f} s)"
        sys.stderr.write(f"\r\033[K{text}" if terminal else f"{text}\n")
        sys.stderr.flush()
