"""The demo project's corpus, labels and guidelines, in the public domain (see LICENSE)."""
