"""What a first search may cost: bytes at today's number of papers and at 10,000 generated ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from generated import write_checkout
from playwright.sync_api import Browser
from search import download, serving

from catalog.base.project import Project
from catalog.model.catalog import Catalog
from catalog.outputs.export import bibtex
from catalog.outputs.site.build import _guide
from catalog.outputs.site.paper_list import list_files
from catalog.outputs.site.renderer import Renderer
from catalog.outputs.site.search_index import search_files, write_files
from catalog.outputs.site.settings import read_settings
from catalog.outputs.site.site import Site
from catalog.reading.load import load_catalog

pytestmark = [pytest.mark.browser, pytest.mark.slow]

QUERIES = ("preferense optimisation", "pawelzcyk", "unlearning", "large language model unlearning survey")
"""The costliest of those in benchmarks/search.py, and a plain one."""


@pytest.fixture(scope="module")
def large_site(project: Project, catalog: Catalog, site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The paper list of 10,000 papers, without the other pages."""
    folder = tmp_path_factory.mktemp("large")
    checkout = write_checkout(project, folder / "checkout", 10_000)
    large, problems = load_catalog(checkout)
    assert large is not None, problems[:3]
    out = folder / "site"
    shutil.copytree(site / "assets", out / "assets")
    (out / "papers").mkdir()
    page = (site / "papers" / "index.html").read_text(encoding="utf-8")
    total = f'data-total="{len(catalog.papers)}"'
    assert total in page
    (out / "papers" / "index.html").write_text(page.replace(total, 'data-total="10000"'), encoding="utf-8")
    whole = Site(large, read_settings(project))
    renderer = Renderer(whole, project.templates / "site")
    files = search_files(site, large, whole.people, _guide(project)) | list_files(
        large, renderer.list_item, bibtex.entry
    )
    write_files(out / "search", files)
    return out


def test_a_first_search_is_small_today(browser: Browser, site: Path, catalog: Catalog) -> None:
    allowed = 60_000 + 140 * len(catalog.papers)  # the theme, and 150 KB in all at the 645 papers of the first day
    with serving(site) as address:
        for query in QUERIES:
            assert download(browser, site, address, query)["all"] <= allowed, query


@pytest.mark.large
def test_a_first_search_is_small_among_ten_thousand(browser: Browser, large_site: Path) -> None:
    with serving(large_site) as address:
        for query in QUERIES:
            assert download(browser, large_site, address, query)["all"] <= 300_000, query
