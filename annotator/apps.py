from django.apps import AppConfig
from django.db.models.signals import post_migrate

from . import append_only


class AnnotatorConfig(AppConfig):
    name = "annotator"

    def ready(self) -> None:
        post_migrate.connect(append_only.install, sender=self)
