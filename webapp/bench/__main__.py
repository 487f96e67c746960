"""`python -m webapp.bench`: measures the review page, says a table, adds to bench.json."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from mlworker.bench import rows
from webapp.bench import corpus, measures
from webapp.bench.client import Unexpected
from webapp.bench.postgres import own_database
from webapp.bench.replaying import replayed
from webapp.bench.server import Failed
from webapp.bench.site import Effort, Site, opened

FEWEST = 2500
"""Of so many documents enough need a person for all that is done meanwhile."""
USUAL = Effort()
NO_PLAYWRIGHT = (
    "Nothing is measured in a browser: Playwright is not installed here. `make lint` installs it "
    "with all that the tests need; for it alone: .venv/bin/python -m pip install playwright"
)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    # So that the server ends and the database is dropped, as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        found = measured(options.data, options.documents, options.postgres)
        prefix = f"{measures.PREFIX}postgresql." if options.postgres else measures.PREFIX
        rows.append(measures.figures(found, prefix), options.out, prefix)
    except (Failed, Unexpected, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    say(f"{measures.table(found)}\n\n{measures.PEERS_NOTE}")
    if missed := measures.missed(found):
        say(f"Short of its aim: {'; '.join(missed)}.")
    return 0


def measured(
    data: Path, documents: int, postgres: str = "", effort: Effort = USUAL
) -> dict[str, float]:
    """All measures by their ids; those that need what is not here are left out, and it is said."""
    corpus.files(data)  # that there are none is to be known at once
    say(f"Filling a project with {documents:,} documents")
    with contextlib.ExitStack() as stack:
        database_url = stack.enter_context(own_database(postgres)) if postgres else ""
        site = stack.enter_context(opened(data, documents, database_url))
        say(f"{len(site.people)} annotators at work")
        found = replayed(site, effort)
        if "fsyncs" not in found:
            say("fsyncs are not counted: that needs strace, and the right to look.")
        return found | _looked_at(site, effort)


def _looked_at(site: Site, effort: Effort) -> dict[str, float]:
    if importlib.util.find_spec("playwright") is None:
        say(NO_PLAYWRIGHT)
        return {}
    from webapp.bench.browser import NoBrowser  # noqa: PLC0415  (only where Playwright is)
    from webapp.bench.looking import looked_at  # noqa: PLC0415

    say("Looking at the page in Chromium")
    try:
        return looked_at(site, effort)
    except NoBrowser as missing:
        say(f"Nothing is measured in a browser: {missing}")
        return {}


def say(line: str) -> None:
    print(line, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m webapp.bench", description=__doc__)
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="a corpus, or a folder of them"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("bench.json"),
        metavar="FILE",
        help="the figures there are kept, but for earlier ones of this (default: %(default)s)",
    )
    parser.add_argument("--documents", type=_enough, default=10_000, metavar="N")
    parser.add_argument(
        "--postgres",
        default="",
        metavar="URL",
        help="measure on a database made on this server and dropped again, not on SQLite",
    )
    return parser


def _enough(value: str) -> int:
    if not value.isdecimal() or int(value) < FEWEST:
        raise argparse.ArgumentTypeError(f"{value!r} is no number of {FEWEST} or more")
    return int(value)


if __name__ == "__main__":
    raise SystemExit(main())
