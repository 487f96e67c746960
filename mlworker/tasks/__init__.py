"""Celery tasks, one module per queue; each decodes, calls the core and encodes."""
