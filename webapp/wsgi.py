"""The WSGI entry point."""

import os

from django.core.wsgi import get_wsgi_application

from webapp.turns import Turns

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
application = Turns(get_wsgi_application())

import webapp.celery  # noqa: E402, F401  (makes its app the one that `pipeline` sends through)
