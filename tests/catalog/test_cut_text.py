"""What YAML takes for a comment: text that would be left out is a problem, comments that are meant are none."""

from __future__ import annotations

import shutil

import pytest
from command_runs import Run
from hypothesis import given
from hypothesis import strategies as st
from small_checkout import FADING, REPOSITORY, Checkout

from catalog.parsing.comments import comments
from catalog.parsing.tree import parse_tree

TITLE = 'title: "Fading Out: Gentle Forgetting for Small Models"\n'
AUTHORS = "authors: [Åsa Lindqvist, Tomé van der Ávila, Grace Okonkwo, Ilse Brandt]\n"
SUMMARY = """\
summary: >-
  Lets what is to be forgotten fade with every step, and stops before anything else does.
"""
MECHANISM = "  mechanism: Turns the loss around and lowers its weight as it grows.\n"


@pytest.mark.parametrize(
    ("old", "new", "place", "cut"),
    [
        (TITLE, "title: Forgetting the #MeToo archive\n", (1, 23), "#MeToo archive"),
        (TITLE, "title: Forgetting the  #MeToo archive\n", (1, 24), "#MeToo archive"),
        (TITLE, "title: C # and F # for Small Models\n", (1, 10), "# and F # for Small Models"),
        (TITLE, "title: Forgetting # 2\n", (1, 19), "# 2"),
        (TITLE, "title: The Language C #\n", (1, 23), "#"),
        (TITLE, "title: #MeToo and Forgetting\n", (1, 8), "#MeToo and Forgetting"),
        (TITLE, "title:\n  Forgetting the\n  archive #MeToo\n", (3, 11), "#MeToo"),
        (TITLE, "title: Forgetting the\n  archive # 1 of Models\n", (2, 11), "# 1 of Models"),
        (TITLE, "title: Forgetting the\n  #MeToo archive\n", (2, 3), "#MeToo archive"),
        (TITLE, "title: Forgetting the\n  #MeToo archive\n  of models\n", (2, 3), "#MeToo archive"),
        (TITLE, "title: Forgetting the #MeToo\n  archive of models\n", (1, 23), "#MeToo"),
        (TITLE, "title: Forgetting the archive # 2\n  of models\n", (1, 31), "# 2"),
        (TITLE, 'title: "Fading Out" #MeToo\n', (1, 21), "#MeToo"),
        (AUTHORS, "authors: [Åsa Lindqvist #1, Grace Okonkwo]\n", (2, 25), "#1, Grace Okonkwo]"),
        (AUTHORS, "authors: [Åsa Lindqvist, #MeToo Group,\n  Ilse Brandt]\n", (2, 26), "#MeToo Group,"),
        (AUTHORS, "authors: [Åsa Lindqvist,\n  #MeToo Group,\n  Ilse Brandt]\n", (3, 3), "#MeToo Group,"),
        (AUTHORS, "authors:\n  - Åsa Lindqvist\n  - The #MeToo Group\n", (4, 9), "#MeToo Group"),
        (AUTHORS, "authors:\n  - Åsa Lindqvist\n  - Group # 7\n", (4, 11), "# 7"),
        (AUTHORS, "authors:\n  - Åsa Lindqvist\n  - #MeToo Group\n", (4, 5), "#MeToo Group"),
        (AUTHORS, "authors:\n- The Group\n  #MeToo\n", (4, 3), "#MeToo"),
        (SUMMARY, "summary: Answers issue #2 of the benchmark.\n", (12, 24), "#2 of the benchmark."),
        (SUMMARY, "summary: Answers issue # 2 of the benchmark.\n", (12, 24), "# 2 of the benchmark."),
        (MECHANISM, "  mechanism: Turns weight # 1 around.\n", (16, 27), "# 1 around."),
        ("venue: {id: collas, year: 2032}", "venue: {id: collas, year: 2032} #oral", (4, 33), "#oral"),
        ("type: method", "type: method #or attack", (5, 14), "#or attack"),
        ("code: https://example.org/lindqvist/fading", "code: https://example.org/fading #readme", (11, 36), "#readme"),
        (
            "provenance: ",
            "state: {kind: revised, note: See issue # 3\n  of the journal}\nprovenance: ",
            (19, 40),
            "# 3",
        ),
    ],
)
def test_text_that_would_be_left_out(
    old: str, new: str, place: tuple[int, int], cut: str, checkout: Checkout, run: Run
) -> None:
    checkout.change(checkout.fading, old, new)
    before = checkout.fading.read_bytes()
    found = [one for one in checkout.problems() if one.severity == "error"]
    assert ("needs-quotes", *place) in [(one.code, one.line, one.column) for one in found]
    assert "bad-yaml" not in [one.code for one in found]
    ran = run("validate", "papers/2031/lindqvist2031fading.yaml")
    assert ran.status == 1
    where = f"papers/2031/lindqvist2031fading.yaml:{place[0]}:{place[1]}: error[needs-quotes]"
    assert f"{where} YAML takes {cut!r} for a comment, and leaves it out\n    Put the whole text in quotes." in ran.out
    assert (run("fmt").status, checkout.fading.read_bytes()) == (1, before)


MEANT = """\
# A draft.
title: "Fading #Out: Gentle Forgetting for Small Models" # beside
# suggested: the title page
authors: # all of them
  - Åsa Lindqvist  # first
  - "#MeToo"       # a group
  - Grace Okonkwo # by hand: the title page
  # - Ilse Brandt
  #- Tomé van der Ávila
date: 2031-04 # a day would be better
venue: {id: collas, year: 2032} # a guess
type: method # or attack
family: [gradient-ascent, # one
  relabeling]
links:
  arxiv: "3104.01234"
  code: https://example.org/lindqvist/fading#readme
  #project: https://example.org
summary: >- # folded
  Issue # 2, and #3.
  # No comment.
method:
  name: Fade # suggested: the name before the colon of the title
  mechanism: Turns C# and F#-like losses around#.
#implementations:
provenance: {source: arxiv, checked: 2031-06-01} # as
# of now
"""


def test_comments_that_are_meant(checkout: Checkout, run: Run) -> None:
    checkout.fading.write_text(MEANT, encoding="utf-8")
    assert [one for one in checkout.problems() if one.code in ("needs-quotes", "bad-yaml")] == []
    assert run("fmt", "papers/2031").status == 0
    after = checkout.fading.read_text(encoding="utf-8")
    assert "# by hand: the title page" in after
    assert 'summary: "Issue # 2, and #3. # No comment."' in after
    assert run("fmt", "--check", "papers/2031").status == 0
    assert [one for one in checkout.problems() if one.code in ("needs-quotes", "bad-yaml")] == []


def test_data_files_lose_nothing_either(checkout: Checkout) -> None:
    shutil.copytree(REPOSITORY / "catalog/vocabularies", checkout.root / "catalog/vocabularies")
    path = checkout.root / "catalog/vocabularies/target.yaml"
    path.write_text(
        "- {id: privacy, label: P, definition: D.}\n- id: rest # all\n  label: The #2 rest\n  definition: C # E.\n"
    )
    found = [(one.line, one.column, one.code) for one in checkout.problems() if one.file.endswith("target.yaml")]
    assert found == [(3, 14, "needs-quotes"), (4, 17, "needs-quotes")]


words = st.text("ab#é: ,-", min_size=1, max_size=12).map(lambda text: " ".join(text.split())).filter(bool)


@given(st.lists(words, min_size=1, max_size=3), st.sampled_from(["title", "summary"]))
def test_a_value_without_quotes_is_whole_or_a_problem(lines: list[str], key: str) -> None:
    text = f"{key}: " + "\n  ".join(lines) + "\nother: x\n"
    tree, problems = parse_tree(text.encode(), "f")
    if tree is None or problems or (key,) in tree.remarks:
        return
    said = tree.value[key]
    assert not isinstance(said, str) or said.count("#") == text.count("#") or _meant(text)


def _meant(text: str) -> bool:
    """Whether each comment looks like one: on its own line or right behind the key, with a space after its sign."""
    behind_key = text.index(":") + 3
    return all(
        one.text.startswith("# ") and (one.alone or (one.line, one.column) == (1, behind_key)) for one in comments(text)
    )


@given(st.lists(st.sampled_from(FADING.splitlines()), max_size=12), st.data())
def test_comments_are_found_in_any_text(lines: list[str], data: st.DataObject) -> None:
    inserted = data.draw(st.lists(st.sampled_from(["#x", "  # y", " #", "- # z", "a: 'b' # c", "d: |  # e", "  f #g"])))
    text = "\n".join(data.draw(st.permutations([*lines, *inserted])))
    for one in comments(text):
        line = text.split("\n")[one.line - 1]
        assert line[one.column - 1 :].rstrip() == one.text
        assert one.alone == (not line[: one.column - 1].strip())
    parse_tree(text.encode(), "f")
