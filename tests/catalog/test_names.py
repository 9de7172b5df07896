"""Names in parts, and what exports make of them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.base.names import in_reading_order, name_parts, names_in
from catalog.intake.sources.bibtex_names import people as read_people
from catalog.model.paper import Paper
from catalog.outputs.export import bibtex, csl, ris


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Åsa Lindqvist", ("Åsa", "", "Lindqvist", "")),
        ("Tomé van der Ávila", ("Tomé", "van der", "Ávila", "")),
        ("Christopher De Sa", ("Christopher", "", "De Sa", "")),
        ("Sara El Mhamdi", ("Sara", "", "El Mhamdi", "")),
        ("Nicolas Le Roux", ("Nicolas", "", "Le Roux", "")),
        ("Quoc V. Le", ("Quoc V.", "", "Le", "")),
        ("Maria Da Silva", ("Maria", "", "Da Silva", "")),
        ("Ada L. Stone Jr.", ("Ada L.", "", "Stone", "Jr.")),
        ("Robert Smith, Jr.", ("Robert", "", "Smith", "Jr.")),
        ("Ben Durée III", ("Ben", "", "Durée", "III")),
        ("Tom L. Lang IV", ("Tom L.", "", "Lang", "IV")),
        ("The Anh Tran", ("The Anh", "", "Tran", "")),
        ("Doe, Jane", ("Jane", "", "Doe", "")),
        ("李 明", ("明", "", "李", "")),
        ("김 철수", ("철수", "", "김", "")),
        ("Jan van 't Hoff", ("Jan", "van 't", "Hoff", "")),
        ("Ilse op den Berg", ("Ilse", "op den", "Berg", "")),
        ("Carlo dal Bosco", ("Carlo", "dal", "Bosco", "")),
        ("Lia degli Esposti", ("Lia", "degli", "Esposti", "")),
        ("Uwe vom Brocke", ("Uwe", "vom", "Brocke", "")),
        ("Aoife Ó Briain", ("Aoife", "", "Ó Briain", "")),
        ("Plato", ("", "", "Plato", "")),
        ("Plato, Jr.", ("", "", "Plato", "Jr.")),
        ("Plato Jr.", ("", "", "Plato", "Jr.")),
        ("Plato V", ("Plato", "", "V", "")),
        ("The Example Team", ("", "", "The Example Team", "")),
        ("Center for AI Safety", ("", "", "Center for AI Safety", "")),
    ],
)
def test_names(name: str, parts: tuple[str, str, str, str]) -> None:
    found = name_parts(name)
    assert (found.given, found.particle, found.family, found.suffix) == parts


def paper(*authors: str) -> Paper:
    fields = {"id": "stone2031x", "file": "papers/2031/stone2031x.yaml", "title": "A Title", "date": "2031-01"}
    given = {"authors": authors, "type": "method", "links": {"arxiv": "3101.00001"}}
    return Paper.model_validate({**fields, **given, "provenance": {"source": "arxiv", "checked": "2031-01-01"}})


def test_suffixes_in_exports() -> None:
    one = paper("Ada L. Stone Jr.", "Jan van der Berg", "The Anh Tran", "The Example Team")
    written = "author = {Stone, Jr., Ada L. and van der Berg, Jan and Tran, The Anh and {The Example Team}}"
    assert written in bibtex.entry(one)
    (item,) = json.loads(csl.render([one]))
    assert item["author"][0] == {"family": "Stone", "given": "Ada L.", "suffix": "Jr."}
    assert "AU  - Stone, Ada L., Jr." in ris.render([one])


def test_one_name_keeps_its_suffix() -> None:
    one = paper("Plato, Jr.", "Tom III")
    assert "author = {{Plato, Jr.} and {Tom, III}}" in bibtex.entry(one)
    assert json.loads(csl.render([one]))[0]["author"] == [{"literal": "Plato, Jr."}, {"literal": "Tom, III"}]
    assert "AU  - Plato, Jr." in ris.render([one])


def people_to_bibtex(field: str) -> list[str]:
    """As BibTeX and its kin split the field: at "and" in any case between spaces, outside of braces."""
    depth, people, words = 0, [], list[str]()
    for word in field.split():
        if depth == 0 and word.lower() == "and":
            people.append(" ".join(words))
            words = []
        else:
            words.append(word)
        depth += word.count("{") - word.count("}")
    return [*people, " ".join(words)]


@given(
    st.lists(
        st.lists(
            st.sampled_from(["AND", "aNd", "And", "and", "Lee", "X", "iang", "van", "Jr.", "De"]),
            min_size=1,
            max_size=4,
        ),
        min_size=1,
        max_size=3,
    )
)
def test_bibtex_reads_as_many_people(authors: list[list[str]]) -> None:
    one = paper(*(f"{' '.join(words)} Wang" for words in authors))
    (field,) = (value for name, value in bibtex.fields(one)[1] if name == "author")
    assert len(people_to_bibtex(field)) == len(authors)
    names, incomplete = read_people(field)
    assert not incomplete
    assert [*names] == [*one.authors]


@given(st.lists(st.text(st.characters(categories=["L"]), min_size=1, max_size=8), min_size=1, max_size=5))
def test_no_letter_of_a_name_is_lost(words: list[str]) -> None:
    found = name_parts(" ".join(words))
    said = " ".join((found.given, found.particle, found.family, found.suffix))
    assert sorted(said.replace(" ", "")) == sorted("".join(words))


LISTS = {
    "Lindqvist, Åsa; van der Ávila, Tomé": ("Åsa Lindqvist", "Tomé van der Ávila"),
    "Lindqvist, Åsa; and van der Ávila, Tomé;": ("Åsa Lindqvist", "Tomé van der Ávila"),
    "Åsa Lindqvist; Ann Roe": ("Åsa Lindqvist", "Ann Roe"),
    "Lindqvist, Åsa and van der Ávila, Tomé": ("Åsa Lindqvist", "Tomé van der Ávila"),
    "Lindqvist, Åsa, van der Ávila, Tomé": ("Åsa Lindqvist", "Tomé van der Ávila"),
    "Doe, J. A., Roe, B.": ("J. A. Doe", "B. Roe"),
    "Jane Doe and Ann Roe": ("Jane Doe", "Ann Roe"),
    "Jane Doe & Ann Roe": ("Jane Doe", "Ann Roe"),
    "Jane Doe, Ann Roe": ("Jane Doe", "Ann Roe"),
    "Jane Doe, Ann Roe, and Bob van der Poe": ("Jane Doe", "Ann Roe", "Bob van der Poe"),
    "Robert Smith, Jr.": ("Robert Smith Jr.",),
    "Smith, Jr., Robert": ("Robert Smith Jr.",),
    "Smith, Robert, Jr.": ("Robert Smith Jr.",),
    "Robert Smith, Jr., Ann Roe and Ben Durée, III": ("Robert Smith Jr.", "Ann Roe", "Ben Durée III"),
    "Doe, V": ("V Doe",),
    "Jane Doe\nRoe, Ann\nRobert Smith, Jr.": ("Jane Doe", "Ann Roe", "Robert Smith Jr."),
    "- Jane Doe\n- Ann Roe": ("Jane Doe", "Ann Roe"),
    "1. Jane Doe\n2. Ann Roe": ("Jane Doe", "Ann Roe"),
    "Jane Doe,\nAnn Roe\nand Bob Poe": ("Jane Doe", "Ann Roe", "Bob Poe"),
    "The Garden Team and Jane Doe": ("The Garden Team", "Jane Doe"),
    "Institute for Art and Science": ("Institute for Art and Science",),
    "李 明": ("李 明",),
    "García Márquez, Gabriel": ("Gabriel García Márquez",),
}


@pytest.mark.parametrize(("text", "expected"), LISTS.items())
def test_lists_of_names(text: str, expected: tuple[str, ...]) -> None:
    assert tuple(map(in_reading_order, names_in(text))) == expected


first_names = st.sampled_from(["Åsa", "Tomé", "Jane", "J. A.", "The Anh", "Mary-Ann"])
family_names = st.sampled_from(["Lindqvist", "van der Ávila", "O'Hara", "Müller-Lüdenscheidt", "de Souza"])
suffixes = st.sampled_from(["", "", "Jr.", "III"])
people = st.lists(st.tuples(first_names, family_names, suffixes), min_size=1, max_size=5)
WAYS = {
    "lines": ("{0} {1} {2}", "\n"),
    "inverted lines": ("{1}, {0}", "\n"),
    "semicolons": ("{0} {1} {2}", "; "),
    "inverted, semicolons": ("{1}, {0}", "; "),
    "commas": ("{0} {1} {2}", ", "),
    "commas before suffixes": ("{0} {1}, {2}", ", "),
    "and": ("{0} {1} {2}", " and "),
    "inverted, and": ("{1}, {0}", " and "),
}


@given(people, st.sampled_from(sorted(WAYS)))
def test_whoever_lists_people_means_as_many(given: list[tuple[str, str, str]], way: str) -> None:
    form, between = WAYS[way]
    kept = [(first, family, "" if "1}, {0" in form else suffix) for first, family, suffix in given]
    text = between.join(form.format(*one).strip(" ,") for one in kept)
    found = tuple(map(in_reading_order, names_in(text)))
    assert found == tuple(" ".join(part for part in one if part) for one in kept)


@given(st.text("ab ,;&.\n", max_size=30) | st.text(max_size=30))
def test_no_letter_of_a_list_is_lost(text: str) -> None:
    said = "".join(letter for letter in text if letter.isalpha())
    names = names_in(text)
    kept = "".join(letter for name in names for letter in name if letter.isalpha())
    assert kept.replace("and", "") == said.replace("and", "")
    for name in names:
        assert sorted(filter(str.isalpha, in_reading_order(name))) == sorted(filter(str.isalpha, name))


@given(st.text(st.sampled_from("aZ09 ,.:;()/=+*-")))
def test_text_without_signs_of_latex_is_latex(text: str) -> None:
    assert bibtex.latex(text) == text == str(bibtex._encoder().unicode_to_latex(text))
