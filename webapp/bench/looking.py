"""The review page as a person has it before them. Needs Playwright's Python package."""

from __future__ import annotations

import statistics

from playwright.sync_api import Browser

from webapp.bench import job
from webapp.bench.browser import chromium, loads, pressed, signed_in
from webapp.bench.client import Unexpected
from webapp.bench.site import Effort, Site


def looked_at(site: Site, effort: Effort) -> dict[str, float]:
    """The measures that need a browser, by their ids. Raises `browser.NoBrowser` where there is
    none, and `Unexpected` where the five-step job does not end as it should."""
    with chromium() as chrome:
        person = site.people[0]
        found = {**_cold(chrome, site, effort), **_long(chrome, site, effort)}
        document = site.filled["job_document"]
        with signed_in(chrome, person) as page:
            found["job.gestures"] = job.gestures(page, site.address("job", document))
    if not job.is_done(person, site.filled["job"], document):
        raise Unexpected("the five-step job did not end with the mentions that it should")
    return found


def _cold(chrome: Browser, site: Site, effort: Effort) -> dict[str, float]:
    sheet, _ = site.people[0].next(site.queue, None)
    if sheet is None:
        raise Unexpected("nothing is left to review: give more --documents")
    found = loads(chrome, site.people[0], sheet["url"], effort.loads)
    return {
        "cold.bytes": statistics.median(load.size for load in found) / 1000,
        "cold.requests": statistics.median(load.requests for load in found),
        "cold.painted": statistics.median(load.painted for load in found),
    }


def _long(chrome: Browser, site: Site, effort: Effort) -> dict[str, float]:
    found = {}
    for name, document in zip(("words", "bytes"), site.filled["long_documents"], strict=True):
        address, person = site.address("long", document), site.people[0]
        opened = loads(chrome, person, address, effort.loads)
        keys = pressed(chrome, person, address, effort.presses)
        found[f"{name}.painted"] = statistics.median(load.painted for load in opened)
        found[f"{name}.key.p50"] = 1000 * keys.median
        found[f"{name}.key.worst"] = 1000 * keys.worst
    return found
