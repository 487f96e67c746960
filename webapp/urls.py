"""All routes: pages, the REST API, and the health check."""

from django.urls import include, path

urlpatterns = [
    path("", include("annotator.urls")),
    path("api/v1/", include("annotator.api.urls", namespace="v1")),
]
