"""``catalog links``: do all links still lead where they should? Politely, in parallel, and resumable.

Ids are asked for where the registry answers programs (arXiv by the hundred, DOIs at the resolver, OpenReview at its
interface), and pages as :mod:`catalog.upkeep.pages` says.
"""

from __future__ import annotations

import datetime
import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from catalog.base.files import write_whole
from catalog.base.text import fitting, shorten
from catalog.base.web import Web, WebError
from catalog.intake.sources import arxiv_api, openreview
from catalog.model.registries import ARXIV, DOI, OPENREVIEW
from catalog.reading.entry import Entry
from catalog.upkeep.pages import check_page
from catalog.upkeep.verdicts import ORDER, Verdict, by_error, by_status

if TYPE_CHECKING:
    import arxiv

WORKERS = 24
MOST = 100
"""Rows of one kind in a report for the code host, whose issues hold only so much."""
_ASKED = (ARXIV.key, OPENREVIEW.key, DOI.key)
"""The registries that answer programs; the Anthology has only pages."""


@dataclass(frozen=True)
class Link:
    """One address, and every place where it stands."""

    kind: str
    """``arxiv``, ``doi``, ``openreview`` or ``page``: how it is asked for."""
    id: str
    """The id, or the address of a page."""
    address: str
    places: tuple[str, ...]
    """``papers/2024/zhang2024negative.yaml:12``, each with the line of the link."""


def links_of(entries: Iterable[Entry]) -> list[Link]:
    """Every link of some records, once, in the order of the records."""
    places: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for entry in entries:
        for key, address in entry.paper.links.by_key.items():
            asked = (key, entry.paper.links.ids[key]) if key in _ASKED else ("page", address)
            places[(*asked, address)].append(entry.line(("links", key)))
    return [Link(*key, tuple(lines)) for key, lines in places.items()]


class Checker:
    """Checks links, and remembers what it found in a file, so that it can be stopped and started."""

    def __init__(self, web: Web, memory: Path, age: float, now: Callable[[], float] = time.time) -> None:
        """Prepare to check.

        Args:
            web: the client.
            memory: the file that keeps verdicts; it is made.
            age: verdicts younger than so many seconds are believed, unless they were bad.
            now: the clock.
        """
        self._web, self._memory, self._age, self._now = web, memory, age, now
        self._known = _read_memory(memory)
        self._lock = threading.Lock()

    def check(self, links: Iterable[Link], told: Callable[[int, int], None] = lambda done, all_: None) -> list[Verdict]:
        """The verdict on each link, in their order.

        Args:
            links: what to check.
            told: is told how many are done, of how many.
        """
        wanted = list(links)
        open_ = [link for link in wanted if not self._believed(link.address)]
        done = len(wanted) - len(open_)
        told(done, len(wanted))
        saved = self._now()
        try:
            with ThreadPoolExecutor(WORKERS) as pool:
                waiting = {pool.submit(job) for job in self._jobs(open_)}
                try:
                    while waiting:
                        ready, waiting = wait(waiting, timeout=1, return_when=FIRST_COMPLETED)
                        for job in ready:
                            for verdict in job.result():
                                self._learn(verdict)
                                done += 1
                        told(done, len(wanted))
                        if self._now() - saved > 5:
                            self._save()
                            saved = self._now()
                except BaseException:
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise
        finally:
            self._save()
        return [self._known[link.address] for link in wanted]

    def _jobs(self, links: Iterable[Link]) -> Iterator[Callable[[], list[Verdict]]]:
        """Jobs in turns between hosts, so that one slow host does not hold up the others."""
        by_host: dict[str, list[Link]] = defaultdict(list)
        papers: list[Link] = []
        for candidate in links:
            if candidate.kind == "arxiv":
                papers.append(candidate)
            else:
                by_host[urlsplit(candidate.address).hostname or ""].append(candidate)
        for start in range(0, len(papers), arxiv_api.BATCH):
            yield lambda batch=tuple(papers[start : start + arxiv_api.BATCH]): self._arxiv(batch)  # type: ignore[misc]
        for turn in zip_longest(*by_host.values()):
            for link in turn:
                if link is not None:
                    yield lambda link=link: [self._one(link)]  # type: ignore[misc]

    def _arxiv(self, links: tuple[Link, ...]) -> list[Verdict]:
        said = arxiv_api.ask(self._web, [link.id for link in links])
        return [_by_entry(link.address, said[link.id]) for link in links]

    def _one(self, link: Link) -> Verdict:
        try:
            if link.kind == "doi":
                return self._doi(link)
            if link.kind == "openreview":
                there = openreview.exists(self._web, link.id)
                return Verdict(
                    link.address, "fine" if there else "dead", "" if there else "there is no such public forum"
                )
            return check_page(self._web, link.address)
        except WebError as error:
            return by_error(link.address, error)

    def _doi(self, link: Link) -> Verdict:
        """The resolver knows a DOI or not; the publisher behind it may turn programs away."""
        answer = self._web.ask("GET", f"{DOI.site}/api/handles/{quote(link.id, safe='/.:;()-_')}")
        if answer.status == 404:
            return Verdict(link.address, "dead", "no such DOI")
        return by_status(link.address, answer.status)

    def _believed(self, address: str) -> bool:
        known = self._known.get(address)
        if known is None or known.status in ("dead", "unreachable"):
            return False
        return self._now() - _seconds(known.checked) < self._age

    def _learn(self, verdict: Verdict) -> None:
        moment = datetime.datetime.fromtimestamp(self._now(), datetime.UTC).isoformat(timespec="seconds")
        with self._lock:
            before = self._known.get(verdict.address)
            same = before is not None and before.status == verdict.status
            since = "" if verdict.status == "fine" else (before.since if before and same and before.since else moment)
            self._known[verdict.address] = replace(verdict, checked=moment, since=since)

    def _save(self) -> None:
        with self._lock:
            known = {address: asdict(verdict) for address, verdict in sorted(self._known.items())}
        write_whole(self._memory, json.dumps(known, indent=1, ensure_ascii=False) + "\n")


def _by_entry(address: str, said: arxiv.Result | WebError) -> Verdict:
    """An entry is enough for a link; dead is what arXiv itself calls wrong, not what it is silent about."""
    if isinstance(said, WebError):
        return Verdict(address, "dead" if said.kind == "refused" else "unreachable", said.message)
    return Verdict(address, "fine")


def _read_memory(path: Path) -> dict[str, Verdict]:
    """What was found before; a memory that cannot be read is none."""
    try:
        return {address: Verdict(**fields) for address, fields in json.loads(path.read_bytes()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _seconds(moment: str) -> float:
    try:
        return datetime.datetime.fromisoformat(moment).timestamp()
    except ValueError:
        return 0.0


# Reports ----------------------------------------------------------------------------------------------


def report(links: Iterable[Link], verdicts: Iterable[Verdict]) -> dict[str, Any]:
    """All that was found, for scripts: counts, and every link that is not fine, worst first, with its places."""
    pairs = list(zip(links, verdicts, strict=True))
    counts = {status: sum(verdict.status == status for _, verdict in pairs) for status in ORDER}
    bad = sorted((pair for pair in pairs if pair[1].status != "fine"), key=lambda pair: ORDER.index(pair[1].status))
    return {
        "links": len(pairs),
        "counts": counts,
        "findings": [{**asdict(verdict), "places": list(link.places)} for link, verdict in bad],
    }


_TITLES: Mapping[str, str] = {
    "dead": "Dead",
    "unreachable": "Not reached this time",
    "moved": "Moved",
    "insecure": "Insecure",
    "walled": "Behind a wall: look in a browser",
}


def as_text(found: Mapping[str, Any]) -> str:
    """The report for people at a terminal."""
    lines = []
    for finding in found["findings"]:
        to = f" -> {finding['to']}" if finding["to"] else ""
        since = f", since {finding['since'][:10]}" if finding["since"][:10] < finding["checked"][:10] else ""
        for place in finding["places"]:
            lines.append(f"{place}: {finding['status']}: {finding['address']}{to} ({finding['detail']}{since})")
    return "\n".join(lines)


def as_markdown(found: Mapping[str, Any]) -> str:
    """The report for an issue or a summary on the code host."""
    counts = ", ".join(f"{count} {status}" for status, count in found["counts"].items() if count)
    lines = ["# Links", "", f"{found['links']} checked: {counts or 'none'}.", ""]
    for status, title in _TITLES.items():
        findings = [finding for finding in found["findings"] if finding["status"] == status]
        if findings:
            lines += [f"## {title}", "", "| Where | Link | What |", "|---|---|---|"]
            for finding in findings[:MOST]:
                to = f" Now: {_cell(finding['to'])}" if finding["to"] else ""
                places = "<br>".join(f"`{place}`" for place in finding["places"])
                lines.append(f"| {places} | {_cell(finding['address'])} | {_cell(finding['detail'])}.{to} |")
            if len(findings) > MOST:
                lines += ["", f"... and {len(findings) - MOST} more: `catalog links`"]
            lines.append("")
    return fitting(lines)


def _cell(text: str) -> str:
    return shorten(text, 300).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
