"""The built files: links, metadata, escaping, determinism, contrast."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from markup_trees import XHTML, parse_html, visible

from catalog.base.project import Project
from catalog.model import paper as schema
from catalog.model.catalog import Catalog
from catalog.model.paper import Appearance, Paper, ProposedMethod, State
from catalog.model.vocabulary import NAMES
from catalog.outputs.export.citation import citable
from catalog.outputs.site import SiteError, build_site
from catalog.outputs.site.build import _contributing

pytestmark = pytest.mark.slow


# Links


_HIDDEN = re.compile(r"(?<=<script)([^>]*>).*?(?=</script>)|<!--.*?-->", re.DOTALL)
_TAG = re.compile(r"<[a-z][^<>]*>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"\s(id|href|src|action|data-index|data-library)=(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))")


class _Page:
    """What a page leads to, and where in it others may lead; a parser would take ten times as long."""

    def __init__(self, text: str) -> None:
        self.targets: list[str] = []
        self.ids: set[str] = set()
        for tag in _TAG.findall(_HIDDEN.sub(r"\1", text)):
            for name, *values in _ATTRIBUTE.findall(tag):
                value = html.unescape("".join(values))
                if name == "id":
                    self.ids.add(value)
                else:
                    self.targets.append(value)


def _parsed(site: Path) -> dict[str, _Page]:
    """The pages by their place below the site."""
    return {path.relative_to(site).as_posix(): _Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}


def test_links_and_anchors_are_seen_as_a_parser_sees_them(site: Path) -> None:
    text = (site / "methods" / "npo.html").read_text(encoding="utf-8")
    body, page = list(parse_html(text).iter()), _Page(text)
    assert page.ids == {element.get("id") for element in body if element.get("id")}
    links = [element.get("href") for element in body if element.get("href") is not None]
    assert sorted(set(links)) == sorted({target for target in page.targets if target in links})
    assert len(page.targets) >= len(links) > 50


def test_every_internal_link_and_anchor_leads_somewhere(site: Path) -> None:
    pages = _parsed(site)
    files = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    dead = []
    for place, page in pages.items():
        if place == "404.html":
            continue  # served for any address, so its links count from the site's root
        for target in page.targets:
            parts = urlsplit(target)
            if parts.scheme or target.startswith("//"):
                continue
            meant = normpath(join(dirname(place), unquote(parts.path))) if parts.path else place
            if meant not in files:
                dead.append(f"{place}: {target}")
            elif parts.fragment and meant in pages and parts.fragment not in pages[meant].ids:
                dead.append(f"{place}: {target} (no such anchor)")
    assert dead == []
    assert len(pages) > 100


def test_files_named_in_style_sheets_exist(site: Path) -> None:
    for sheet in (site / "assets" / "css").glob("*.css"):
        for address in re.findall(r"url\(\"([^\"]+)\"\)", sheet.read_text()):
            assert (sheet.parent / address).is_file(), address


def test_nothing_refers_to_a_third_party_but_links(site: Path) -> None:
    foreign = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*(?:src|href)=\"?(?:https?:)?//", re.IGNORECASE)
    for path in site.rglob("*.html"):
        assert not foreign.search(path.read_text(encoding="utf-8")), path
    for path in (site / "assets" / "css").glob("*.css"):
        assert "//" not in re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL), path


def test_every_record_and_implementation_has_its_page(site: Path, catalog: Catalog) -> None:
    for paper in catalog.papers:
        assert (site / "papers" / f"{paper.id}.html").is_file()
    cited = citable(catalog.papers)
    assert len(cited) < len(catalog.papers), "withdrawn papers give no citation"
    for paper in cited:
        assert (site / "papers" / f"{paper.id}.bib").read_text().startswith("@")
        assert (site / "papers" / f"{paper.id}.ris").read_text().startswith("TY")
    for one in catalog.implementations:
        assert (site / f"{one.kind}s" / f"{one.id}.html").is_file()


def data(site: Path, name: str) -> Any:
    """What a script of the search hands over."""
    text = (site / "search" / f"{name}.js").read_text(encoding="utf-8")
    start = f'catalogData.take("{name}",'
    assert text.startswith(start)
    return json.loads(text.removeprefix(start).removesuffix(");\n"))


# Metadata


def parse(path: Path) -> Any:
    return parse_html(path.read_text(encoding="utf-8"))


def head_tags(tree: Any) -> list[tuple[str, str]]:
    return [
        (element.get("name") or element.get("property"), element.get("content"))
        for element in tree.find(f"{XHTML}head").iter(f"{XHTML}meta")
        if element.get("content") is not None
    ]


def json_ld(tree: Any) -> dict[str, Any]:
    scripts = [one for one in tree.iter(f"{XHTML}script") if one.get("type") == "application/ld+json"]
    assert len(scripts) == 1
    found: dict[str, Any] = json.loads(scripts[0].text)
    return found


def test_citation_tags_and_json_ld_say_what_the_record_says(site: Path, catalog: Catalog) -> None:
    paper = catalog.by_id["zhang2024negative"]
    tree = parse(site / "papers" / "zhang2024negative.html")
    tags = head_tags(tree)
    assert ("citation_title", paper.title) in tags
    assert [value for name, value in tags if name == "citation_author"] == list(paper.authors)
    (day,) = (value for name, value in tags if name == "citation_publication_date")
    assert day.startswith("2024/04")
    assert ("citation_conference_title", "Conference on Language Modeling (COLM 2024)") in tags
    assert ("citation_arxiv_id", "2404.05868") in tags
    assert ("citation_pdf_url", "https://arxiv.org/pdf/2404.05868") in tags
    assert ("og:title", paper.title) in tags
    described = json_ld(tree)
    assert described["@type"] == "ScholarlyArticle"
    assert described["headline"] == paper.title
    assert [author["name"] for author in described["author"]] == list(paper.authors)
    assert described["datePublished"] == paper.date
    assert "https://arxiv.org/abs/2404.05868" in described["sameAs"]
    title = tree.find(f"{XHTML}head/{XHTML}title").text
    assert title == f"{paper.title} - LLM-Unlearning"


def test_other_pages_carry_no_citation(site: Path) -> None:
    for page in ("index.html", "methods/npo.html", "papers/index.html"):
        assert not [name for name, _ in head_tags(parse(site / page)) if (name or "").startswith("citation_")]


# Hostile records

HOSTILE = (
    """</script><script>alert(1)</script> "quoted" & 'single' <img src=x onerror=alert(1)> *em* _u_ **b** """
    "[a](javascript:alert(1)) `code` {{ 7*7 }} {% raw %} $x$ # h | cell &amp; --- \\(y\\)"
)


@pytest.fixture(scope="module")
def hostile_site(project: Project, few: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What would come out if text passed the schema that it must not pass: escaping does not rely on the schema."""
    model = few.by_id["zhang2024negative"]
    values = dict(model) | {
        "id": "hostile2024x",
        "title": HOSTILE,
        "authors": (HOSTILE, "Ann O'Hara"),
        "appeared": Appearance.model_construct(label=HOSTILE, kind="conference", container=HOSTILE, year=2024),
        "summary": HOSTILE,
        "former_titles": (HOSTILE,),
        "method": ProposedMethod.model_construct(name=HOSTILE, mechanism=HOSTILE, builds_on=()),
        "state": State.model_construct(kind="revised", date=None, note=HOSTILE, by=None),
    }
    withdrawn = dict(model) | {
        "id": "gone2024x",
        "title": "A Withdrawn Paper",
        "state": State(kind="withdrawn", note="The proof has a gap."),
    }
    papers = (Paper.model_construct(**values), Paper.model_construct(**withdrawn), *few.papers)
    out = tmp_path_factory.mktemp("hostile") / "site"
    build_site(project, replace(few, papers=papers), out)
    return out


@pytest.mark.parametrize(
    "page", ["papers/hostile2024x.html", "papers/index.html", "index.html", "year/2024.html", "methods/npo.html"]
)
def test_hostile_text_is_shown_as_text(hostile_site: Path, page: str) -> None:
    tree = parse(hostile_site / page)
    assert " ".join(HOSTILE.split()) in visible(tree.find(f"{XHTML}body"))
    assert not [image for image in tree.iter(f"{XHTML}img") if image.get("src") == "x"]
    assert not [script for script in tree.iter(f"{XHTML}script") if "alert" in (script.text or "")[:8]]
    assert not [link for link in tree.iter(f"{XHTML}a") if (link.get("href") or "").startswith("javascript:")]


def test_hostile_metadata_is_parsed_back_unchanged(hostile_site: Path) -> None:
    tree = parse(hostile_site / "papers" / "hostile2024x.html")
    tags = dict(head_tags(tree))
    assert tags["citation_title"] == HOSTILE
    assert tags["og:title"] == HOSTILE
    assert tags["description"] == HOSTILE
    assert json_ld(tree)["headline"] == HOSTILE
    assert tree.find(f"{XHTML}head/{XHTML}title").text.split() == [*HOSTILE.split(), "-", "LLM-Unlearning"]


def test_hostile_text_cannot_end_the_search_script(hostile_site: Path) -> None:
    for path in (hostile_site / "search").iterdir():
        assert "</" not in path.read_text(encoding="utf-8"), path
    assert HOSTILE in [row[1] for row in data(hostile_site, "documents-0")]
    item = parse_html(data(hostile_site, "papers-0")[0])
    assert " ".join(HOSTILE.split()) in visible(item.find(f"{XHTML}body"))


def test_a_withdrawn_paper_is_shown_with_its_notice_and_gives_no_citation(hostile_site: Path) -> None:
    path = hostile_site / "papers" / "gone2024x.html"
    text = path.read_text(encoding="utf-8")
    assert "This paper was withdrawn by its authors." in text
    assert "The proof has a gap." in text
    assert "language-bibtex" not in text
    assert "citation_title" not in text
    assert not path.with_suffix(".bib").exists()


# Building


def test_two_builds_are_byte_identical(project: Project, few: Catalog, tmp_path: Path) -> None:
    builds = []
    for place in ("here", "else where"):
        out = tmp_path / place / "site"
        out.parent.mkdir()
        build_site(project, few, out)
        builds.append({path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()})
    first, second = builds
    assert sorted(first) == sorted(second)
    assert [name for name in first if first[name] != second[name]] == []
    assert Path("sitemap.xml.gz") in first


def test_a_dead_link_in_a_page_stops_the_build_and_keeps_the_old_site(
    project: Project, few: Catalog, tmp_path: Path
) -> None:
    broken = Project(tmp_path / "checkout")
    broken.root.mkdir()
    for name in ("templates", "site", "reference_impls"):
        (broken.root / name).symlink_to(project.root / name)
    broken.site.unlink()
    broken.site.mkdir()
    for part in ("assets", "overrides", "mkdocs.yml", "package-lock.json", "node_modules"):
        (broken.site / part).symlink_to(project.site / part)
    (broken.site / "docs").mkdir()
    for page in (project.site / "docs").glob("*.md"):
        (broken.site / "docs" / page.name).write_text(page.read_text() + "\n[nowhere](missing.md)\n")
    out = tmp_path / "site"
    out.mkdir()
    (out / "index.html").write_text("the old site")
    with pytest.raises(SiteError, match=r"missing\.md"):
        build_site(broken, few, out)
    assert (out / "index.html").read_text() == "the old site"
    assert not out.with_name("site-new").exists()


def test_an_empty_catalog_makes_a_site(project: Project, few: Catalog, tmp_path: Path) -> None:
    """A fork starts with no paper; the methods' own papers are then unknown."""
    build_site(project, replace(few, papers=(), results=()), tmp_path / "site")
    assert "0 papers" in (tmp_path / "site" / "papers" / "index.html").read_text(encoding="utf-8")


def test_contributing_becomes_a_page_whose_links_stay_inside(tmp_path: Path) -> None:
    (tmp_path / "CONTRIBUTING.md").write_text(
        "# Contributing\n\nSee [the design](site/docs/design.md#the-site), [`Makefile`](Makefile), "
        "[the records](papers/) and [elsewhere](https://example.org).\n"
    )
    text = _contributing(Project(tmp_path))
    assert "[the design](design.md#the-site)" in text
    assert "`Makefile`" in text
    assert "the records (`papers/`)" in text
    assert "[elsewhere](https://example.org)" in text


def test_the_record_format_page_names_every_field(project: Project) -> None:
    text = (project.site / "docs" / "record-format.md").read_text(encoding="utf-8")
    for model in (
        schema.Record,
        schema.Venue,
        schema.Links,
        schema.ProposedMethod,
        schema.ImplementationLink,
        schema.State,
    ):
        for name in model.model_fields:
            assert f"`{name}`" in text, f"{model.__name__}.{name}"
    for name in NAMES:
        assert f"vocabularies.md#{name}" in text


# Colors


def _luminance(color: str) -> float:
    channels = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["default", "slate"])
def test_text_contrast_is_at_least_aa(project: Project, scheme: str) -> None:
    sheet = (project.site / "assets" / "css" / "tokens.css").read_text()
    block = re.search(r'\[data-md-color-scheme="' + scheme + r'"\] \{(.*?)\n\}', sheet, re.DOTALL)
    assert block
    colors = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block[1]))
    pairs = [
        (text, ground)
        for text in ("ink", "ink-soft", "ink-faint", "accent", "accent-deep", "forget", "gold")
        for ground in ("ground", "surface", "sunken")
    ]
    pairs += [
        ("on-accent", "accent"),
        ("accent-deep", "accent-soft"),
        ("ink", "gold-soft"),
        ("ink", "forget-soft"),
        ("ink", "accent-soft"),
        ("on-accent", "accent-deep"),
    ]
    for text, ground in pairs:
        light, dark = sorted((_luminance(colors[text]), _luminance(colors[ground])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)
