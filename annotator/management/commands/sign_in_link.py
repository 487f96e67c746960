"""manage.py sign_in_link USERNAME"""

from __future__ import annotations

import os
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.urls import reverse

from annotator.management.steps import DatabaseCommand
from annotator.models import SignInLink, User


def address(token: str) -> str:
    """The link that `token` belongs to, on this machine."""
    port = os.environ.get("PORT", "8000")
    path = reverse("annotator:sign_in_link", kwargs={"token": token})
    return f"http://127.0.0.1:{port}{path}"


class Command(DatabaseCommand):
    help = "Prints a new one-time sign-in link for a person who is locked out."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"], is_active=True).first()
        if user is None:
            raise CommandError(f"There is no active user “{options['username']}”.")
        self.stdout.write(address(SignInLink.issue(user)))
