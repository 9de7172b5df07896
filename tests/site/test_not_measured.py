"""What was just added, with the core alone: no recipe, no results, no claim."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from small_checkout import small_checkout_with_pages

from catalog.outputs.site import build_site

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def small_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    checkout = small_checkout_with_pages(tmp_path_factory.mktemp("small") / "checkout")
    out = checkout.root / "build" / "site"
    build_site(checkout.project, checkout.catalog(), out)
    return out


def section(page: Path, ident: str) -> str:
    """From a heading to the next, as text."""
    text = page.read_text(encoding="utf-8")
    (inside,) = re.findall(rf'<h2 id="{ident}">.*?</h2>(.*?)(?=<h2|</article>)', text, re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", inside).split())


def test_a_methods_page_says_how_it_is_measured(small_site: Path) -> None:
    page = small_site / "methods" / "fade.html"
    assert section(page, "measured") == (
        "Not measured yet. These find its settings and measure it: unlearn tune fade unlearn bench fade"
    )
    assert section(page, "what-the-paper-claims").startswith("Not measured yet: no claim of its paper is in")
    assert 'href="#what-the-paper-claims"' in page.read_text(encoding="utf-8")


def test_a_tasks_page_says_it_too(small_site: Path) -> None:
    assert section(small_site / "tasks" / "gardens.html", "measured").endswith("unlearn bench --task gardens")


def test_the_other_pages_do_without_numbers(small_site: Path) -> None:
    assert "No run has been recorded yet." in (small_site / "results.html").read_text(encoding="utf-8")
    assert "fade.html" in (small_site / "papers" / "lindqvist2031fading.html").read_text(encoding="utf-8")
    assert "fade.html" in (small_site / "family" / "gradient-ascent.html").read_text(encoding="utf-8")
