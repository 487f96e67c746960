"""Who asks: Django's sessions in the database and its sign-in by password, as they are, but that
what every request reads is prepared."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session
from django.utils import timezone

from .models import User
from .prepared import Prepared

_SESSION = Prepared(lambda key: Session.objects.filter(session_key=key))
_USER = Prepared(lambda pk: User.objects.filter(pk=pk))


class SessionStore(db.SessionStore):
    def load(self) -> dict[str, Any]:
        """What was kept; a session that ended keeps nothing, and gets another key."""
        session = _SESSION.first(key=self.session_key or "")
        if session is None or session.expire_date <= timezone.now():
            self._session_key = None
            return {}
        return self.decode(session.session_data)


class Backend(ModelBackend):
    def get_user(self, user_id: int) -> User | None:
        """The person of a session, None where they may not sign in any more."""
        user = _USER.first(pk=user_id)
        return user if user is not None and self.user_can_authenticate(user) else None
