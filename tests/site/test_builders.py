"""MkDocs can be replaced: another builder makes pages with the same text from the same folder."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from markup_trees import XHTML, parse_html, visible
from small_checkout import small_checkout_with_pages

from catalog.outputs.site import build_site

pytestmark = pytest.mark.slow


def article(path: Path) -> str:
    """The text of a page's article."""
    return visible(next(parse_html(path.read_text(encoding="utf-8")).iter(f"{XHTML}article")))


def test_another_builder_makes_the_same_pages(tmp_path: Path) -> None:
    """Of a catalog of two papers: a page of nearly every template, and all hand-written ones."""
    assert find_spec("properdocs"), "the drop-in fork of MkDocs is missing: pip install -c constraints.txt -e '.[test]'"
    checkout = small_checkout_with_pages(tmp_path / "checkout")
    project, other, plain = checkout.project, tmp_path / "other", tmp_path / "plain"
    build_site(project, checkout.catalog(), tmp_path / "site")
    for name, out in (("mkdocs", plain), ("properdocs", other)):
        done = subprocess.run(
            [sys.executable, "-m", name, "build", "-q", "-f", str(project.site / "mkdocs.yml"), "-d", str(out)],
            env=os.environ | {"CATALOG_SITE_SOURCE": str(tmp_path / "site-src"), "NO_MKDOCS_2_WARNING": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    pages = sorted(path.relative_to(plain) for path in plain.rglob("*.html"))
    assert len(pages) > 50
    assert pages == sorted(path.relative_to(other) for path in other.rglob("*.html"))
    for page in pages:
        if page.name != "404.html":
            assert article(other / page) == article(plain / page), page
            assert len(article(plain / page)) > 50, page
