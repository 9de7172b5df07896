"""What a first search downloads, and how long a query takes in Chromium, on a built site.

    python benchmarks/search.py build/site /tmp/bench/checkout-10000/build/site --out benchmarks/results/search.json

*Download* is everything that a browser with an empty cache asks for until the first results of a query are on
screen (page, style sheets, scripts, data), each file compressed with gzip; *ahead* is what it then loads in idle time.
*Query* is the time from the last letter to the results on screen, in the paper list, with what it loads from a server
on this machine:

- *first*: the first query after the page was opened, with an empty cache;
- *new, nothing ahead*: a query not asked before, in a browser that saves data and so loads nothing ahead;
- *new, all ahead*: a query not asked before, once the idle time after a first query has been used;
- *again*: a query asked before.
"""

from __future__ import annotations

import argparse
import functools
import gzip
import http.server
import json
import os
import shutil
import statistics
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from playwright.sync_api import Browser, Page, Response, sync_playwright

QUERIES = (
    "unlearning", "npo", "negative preference", "preferense optimisation", "pawelzcyk", "tofu", "who's harry potter",
    "gradient ascent", "representation misdirection", "forgeting", "privacy", "copyrighted books", "wmdp hazardous",
    "Licong Lin", "relearning attack", "quantizaton", "in-context unlearning", "model editing", "membership inference",
    "federated", "large language model unlearning survey", "knowledge", "evaluation benchmark", "lora", "sisa",
    "diffusion", "task vectors", "loclization", "multimodal", "zhang", "machine unlearning in large language models",
    "jailbreak", "catastrophic colapse", "retain", "toxicity", "logit lens", "hallucination", "guardrail", "agents",
)  # fmt: skip
"""Words, names, titles and misspellings, as people type them."""

TYPE = """query => new Promise(done => {
  const finder = document.querySelector("[data-finder]"), field = finder.querySelector("input[name=q]");
  const start = performance.now();
  field.value = query;
  field.dispatchEvent(new Event("input", {bubbles: true}));
  const watch = new MutationObserver(() => {
    if (!finder.hasAttribute("aria-busy")) { watch.disconnect(); done(performance.now() - start); }
  });
  watch.observe(finder, {attributes: true, attributeFilter: ["aria-busy"]});
})"""


SHOWN = """
  window.shownAt = Infinity;
  new MutationObserver(() => {
    if (window.shownAt === Infinity && !document.querySelector("[data-finder][aria-busy]")) {
      window.shownAt = performance.now();
    }
  }).observe(document, {subtree: true, attributes: true, attributeFilter: ["aria-busy"]});
"""
"""Notes when the first results came on screen."""
SAVE_DATA = "Object.defineProperty(navigator, 'connection', {value: {saveData: true}});"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    # As servers are: connections stay open, and answers go out at once.
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle(self) -> None:
        with suppress(ConnectionError):  # a page was left while it was loading
            super().handle()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextmanager
def serving(site: Path) -> Iterator[str]:
    """The address of a site on a server of this machine."""
    handler = functools.partial(_Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


def ready(page: Page) -> None:
    """Wait until the list shows what was asked for."""
    page.wait_for_selector("[data-finder]:not([aria-busy])", timeout=120_000)
    page.wait_for_load_state("load")


def all_ahead(page: Page) -> None:
    """Wait until everything is loaded ahead."""
    page.wait_for_selector("[data-finder][data-ahead=loaded]", timeout=300_000)


def download(browser: Browser, site: Path, address: str, query: str) -> dict[str, int]:
    """Bytes, compressed, of everything asked for until the first results, by kind of file."""
    found = dict.fromkeys(("page", "theme", "own scripts and styles", "data"), 0)
    for path in _loaded(browser, address, query, ready)[0]:
        kind = (
            "page" if path.endswith(".html")
            else "data" if path.startswith("search/")
            else "theme" if path.startswith(("assets/javascripts/", "assets/stylesheets/"))
            else "own scripts and styles"
        )  # fmt: skip
        found[kind] += _compressed(site / path)
    return found | {"all": sum(found.values())}


def ahead(browser: Browser, site: Path, address: str) -> int:
    """Bytes, compressed, of what is loaded in idle time after the first results."""
    return sum(_compressed(site / path) for path in _loaded(browser, address, "unlearning", all_ahead)[1])


def _loaded(browser: Browser, address: str, query: str, wait: Callable[[Page], None]) -> tuple[set[str], set[str]]:
    """What a browser with an empty cache asks for before, and what after, the first results are on screen."""
    asked: dict[str, float] = {}

    def take(response: Response) -> None:
        if response.ok:
            asked[unquote(urlsplit(response.url).path).lstrip("/")] = response.request.timing["startTime"]

    with browser.new_context() as context:
        page = context.new_page()
        page.add_init_script(SHOWN)
        page.on("response", take)
        page.goto(f"{address}papers/index.html?q={quote(query)}")
        wait(page)
        shown = page.evaluate("performance.timeOrigin + shownAt")
    later = {path for path, start in asked.items() if start > shown}
    return asked.keys() - later, later


def _compressed(path: Path) -> int:
    return len(gzip.compress(path.read_bytes(), 9))


def downloads(browser: Browser, site: Path, address: str) -> dict[str, Any]:
    """The median and the largest download over all queries, each with an empty cache."""
    found = {query: download(browser, site, address, query) for query in QUERIES}
    worst = max(found, key=lambda query: found[query]["all"])
    return {
        "median": statistics.median(one["all"] for one in found.values()),
        "largest": {"query": worst, **found[worst]},
    }


def query_times(browser: Browser, address: str) -> dict[str, dict[str, float]]:
    """p50 and p95 of the milliseconds from typing a query to its results on screen."""
    times: dict[str, list[float]] = {"first": []}
    for query in QUERIES:
        with browser.new_context() as context:
            page = context.new_page()
            page.goto(f"{address}papers/index.html")
            times["first"].append(page.evaluate(TYPE, query))
    for name, script in (("new, nothing ahead", SAVE_DATA), ("new, all ahead", "")):
        with browser.new_context() as context:
            page = context.new_page()
            page.add_init_script(script)
            page.goto(f"{address}papers/index.html")
            page.evaluate(TYPE, "warm up")
            if not script:
                all_ahead(page)
            times[name] = [page.evaluate(TYPE, query) for query in QUERIES]
            times["again"] = [page.evaluate(TYPE, query) for _ in range(5) for query in QUERIES]
    return {name: _percentiles(found) for name, found in times.items()}


def _percentiles(times: list[float]) -> dict[str, float]:
    return {"p50": round(statistics.median(times), 1), "p95": round(statistics.quantiles(times, n=20)[-1], 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sites", nargs="+", type=Path, metavar="SITE", help="a built site")
    parser.add_argument("--out", type=Path, help="where to write the figures as JSON")
    given = parser.parse_args()
    measured = []
    with sync_playwright() as running:
        executable = next(path for name in ("chromium", "google-chrome") if (path := shutil.which(name)))
        browser = running.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        for site in given.sites:
            count = len(json.loads((site / "api" / "papers.json").read_text(encoding="utf-8"))["papers"])
            with serving(site) as address:
                figures = {
                    "download": downloads(browser, site, address),
                    "ahead": ahead(browser, site, address),
                    "query_ms": query_times(browser, address),
                }
            measured.append({"records": count, **figures})
        chromium = browser.version
        browser.close()
    machine = {"machine": f"{os.cpu_count()} cores", "load": round(os.getloadavg()[0], 2), "chromium": chromium}
    text = json.dumps({**machine, "measured": measured}, indent=2)
    print(text)
    if given.out:
        given.out.parent.mkdir(exist_ok=True)
        given.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
