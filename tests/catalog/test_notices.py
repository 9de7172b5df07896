"""Titles of pages that are not there, as sites print them, and titles of papers that sound like it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.upkeep.notices import LONGEST, is_notice, says_absent, title_of

NOTICES = """\
404
410 Gone
404 Not Found
404-Not Found
Not Found
404 - Not Found
404: Not Found
404: NOT_FOUND
404: This page could not be found.
404. That’s an error.
Error 404
Error 404 (Not Found)!!1
404 Error - Page Not Found
HTTP Status 404 – Not Found
HTTP Error 404.0 - Not Found
404 - File or directory not found.
404 page not found
404 Page not found | Gardens Lab
404: Page not found | Gardens
404 | Gardens
404 – Hugging Face
404 - Page not found - Gardens
Page not found
PAGE NOT FOUND
Page not found · GitHub Pages
Page not found · GitHub
Site not found · GitHub Pages
Page not found | Gardens
Page Not Found | Department of Computer Science, University of Oxford
Page not found – Gardens Lab
Page not found - The Alan Turing Institute
Page Not Found - Yahoo!
Page not found / X
Page not found at /papers/x/
Page Not Found (404)
Gardens - Page not found
Gardens :: Page not found
Gardens | 404
The page you're looking for could not be found (404)
The page you’re looking for could not be found (404) · GitLab
Oops! Page not found
Oops! That page can’t be found.
Whoops, page not found
Sorry, this page isn't available.
Not Found | OpenReview
Not Found - Zenodo
DOI Not Found
Repository not found
Object not found!
The resource cannot be found.
The requested URL was not found on this server
This page does not exist
This page doesn't exist | Notion
This site can't be found
This page is no longer available.
Page no longer available
Page missing
Nothing found
Seite nicht gefunden | TU Garten
Page introuvable - Jardins
Página no encontrada
404 未找到
404 - 页面不存在
ページが見つかりません
페이지를 찾을 수 없습니다""".splitlines()

LIVING = """\
Gardens
TOFU: A Task of Fictitious Unlearning
404-Bench
404-Bench: Forgetting What Is Not There
404-Bench | Project page
404 Bench
404 Media
Home | 404 Media
Some news about models - 404 Media
Room 404
Page 404 of a book
Paper 404 | OpenReview
404 Not Found: A Benchmark of Missing Knowledge
404 — A Benchmark of Forgetting
404 Not Found – How Models Forget Addresses
Error 404: The Missing Knowledge
Error 404: Memory Not Found
Memory Not Found
Entity not found: hallucinations
Answers Not Found in the Context
Not Found: Memory and Forgetting in LLMs
Not Found in Translation
Lost and Not Found: A Benchmark
Page Not Found: Unlearning the Web
Page Not Found? Unlearning the Web
Machine Unlearning: Page Not Found
File not found — a study of link rot
Page missing values: imputation
Unlearning What Does Not Exist
This Person Does Not Exist
The Model That Does Not Exist
A Page That Does Not Exist
Does Not Exist
When the page does not exist: ...
When the Page Does Not Exist: Forgetting URLs
The Fact Is No Longer Available: Unlearning
What is no longer available: a survey
Content Not Available for Unlearning
How to handle 404 Not Found in a crawler
Gone with the Weights
Gone: Forgetting in LLMs
GitHub - lab/404-not-found: code for unlearning
lab/page-not-found: code""".splitlines()


@pytest.mark.parametrize("title", NOTICES)
def test_notices(title: str) -> None:
    assert is_notice(title)


@pytest.mark.parametrize("title", ["", " - ", "|", *LIVING])
def test_living(title: str) -> None:
    assert not is_notice(title)


NAME = st.from_regex(r"[B-HJ-Z][a-z]{2,8}( [B-HJ-Z][a-z]{2,8}){0,2}", fullmatch=True).filter(
    lambda name: not is_notice(name) and not any(word in name.lower() for word in ("how", "when", "learn", "forget"))
)


@given(st.sampled_from(NOTICES), NAME, st.sampled_from([" | ", " · ", " • ", " » ", " :: "]))
def test_a_notice_beside_a_site_is_one(notice: str, name: str, mark: str) -> None:
    assert is_notice(f"{notice}{mark}{name}")
    assert is_notice(f"{name}{mark}{notice}")


WITHOUT_SITE = [one for one in NOTICES if not {"|", "·", "::", "/", "-", "–"} & set(one.split())]


@given(st.sampled_from(WITHOUT_SITE), NAME, st.sampled_from(["{}: {}", "{}? {}", "{} in {}", "{}, {} and others"]))
def test_a_notice_that_begins_a_sentence_is_none(notice: str, name: str, form: str) -> None:
    assert not is_notice(form.format(notice.rstrip(".!"), name))


@pytest.mark.parametrize(
    ("page", "title"),
    [
        ("<html><head><title>A &amp; B\n  C</title></head>", "A & B C"),
        ("<!doctype html><meta charset=utf-8><TITLE lang=en>Bare</TITLE><p>x", "Bare"),
        ("<title>Left open", "Left open"),
        ("<title>First</title><title>Second</title>", "First"),
        ("<!-- <title>404</title> --><title>After a comment</title>", "After a comment"),
        ("<script>var x = '<title>404</title>'</script><title>After a script</title>", "After a script"),
        ("<style>a{content:'<title>404</title>'}</style><title>After a style</title>", "After a style"),
        ("<svg><title>not found</title></svg>", ""),
        ("<head><svg><g><title>404</title></g></svg><title>After a drawing</title></head>", "After a drawing"),
        ("<noscript><title>404</title></noscript><title>With scripts</title>", "With scripts"),
        ("<head></head><body><svg aria-label='x'><title>Not Found</title></svg>", ""),
        ("<body><title>Not Found</title>", ""),
        ("<head><meta name=a></head><title>Not Found</title>", ""),
        ("<p>text</p><title>Not Found</title>", ""),
        ("no page at all", ""),
    ],
)
def test_the_title_is_the_documents_own(page: str, title: str) -> None:
    assert title_of(page) == title


@pytest.mark.parametrize(
    ("encoding", "content_type", "head"),
    [
        ("utf-8", "text/html", ""),
        ("utf-8", "text/html; charset=nonsense", ""),
        ("utf-8-sig", "text/html; charset=iso-8859-1", ""),
        ("utf-16", "text/html", ""),
        ("gb18030", 'text/html; charset="GBK"', ""),
        ("gb18030", "text/html", "<meta charset=gb2312>"),
        ("gb18030", "text/html", '<meta http-equiv="Content-Type" content="text/html; charset=GB18030">'),
    ],
)
def test_encodings(encoding: str, content_type: str, head: str) -> None:
    assert says_absent(f"<html>{head}<title>页面不存在</title>".encode(encoding), content_type)


@given(st.binary(max_size=300), st.text(max_size=40))
def test_any_bytes_are_read(body: bytes, content_type: str) -> None:
    assert says_absent(b"<html>" + body, content_type) in (True, False)
    assert says_absent(b"<title>Not Found</title>" + body)


@pytest.mark.parametrize(
    "junk", ["<a", "<svg ", "<a b='", "<!--", "<title", "< ", "</", "<title>x", "not found - ", "(404 "]
)
def test_hostile_pages_cost_no_time(junk: str) -> None:
    begin = time.process_time()
    assert not says_absent((junk * 100_000)[:100_000].encode())
    assert not says_absent(("<title>" + junk * 100_000)[:100_000].encode())
    is_notice((junk * 300)[:LONGEST])
    assert time.process_time() - begin < 10, "seconds at most, where carelessness costs minutes"
