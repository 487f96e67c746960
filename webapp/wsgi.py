"""The WSGI entry point."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
application = get_wsgi_application()

import webapp.celery  # noqa: E402, F401  (makes its app the one that `pipeline` sends through)
