"""manage.py first_start: what `make run` does once, on an empty database."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from annotator.demo.making import make
from annotator.models import Membership, Project, SignInLink, User

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
            _own_what_nobody_owns(admin)
            make(admin)
        self.stdout.write(address(SignInLink.issue(admin)))


def _own_what_nobody_owns(admin: User) -> None:
    """Projects that were made from the command line before there was anybody to see them."""
    for project in Project.objects.filter(memberships__isnull=True):
        Membership.objects.create(project=project, user=admin, role=Membership.Role.OWNER)
