"""Static files under names that change with their content, so that no stale one is ever used."""

from __future__ import annotations

from whitenoise.storage import CompressedManifestStaticFilesStorage

# Django's own patterns (support_js_module_import_aggregation) would also follow `import("…")` in
# the comments of htmx's extensions, which leads to no file.
IMPORT = (
    r"""(?P<matched>\b(?P<word>from|import)\s*"(?P<url>\./[^"]+\.js)";)""",
    '%(word)s "%(url)s";',
)


class Storage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # it has no types
    """JavaScript modules, too, import one another under these names."""

    patterns = (*CompressedManifestStaticFilesStorage.patterns, ("*.js", (IMPORT,)))
