"""Ready label sets of known corpora: names as the corpora have them, descriptions in our words."""

from __future__ import annotations

from pathlib import Path

from annotator.projects import read_label_file
from mlworker import schema

FOLDER = Path(__file__).parent
PRESETS = {
    "conll03": "CoNLL’03: news",
    "ontonotes5": "OntoNotes 5: names, dates and numbers",
    "wnut17": "WNUT’17: social media",
    "tweetner7": "TweetNER7: tweets",
    "jnlpba": "JNLPBA: biomedicine",
}
"""Name of a file in this folder → what it is called on the page."""


def labels_of(name: str) -> list[schema.Label]:
    """The labels of the preset of this name, one of `PRESETS`."""
    return read_label_file(FOLDER / f"{name}.yaml")
