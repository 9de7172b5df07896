"""What the site holds for programs."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from email.utils import parsedate_to_datetime
from xml.etree import ElementTree

import jsonschema
import pytest

from catalog.model.catalog import Catalog
from catalog.model.paper import Paper
from catalog.outputs.export.records import record
from catalog.outputs.site.feeds import feeds, last_added, selected
from catalog.outputs.site.feeds_and_api import NEWEST, machine_files

ATOM = "{http://www.w3.org/2005/Atom}"
SITE = "https://catalog.example/below/"


@pytest.fixture(scope="module")
def files(catalog: Catalog) -> dict[str, str]:
    return machine_files(catalog, feeds(catalog), SITE)


def _added_last(catalog: Catalog) -> list[Paper]:
    """What a feed holds: by the day on which it was added, and in the catalog's order within a day."""
    return sorted(catalog.papers, key=lambda paper: paper.added or "", reverse=True)[:NEWEST]


def test_every_paper_is_there_alone_and_among_all(catalog: Catalog, files: dict[str, str]) -> None:
    everything = json.loads(files["api/papers.json"])
    assert everything["version"] == 1
    assert [one["id"] for one in everything["papers"]] == [paper.id for paper in catalog.papers]
    for paper, listed in zip(catalog.papers, everything["papers"], strict=True):
        alone = json.loads(files[f"api/papers/{paper.id}.json"])
        assert alone == {"version": 1, "paper": listed}
        assert listed == json.loads(json.dumps(record(paper)))


def test_what_runs_and_what_was_measured_are_there(catalog: Catalog, files: dict[str, str]) -> None:
    runs = json.loads(files["api/implementations.json"])["implementations"]
    assert {one["id"] for one in runs} == {one.id for one in catalog.implementations}
    results = json.loads(files["api/results.json"])["results"]
    assert len(results) == len(catalog.results)
    assert all("examples" not in one and one["metrics"] for one in results)


def test_claims_are_there_with_verdicts_numbers_and_commands(catalog: Catalog, files: dict[str, str]) -> None:
    claims = json.loads(files["api/claims.json"])["claims"]
    assert [(one["method"], one["claim"]) for one in claims] == [
        (one.claim.method, one.claim.claim) for one in catalog.claims
    ]
    assert len({one["id"] for one in claims}) == len(claims)
    for one in claims:
        held = [finding["holds"] for finding in one["findings"]]
        untold = [finding["outcome"] for finding in one["findings"]].count("not told apart")
        assert (one["held"], one["undecided"], one["comparisons"]) == (held.count(True), untold, len(held))
        assert one["commands"], one["id"]
    table = list(csv.DictReader(io.StringIO(files["api/claims.csv"].removeprefix("\ufeff"))))
    assert [row["verdict"] for row in table] == [one["verdict"] for one in claims]
    assert [row["claim"] for row in table] == [one["claim"] for one in claims]


def test_the_schema_describes_every_file_of_the_api(files: dict[str, str]) -> None:
    schema = json.loads(files["api/schema.json"])
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    api = [name for name in files if name.startswith("api/") and name.endswith(".json") and name != "api/schema.json"]
    assert len(api) > 100
    for name in api:
        assert list(validator.iter_errors(json.loads(files[name]))) == [], name
    paper = json.loads(files["api/papers/zhang2024negative.json"])
    for wrong in ({**paper, "version": 2}, {"version": 1}, {"version": 1, "paper": {**paper["paper"], "year": "2024"}}):
        assert not validator.is_valid(wrong)
    assert validator.is_valid({**paper, "paper": {**paper["paper"], "added": 1}}), "fields may be added"


def test_the_rss_feeds_say_the_same(catalog: Catalog, files: dict[str, str]) -> None:
    channel = ElementTree.fromstring(files["rss.xml"]).find("channel")
    assert channel is not None
    assert channel.findtext("link") == SITE
    assert channel.findtext("title")
    assert channel.findtext("description")
    items = channel.findall("item")
    assert [one.findtext("title") for one in items] == [paper.title for paper in _added_last(catalog)]
    dates = [parsedate_to_datetime(one.findtext("pubDate") or "") for one in items]
    assert [f"{date:%Y-%m-%d}" for date in dates] == [paper.added for paper in _added_last(catalog)]
    assert all((one.findtext("link") or "").startswith(f"{SITE}papers/") for one in items)
    for family in catalog.by_family:
        assert f"feeds/{family}.rss.xml" in files
        assert json.loads(files[f"feeds/{family}.json"])["feed_url"] == f"{SITE}feeds/{family}.json"


def test_the_feed_is_atom_with_the_newest_papers(catalog: Catalog, files: dict[str, str]) -> None:
    feed = ElementTree.fromstring(files["feed.xml"])
    assert feed.tag == f"{ATOM}feed"
    for needed in ("id", "title", "updated"):
        assert feed.findtext(f"{ATOM}{needed}")
    entries = feed.findall(f"{ATOM}entry")
    assert [one.findtext(f"{ATOM}title") for one in entries] == [one.title for one in _added_last(catalog)]
    for entry, paper in zip(entries, _added_last(catalog), strict=True):
        assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", entry.findtext(f"{ATOM}id") or "")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT00:00:00Z", entry.findtext(f"{ATOM}updated") or "")
        link = entry.find(f"{ATOM}link")
        assert link is not None
        assert link.get("href") == f"{SITE}papers/{paper.id}.html"
        assert [one.findtext(f"{ATOM}name") for one in entry.findall(f"{ATOM}author")] == list(paper.authors)
    assert len({one.findtext(f"{ATOM}id") for one in entries}) == len(entries)


def test_each_family_has_a_feed_of_its_own(catalog: Catalog, files: dict[str, str]) -> None:
    for family, papers in catalog.by_family.items():
        feed = ElementTree.fromstring(files[f"feeds/{family}.xml"])
        assert len(feed.findall(f"{ATOM}entry")) == min(NEWEST, len(papers))


def test_the_json_feed_says_the_same(catalog: Catalog, files: dict[str, str]) -> None:
    feed = json.loads(files["feed.json"])
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert feed["feed_url"] == f"{SITE}feed.json"
    assert [one["title"] for one in feed["items"]] == [paper.title for paper in _added_last(catalog)]
    assert all(one["id"] and one["content_text"] for one in feed["items"])


def entries(files: dict[str, str], name: str) -> list[tuple[str, str]]:
    """(title, updated) of every entry of an Atom feed."""
    feed = ElementTree.fromstring(files[name])
    return [
        (one.findtext(f"{ATOM}title") or "", one.findtext(f"{ATOM}updated") or "")
        for one in feed.findall(f"{ATOM}entry")
    ]


def test_feeds_go_by_the_day_on_which_a_paper_was_added(catalog: Catalog) -> None:
    oldest, *rest = reversed(catalog.papers)
    undated = rest[-1].model_copy(update={"added": None})  # the newest paper, in a record that says no day
    today = oldest.model_copy(update={"added": "2099-01-02"})
    known = {paper.id: paper for paper in (undated, today)}
    papers = tuple(known.get(paper.id, paper) for paper in catalog.papers)
    changed = replace(catalog, papers=papers)
    files = machine_files(changed, feeds(changed), SITE)
    assert entries(files, "feed.xml")[0] == (oldest.title, "2099-01-02T00:00:00Z")
    assert undated.title not in [title for title, _ in entries(files, "feed.xml")]
    for name in [one for one in files if one.startswith("feed") and one.endswith(".xml") and ".rss" not in one]:
        days = [day for _, day in entries(files, name)]
        assert days == sorted(days, reverse=True), name


def test_data_sets_and_saved_searches_have_feeds(catalog: Catalog, files: dict[str, str]) -> None:
    for dataset, papers in catalog.by_dataset.items():
        assert len(entries(files, f"feeds/dataset/{dataset}.xml")) == min(NEWEST, len(papers))
        assert f"feeds/dataset/{dataset}.rss.xml" in files
    assert catalog.guide.searches
    for search in catalog.guide.searches:
        held = [title for title, _ in entries(files, f"feeds/search/{search.id}.xml")]
        assert held == [paper.title for paper in last_added(selected(catalog, search.list))][:NEWEST]
        assert held, search.id


def test_where_the_site_has_no_address_feeds_lead_to_the_papers_themselves(
    catalog: Catalog, files: dict[str, str]
) -> None:
    nowhere = machine_files(catalog, feeds(catalog), "")
    one = json.loads(nowhere["feed.json"])["items"][0]
    (first,) = (paper for paper in catalog.papers if paper.title == one["title"])
    assert one.get("url", "") in {*dict(first.links.addresses).values(), ""}
    assert "home_page_url" not in json.loads(nowhere["feed.json"])
    assert one["id"] == json.loads(files["feed.json"])["items"][0]["id"]
    assert "Sitemap" not in nowhere["robots.txt"]


def test_crawlers_and_language_models_are_told_what_there_is(catalog: Catalog, files: dict[str, str]) -> None:
    assert f"Sitemap: {SITE}sitemap.xml" in files["robots.txt"]
    for one in catalog.methods:
        assert f"[{one.title}]({SITE}methods/{one.id}.html)" in files["llms.txt"]
    assert f"{SITE}api/papers.json" in files["llms.txt"]
