"""Lists, page by page."""

from __future__ import annotations

from rest_framework.pagination import LimitOffsetPagination


class Pages(LimitOffsetPagination):
    """`limit` and `offset`; what is no number was refused before (`incoming.Query`)."""

    default_limit = 100
    max_limit = 500
