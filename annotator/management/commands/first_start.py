"""manage.py first_start: what `make run` does once, on an empty database."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from annotator.demo.making import make
from annotator.models import SignInLink, User

from .sign_in_link import address


class Command(BaseCommand):
    help = (
        "Makes the first admin and the demo project and prints a one-time sign-in link; prints "
        "nothing where there are people already."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            if User.objects.exists():
                return
            admin = User.objects.create_superuser("admin")
            make(admin)
        self.stdout.write(address(SignInLink.issue(admin)))
