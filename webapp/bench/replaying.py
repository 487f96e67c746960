"""The page's calls made again: what they take alone, and with all annotators at once."""

from __future__ import annotations

import statistics

from webapp.bench import replay
from webapp.bench.client import Unexpected
from webapp.bench.measures import in_milliseconds
from webapp.bench.replay import together
from webapp.bench.site import Effort, Site


def replayed(site: Site, effort: Effort) -> dict[str, float]:
    """The measures that need no browser, by their ids."""
    together(site.people, site.queue, effort.warm_up, replay.submit)
    return {**_alone(site, effort), **_at_once(site, effort), **_synced(site, effort)}


def _alone(site: Site, effort: Effort) -> dict[str, float]:
    submitted = together(site.people[:1], site.queue, effort.alone, replay.submit)
    accepted = together(site.people[:1], site.queue, effort.alone, replay.accept)
    return {
        **in_milliseconds("open.alone", submitted.opened),
        **in_milliseconds("submit.alone", submitted.submitted),
        **in_milliseconds("decision.alone", accepted.decided),
    }


def _at_once(site: Site, effort: Effort) -> dict[str, float]:
    people, count = site.people, effort.each
    used = site.server.cpu_seconds()
    rounds = [together(people, site.queue, count, replay.submit) for _ in range(effort.rounds)]
    used = site.server.cpu_seconds() - used
    accepted = together(people, site.queue, count, replay.accept)
    opened = [seconds for each in rounds for seconds in each.opened]
    submitted = [seconds for each in rounds for seconds in each.submitted]
    return {
        **in_milliseconds("open.eight", opened),
        **in_milliseconds("submit.eight", submitted),
        **in_milliseconds("decision.eight", accepted.decided),
        "pairs": statistics.median(len(each.opened) / each.wall for each in rounds),
        "cpu": 1000 * used / len(opened),
        "duplicates": max(each.duplicates for each in rounds),
    }


def _synced(site: Site, effort: Effort) -> dict[str, float]:
    person = site.people[0]
    sheet, _ = person.next(site.queue, None)
    if sheet is None:
        raise Unexpected("nothing is left to review: give more --documents")
    counted = site.server.syncs(lambda: replay.change_mind(person, sheet, effort.synced))
    return {} if counted is None else {"fsyncs": counted / effort.synced}
