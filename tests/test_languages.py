"""What the pages offer is what the ML core can do."""

from __future__ import annotations

import pkgutil

import spacy.lang

from annotator.languages import LANGUAGES


def test_every_language_that_has_rules_can_be_chosen() -> None:
    known = {found.name for found in pkgutil.iter_modules(spacy.lang.__path__) if found.ispkg}
    assert LANGUAGES.keys() == known
