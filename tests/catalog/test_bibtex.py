"""BibTeX as programs and people write it: names, ids, values put together, months."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pylatexenc.latexencode import UnicodeToLatexEncoder

from catalog.intake.sources.bibtex import parse
from catalog.intake.sources.bibtex_names import people
from catalog.intake.sources.found import Found

PEOPLE = {
    r"Mu\~{n}oz, Jos\'{e} and \r{A}sa Nordstr\"om and {et al.}": (["José Muñoz", "Åsa Nordström"], True),
    r"Jos\'e Nu\~nez and \L{}ukasz \'Swi\k{e}ch and {\O}ystein {\AA}s": (
        ["José Nuñez", "Łukasz Święch", "Øystein Ås"],
        False,
    ),
    r"\'Alvarez, A. and \c Sahin, B. and Dvo{\v r}{\'a}k, C. and Ch{\^{\i}}, D.": (
        ["A. Álvarez", "B. Şahin", "C. Dvořák", "D. Chî"],
        False,
    ),
    r"\textcommabelow{S}tefan, A.": (["A. Ștefan"], False),
    "Jane~Doe and others": (["Jane Doe"], True),
    "Doe, Jane and {others}": (["Jane Doe"], True),
    "{The Garden Team} and Doe, Jane": (["The Garden Team", "Jane Doe"], False),
    "John Smith, Jane Doe, and Bob Roe": (["John Smith", "Jane Doe", "Bob Roe"], False),
    "John Smith; Jane Doe; Bob Roe": (["John Smith", "Jane Doe", "Bob Roe"], False),
    "Doe, J., Roe, A.-B., Poe, E. F.": (["J. Doe", "A.-B. Roe", "E. F. Poe"], False),
    "Smith, Jr., John and Doe, Jane": (["John Smith Jr.", "Jane Doe"], False),
    "García Márquez, Gabriel José": (["Gabriel José García Márquez"], False),
    "van der Berg, Jan": (["Jan van der Berg"], False),
}


@pytest.mark.parametrize(("text", "expected"), PEOPLE.items())
def test_people(text: str, expected: tuple[list[str], bool]) -> None:
    names, incomplete = people(text)
    assert (list(names), incomplete) == expected


# Letters that the encoder does not know, or writes wrongly, say nothing about the reader.
LETTER = st.characters(categories=["Lu", "Ll"], max_codepoint=0x17F, exclude_characters="ŉſĿŀĸŦŧĦħŊŋªºµÐðÞþŰű")
PART = st.text(LETTER, min_size=2, max_size=8).filter(lambda word: word.lower() not in ("and", "et", "al", "others"))
ENCODER = UnicodeToLatexEncoder(unknown_char_policy="keep")


@given(st.lists(st.tuples(PART, PART), min_size=1, max_size=3), st.booleans())
def test_accented_letters_survive(parts: list[tuple[str, str]], turned: bool) -> None:
    written = [f"{family}, {given}" if turned else f"{given} {family}" for given, family in parts]
    names, incomplete = people(" and ".join(ENCODER.unicode_to_latex(one) for one in written))
    assert [name.casefold() for name in names] == [f"{given} {family}".casefold() for given, family in parts]
    assert not incomplete


def entry(fields: str) -> Found:
    return parse(f"@article{{k, author={{Jane Doe}}, year={{2024}}, title={{T x}}, {fields}}}")[0]


@pytest.mark.parametrize(
    "fields",
    [
        "eprint={arXiv:2404.01234v2}",
        "eprint={2404.01234v2}, archiveprefix={arXiv}",
        "eprint={https://arxiv.org/abs/2404.01234}",
        "number={arXiv:2404.01234}",
        "howpublished={arXiv preprint arXiv:2404.01234}",
        "eid={arXiv:2404.01234}",
        "arxivid={2404.01234}, archiveprefix={arXiv}",
        "note={arXiv: 2404.01234}",
        "journal={arXiv preprint arXiv:2404.01234}",
        "journal={arXiv:2404.01234v2 [cs.LG]}",
        "journal={CoRR}, volume={abs/2404.01234}",
        "url={https://arxiv.org/pdf/2404.01234v3}",
        "doi={10.48550/arXiv.2404.01234}",
    ],
)
def test_an_arxiv_id_is_found_wherever_programs_put_it(fields: str) -> None:
    assert dict(entry(fields).links) == {"arxiv": "2404.01234"}


def test_an_id_of_another_archive_is_none_of_arxiv() -> None:
    assert dict(entry("eprint={12345678}, eprinttype={pubmed}").links) == {}


@pytest.mark.parametrize(
    ("month", "date"),
    [
        ("{21--27 Jul}", "2024-07"),
        ('"10~" # feb', "2024-02"),
        ('may # "~3"', "2024-05"),
        ("mar", "2024-03"),
        ("{July}", "2024-07"),
        ("{7}", "2024-07"),
        ("{13}", "2024"),
        ("{Spring}", "2024"),
        ("{Sept.}", "2024-09"),
    ],
)
def test_months(month: str, date: str) -> None:
    assert entry(f"month = {month}").date == date


def test_values_that_are_put_together() -> None:
    text = """@string{one = {One}}
@string(team = "{The Garden Team}")
@article{k,
  title = "Part " # one # " of it",
  author = "Jane Doe and " # team,
  year = 20 # 24,
  journal = {The C# Journal},
}"""
    found = parse(text)[0]
    assert (found.title, found.authors) == ("Part One of it", ("Jane Doe", "The Garden Team"))
    assert found.date == "2024"
    assert found.venue
    assert found.venue.name == "The C# Journal"


@given(st.text(alphabet=st.sampled_from("@{}\",=# \\~'`abc\n1and"), max_size=60))
def test_any_list_of_authors_is_read(text: str) -> None:
    names, _ = people(text)
    assert all(name and name == name.strip() for name in names)
