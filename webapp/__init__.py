"""Process wiring: settings, URLs and the Celery app. No rules live here."""
