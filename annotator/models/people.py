"""People, and the one-time links by which they sign in without a password."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils import timezone

LINK_LIFETIME = timedelta(hours=72)


class User(AbstractUser):
    """A person. `is_superuser` marks the operator, who may create projects and people."""

    keys = models.JSONField(default=dict, blank=True)
    """By action of the review page, the combinations chosen instead of the defaults (`keys.py`)."""
    single_keys = models.BooleanField(default=True)
    """Whether keys without Ctrl do anything on the review page."""
    tour_seen = models.BooleanField(default=False)
    """Whether the tour of the demo project was finished or dismissed."""


class SignInLink(models.Model):
    """A link that signs one person in, once. Only the hash of its token is kept."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sign_in_links")
    digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    @classmethod
    def issue(cls, user: User) -> str:
        """A new token for `user`; earlier unused links of theirs stop working."""
        cls.objects.filter(user=user, used_at=None).delete()
        token = secrets.token_urlsafe(32)
        cls.objects.create(
            user=user, digest=_digest(token), expires_at=timezone.now() + LINK_LIFETIME
        )
        return token

    @classmethod
    def redeem(cls, token: str) -> User | None:
        """The person whose unused link this is. Of two who try at once, one gets in."""
        now = timezone.now()
        link = cls.objects.select_related("user").filter(digest=_digest(token)).first()
        if link is None or not link.user.is_active:
            return None
        won = cls.objects.filter(pk=link.pk, used_at=None, expires_at__gt=now).update(used_at=now)
        return link.user if won else None


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
