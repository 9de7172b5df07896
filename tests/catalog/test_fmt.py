"""The canonical layout: the same values, the same comments, and nothing changes the second time."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_checkout import FADING, GARDENS, Checkout

from catalog.parsing.tree import parse_tree
from catalog.reading.fmt import WIDTH, format_record, layout

MESSY = """\
# yaml-language-server: $schema=x

---
date: 2031-04-01   # a day
# about the title
title: "Plain"   # beside
authors:
- Å Messy   # first
- "No"
links: {code: "https://a.org/c", arxiv: '3104.01234'}
# before the type
type: method


provenance:
    # looked
    checked: 2031-06-01
    source: arxiv
method:
    # how
    mechanism: does this
    # what
    name: Foo
implementations:
- relation: uses
  id: x
# the end
"""
TIDY = """\
# yaml-language-server: $schema=x
# about the title
title: Plain  # beside
authors:
  - Å Messy  # first
  - "No"
date: 2031-04-01  # a day
# before the type
type: method
links:
  arxiv: "3104.01234"
  code: https://a.org/c
method:
  # what
  name: Foo
  # how
  mechanism: does this
implementations:
  - {id: x, relation: uses}
provenance:
  source: arxiv
  # looked
  checked: 2031-06-01
# the end
"""


def formatted(folder: Path, text: str) -> str:
    path = folder / "messy2031plain.yaml"
    path.write_text(text, encoding="utf-8")
    done, problems = format_record(path, "f")
    assert done is not None, problems
    return done


def test_layout(tmp_path: Path) -> None:
    assert formatted(tmp_path, MESSY) == TIDY
    assert formatted(tmp_path, TIDY) == TIDY


def test_canonical_records_stay(tmp_path: Path) -> None:
    for text in (FADING, GARDENS):
        assert formatted(tmp_path, text) == text.replace("summary: >-\n  ", "summary: ")


def test_long_summaries_are_folded(tmp_path: Path) -> None:
    text = FADING.replace("Lets what is", "Lets " + "what " * 60 + "is")
    done = formatted(tmp_path, text)
    assert max(map(len, done.splitlines())) <= WIDTH
    (after, _), (before, _) = (parse_tree(one.encode(), "") for one in (done, text))
    assert after
    assert before
    assert after.value == before.value


lines = FADING.splitlines()


@given(
    st.dictionaries(st.integers(0, len(lines)), st.sampled_from(["# one", "  # two", "    # three"]), max_size=4),
    st.data(),
)
def test_comments_are_kept_and_twice_is_once(notes: dict[int, str], data: st.DataObject) -> None:
    import tempfile

    text = [line for i, line in enumerate(lines) for line in ([notes[i]] if i in notes else []) + [line]]
    beside = data.draw(st.sets(st.integers(0, len(text) - 1), max_size=3))
    text = [f"{line}  # beside {i}" if i in beside and "#" not in line and i else line for i, line in enumerate(text)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "messy2031plain.yaml"
        path.write_text("\n".join(text) + "\n", encoding="utf-8")
        done, problems = format_record(path, "f")
        if done is None:
            assert problems
            return
        before, after = (parse_tree(one.encode(), "")[0] for one in ("\n".join(text), done))
        assert before is not None
        assert after is not None
        assert before.value == after.value
        # Inside a folded text a hash is text, and wraps with it.
        found = [sorted(re.findall(r"# *\w+(?: \d+)?", re.sub(r"\s+", " ", one))) for one in ("\n".join(text), done)]
        assert found[0] == found[1]
        path.write_text(done, encoding="utf-8")
        assert format_record(path, "f")[0] == done


@given(
    st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_categories=["Cc"]), min_size=1, max_size=30)
)
def test_any_text_means_itself(text: str) -> None:
    values = {"title": text, "authors": (text, "B C"), "implementations": ({"id": text, "relation": text},)}
    tree, problems = parse_tree(layout(values).encode(), "f")
    assert not problems
    assert tree is not None
    assert tree.value == values


def test_a_comment_beside_a_bare_dash_stays_there(tmp_path: Path) -> None:
    text = FADING.replace(
        "  - {id: fade, relation: introduces}", "  -  # beside\n    id: fade\n    relation: introduces"
    )
    done = formatted(tmp_path, text)
    assert "  - {id: fade, relation: introduces}  # beside\n" in done
    inside = text.replace("    id: fade", "    # within\n    id: fade  # the id")
    done = formatted(tmp_path, inside)
    assert formatted(tmp_path, done) == done


def test_errors_leave_the_file(checkout: Checkout) -> None:
    checkout.change(checkout.fading, "title:", "titel:")
    done, problems = format_record(checkout.fading, "f")
    assert done is None
    assert {problem.code for problem in problems} == {"unknown-key", "missing-key"}


@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_line_ends(newline: str, tmp_path: Path) -> None:
    path = tmp_path / "messy2031plain.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + TIDY.replace("\n", newline).encode())
    assert format_record(path, "f")[0] == TIDY
