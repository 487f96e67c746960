"""spaCy's pipelines: the tokeniser of a language, and where its sentences end. No trained parts."""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spacy.language import Language

MAX_VOCABULARY = 200_000
"""A pipeline that has met more distinct words than this is built anew: it forgets none of them."""

SPACELESS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\uff66-\uff9f\U00020000-\U0003ffff"
)
"""Thai, Lao, Burmese, Khmer, kana and Chinese characters, as a character class."""


def pipeline(language: str) -> Language:
    """Tokeniser and sentence splitter of `language` (ISO 639, or "xx" for any).

    Raises `ValueError` where spaCy has no rules for it.
    """
    found = _pipeline(language)
    if len(found.vocab) > MAX_VOCABULARY:
        _pipeline.cache_clear()
        found = _pipeline(language)
    return found


@lru_cache(maxsize=4)
def _pipeline(language: str) -> Language:
    """Cut finer than spaCy does on its own, because a mention can only begin and end where a word
    does: at hyphens, slashes and brackets, after an @, and each character of a script without
    spaces.
    """
    # Only raw text needs it, and it takes a second.
    import spacy  # noqa: PLC0415
    from spacy.lang.char_classes import ALPHA, HYPHENS  # noqa: PLC0415

    # Chinese, Japanese, Korean, Thai and Vietnamese would have tokenisers of other packages.
    rules = {"nlp": {"tokenizer": {"@tokenizers": "spacy.Tokenizer.v1"}}}
    try:
        found = spacy.blank(language, config=rules)
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"there are no rules for the language {language!r}: give a code such as de, or xx for "
            "any"
        ) from error
    found.max_length = sys.maxsize
    found.add_pipe("sentencizer")
    finer = (
        f"[{SPACELESS}。！？]",
        rf"(?<=[{ALPHA}0-9])(?:{HYPHENS}|[/()\[\]])(?=[{ALPHA}0-9])",
    )
    given, tokenizer = found.Defaults, found.tokenizer
    infixes = spacy.util.compile_infix_regex([*(given.infixes or ()), *finer])
    prefixes = spacy.util.compile_prefix_regex([*(given.prefixes or ()), "@"])
    tokenizer.infix_finditer = infixes.finditer  # type: ignore[union-attr]
    tokenizer.prefix_search = prefixes.search  # type: ignore[union-attr]
    return found
