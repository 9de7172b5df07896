"""Pictures of pages, and what a page says of itself where the site knows its address."""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.base.project import Project
from catalog.model.catalog import Catalog
from catalog.outputs.site import build_site
from catalog.outputs.site.head import citation_tags
from catalog.outputs.site.pictures import HEIGHT, LETTERS_FILE, WIDTH, Pictures

PICTURES = Pictures(Path(__file__).parents[2] / "site" / LETTERS_FILE)
SITE = "https://catalog.example/below/"


def pixels(png: bytes) -> list[bytes]:
    """The rows of a picture, each checked."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    chunks, at = {}, 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind, content = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert struct.unpack(">I", png[at + 8 + length : at + 12 + length]) == (zlib.crc32(kind + content),)
        chunks[kind] = content
        at += 12 + length
    assert struct.unpack(">II", chunks[b"IHDR"][:8]) == (WIDTH, HEIGHT)
    raw = zlib.decompress(chunks[b"IDAT"])
    rows = [raw[start : start + WIDTH + 1] for start in range(0, len(raw), WIDTH + 1)]
    assert len(rows) == HEIGHT
    assert all(row[0] == 0 for row in rows)
    return [row[1:] for row in rows]


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=300), st.text(max_size=200))
def test_any_text_makes_a_picture_that_keeps_its_margins(title: str, line: str) -> None:
    rows = pixels(PICTURES.draw(title, line))
    assert all(not any(row[14:50]) and not any(row[WIDTH - 40 :]) for row in rows)
    assert not any(rows[-20][14:])


def test_a_title_is_drawn_and_same_words_are_the_same_bytes(catalog: Catalog) -> None:
    titles = [paper.title for paper in catalog.papers]
    drawn = {title: PICTURES.draw(title, "") for title in titles[:60]}
    assert len(set(drawn.values())) == len(drawn)
    assert PICTURES.draw(titles[0], "") == drawn[titles[0]]
    with_ink = [any(pixel and pixel < 16 for pixel in row) for row in pixels(drawn[titles[0]])]
    assert sum(with_ink) > 30


def test_scholar_reads_the_year_of_the_venue(catalog: Catalog) -> None:
    for paper in catalog.papers:
        tags = {tag[0]: tag[1] for tag in citation_tags(paper, catalog)}
        year = paper.appeared.year if paper.appeared else paper.year
        assert tags["citation_publication_date"].startswith(str(year)), paper.id
        assert tags["citation_online_date"] == paper.date.replace("-", "/")


@pytest.mark.slow
def test_where_the_site_knows_its_address_pages_say_theirs_and_show_a_picture(
    project: Project, few: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SITE_URL", SITE)
    out = tmp_path / "site"
    build_site(project, replace(few, papers=few.papers[:8], results=()), out)
    sitemap = (out / "sitemap.xml").read_text(encoding="utf-8")
    addresses = re.findall(r"<loc>(.*?)</loc>", sitemap)
    assert SITE in addresses
    assert f"{SITE}papers/" in addresses
    assert not any(address.endswith("index.html") for address in addresses)
    pages = [path for path in out.rglob("*.html") if path.name != "404.html"]
    told = set()
    for path in pages:
        text = path.read_text(encoding="utf-8")
        if 'http-equiv="refresh"' in text:
            continue
        (canonical,) = re.findall(r'<link rel="canonical" href="([^"]+)"', text)
        assert f'<meta property="og:url" content="{canonical}">' in text
        told.add(canonical)
        (picture,) = re.findall(r'<meta property="og:image" content="([^"]+)"', text)
        pixels((out / picture.removeprefix(SITE)).read_bytes())
        for name in ("og:title", "og:description"):
            (said,) = re.findall(f'<meta property="{name}" content="([^"]+)"', text)
            assert said
    assert told == set(addresses)
    home = (out / "index.html").read_text(encoding="utf-8")
    assert 'og:title" content="LLM-Unlearning"' in home
    assert 'og:description" content="LLM-Unlearning"' not in home
