"""The OpenAPI document: made without a warning, and true."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from .conftest import World


def test_it_is_made_and_valid_without_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--format", "openapi-json")
    assert '"/api/v1/projects/{slug}/documents/{id}/decisions/"' in capsys.readouterr().out


@pytest.fixture
def document(world: World, annotator: Client) -> dict[str, Any]:
    answer = annotator.get("/api/v1/schema/", headers={"Accept": "application/json"})
    assert answer.status_code == 200
    schema: dict[str, Any] = answer.json()
    return schema


def test_it_names_every_route(document: dict[str, Any]) -> None:
    operations = {
        (path, method) for path, methods in document["paths"].items() for method in methods
    }
    assert len(operations) == 16
    assert ("/api/v1/projects/{slug}/export/{name}/", "get") in operations


def test_what_is_sent_is_what_it_says(
    document: dict[str, Any], world: World, annotator: Client
) -> None:
    sent = annotator.get(world.document_url).json()
    schemas = document["components"]["schemas"]
    assert sent.keys() == schemas["Document"]["properties"].keys()
    assert sent["mentions"][0].keys() == schemas["Mention"]["properties"].keys()
    assert annotator.get(world.url).json().keys() == schemas["Project"]["properties"].keys()
    assert set(schemas["Decision"]["required"]) == {"id", "version", "action"}
