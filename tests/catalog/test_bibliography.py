"""``catalog update --bib``: published versions in somebody's own list of references."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from command_runs import Run
from small_checkout import Checkout

from catalog.intake.sources.bibtex import parse
from catalog.upkeep.bibliography import refresh

REFS = """% Encoding: UTF-8
@string{us = "Lindqvist, {\\AA}sa"}

@Article{mine,
  title    = {Fading out: {Gentle} forgetting for small models},
  author   = us # { and Grace Okonkwo},
  journal  = {arXiv preprint arXiv:3104.01234},
  year     = {2030},
  month    = apr,
  keywords = {to read}
}
Between entries.
@misc{other, title={Something Else}, author={Zed Baz}, year={2031}}
"""


def bib(checkout: Checkout, text: str = REFS) -> Path:
    return checkout.add("refs.bib", text)


def test_a_preprint_becomes_the_publication(checkout: Checkout, run: Run) -> None:
    path = bib(checkout)
    ran = run("update", "--bib", "refs.bib")
    assert ran.status == 1
    assert ran.out.startswith("# refs.bib:4: mine: published at ")
    assert "-  journal  = {arXiv preprint arXiv:3104.01234},\n" in ran.out
    assert ran.err == "2 entries, 1 of them in the catalog, 1 would change; write it with --apply.\n"
    assert path.read_text() == REFS
    assert run("update", "--bib", "refs.bib", "--apply").status == 0
    new = path.read_text()
    start, end = new.index("@Inproceedings{mine,"), new.index("Between entries.")
    assert new[:start] == REFS[: REFS.index("@Article")]
    assert new[end:] == REFS[REFS.index("Between entries.") :]
    entry = new[start:end]
    assert "  author   = us # { and Grace Okonkwo},\n  booktitle = {" in entry
    assert "  keywords = {to read},\n" in entry
    assert "  year     = {2032},\n" in entry
    assert "month" not in entry
    assert "arXiv preprint" not in entry
    assert parse(new)[0].title == "Fading out: Gentle forgetting for small models"
    ran = run("update", "--bib", "refs.bib")
    assert (ran.status, ran.out) == (0, "")


def test_json_and_windows(checkout: Checkout, run: Run) -> None:
    path = bib(checkout)
    path.write_bytes(REFS.replace("\n", "\r\n").encode())
    (change,) = json.loads(run("update", "--bib", "refs.bib", "--apply", "--json").out)
    assert (change["key"], change["line"], change["paper"]) == ("mine", 4, "lindqvist2031fading")
    assert path.read_bytes().count(b"\n") == path.read_bytes().count(b"\r\n") > 10


@pytest.mark.parametrize(
    "entry",
    [
        "@inproceedings{a, title={Fading}, author={Someone}, booktitle={ICLR}, year=2031, eprint={3104.01234}}",
        "@book{a, title={Fading Out}, author={Someone}, year=2031, eprint={3104.01234}}",
        "@misc{a, title={Fading Out: Gentle Forgetting for Small Models}, author={Nobody Else}, year=2031}",
        "@misc{a, title={Fading Out}}",
        "@misc{a, title={Gardens: A Benchmark of Invented Gardeners}, author={Grace Okonkwo}, year=2032}",
    ],
)
def test_what_stays(entry: str, checkout: Checkout) -> None:
    found = refresh(entry, "x.bib", checkout.catalog())
    assert (found.text, found.changes) == (entry, ())


def test_what_was_taken_back(checkout: Checkout, run: Run) -> None:
    checkout.change(checkout.fading, "provenance:", "state: {kind: retracted}\nprovenance:")
    path = bib(checkout)
    ran = run("update", "--bib", "refs.bib", "--apply")
    assert "refs.bib:4: mine cites a paper that was retracted (lindqvist2031fading).\n" in ran.err
    assert (ran.status, path.read_text()) == (0, REFS)


@pytest.mark.parametrize(
    ("content", "status", "said"),
    [
        (b"@misc{a, title={", 1, "refs.bib: is broken BibTeX, near line 1"),
        (b"nothing", 1, "holds no BibTeX entry"),
        (b"@misc{a, title={\xff}}", 2, "refs.bib is not UTF-8, at its byte 17"),
        (None, 2, "cannot read refs.bib"),
    ],
)
def test_what_cannot_be_read(content: bytes | None, status: int, said: str, checkout: Checkout, run: Run) -> None:
    if content is not None:
        bib(checkout).write_bytes(content)
    ran = run("update", "--bib", "refs.bib", "--apply")
    assert (ran.status, ran.out) == (status, "")
    assert said in ran.err
    if content is not None:
        assert (checkout.root / "refs.bib").read_bytes() == content
    assert run("update", "lindqvist2031fading", "--bib", "refs.bib").status == 2


@pytest.mark.parametrize(
    "field",
    ["pubstate = {prepublished}", "institution = {arXiv}", "howpublished = {arXiv preprint arXiv:3104.01234}",
     "journal = {arXiv preprint arXiv:3104.01234}", "number = {arXiv:3104.01234}", "publisher = {arXiv}"],
)  # fmt: skip
def test_fields_that_say_preprint_go_whoever_writes_them(field: str, checkout: Checkout) -> None:
    entry = (
        "@online{a,\n  title = {Fading Out: Gentle Forgetting for Small Models},\n  author = {Lindqvist, Åsa},\n"
        f"  date = {{2031-04-02}},\n  eprint = {{3104.01234}},\n  eprinttype = {{arXiv}},\n  {field},\n}}"
    )
    found = refresh(entry, "x.bib", checkout.catalog())
    assert len(found.changes) == 1
    assert field.split(" ")[0] not in re.findall(r"^ *(\w+) =", found.text, re.MULTILINE)
    assert "eprint = {3104.01234}" in found.text


@pytest.mark.parametrize(
    ("fields", "known"),
    [
        ("title={Fading Out}, eprint={arXiv:3104.01234v2}", 1),  # the id is enough: no year, no author
        ("eprint={3104.01234}, archivePrefix={arXiv}", 1),
        ("title={Fading Out: Gentle Forgetting for Small Models}, author={Lindqvist, Åsa}", 1),
        ("title={Fading Out: Gentle Forgetting for Small Models}", 0),  # a title alone may be anybody's
        ("title={Fading Out}, author={Lindqvist, Åsa}, eprint={3113.01234}, archivePrefix={arXiv}", 0),  # month 13
        ("note={nothing}", 0),
    ],
)
def test_an_entry_is_known_by_an_id_or_by_title_and_author_however_little_else_it_says(
    fields: str, known: int, checkout: Checkout
) -> None:
    assert refresh(f"@misc{{x, {fields}}}\n", "refs.bib", checkout.catalog()).known == known


def test_a_publication_has_a_year_also_where_the_preprint_had_none(checkout: Checkout) -> None:
    text = refresh("@misc{x, title={Fading Out}, eprint={3104.01234}}\n", "refs.bib", checkout.catalog()).text
    assert "year = {2032}" in text
    dated = refresh("@misc{x, date={2031-04-02}, eprint={3104.01234}}\n", "refs.bib", checkout.catalog()).text
    assert ("date = {2032}" in dated, "year" in dated) == (True, False)


def test_a_large_list_is_read_whole(checkout: Checkout) -> None:
    one = "@misc{{k{0},\n  title = {{Title {0}}},\n  author = {{Ada Doe}},\n  year = 2031,\n  abstract = {{{1}}},\n}}\n"
    text = "".join(one.format(number, "word " * 300) for number in range(1500))
    assert len(text) > 2 * 1024 * 1024
    found = refresh(text, "x.bib", checkout.catalog())
    assert (found.entries, found.text) == (1500, text)
