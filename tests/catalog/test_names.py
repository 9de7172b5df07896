"""Names in parts, and what exports make of them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.base.names import name_parts
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
        ("Plato", ("", "", "Plato", "")),
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


@given(st.lists(st.text(st.characters(categories=["L"]), min_size=1, max_size=8), min_size=1, max_size=5))
def test_no_letter_of_a_name_is_lost(words: list[str]) -> None:
    found = name_parts(" ".join(words))
    said = " ".join((found.given, found.particle, found.family, found.suffix))
    assert sorted(said.replace(" ", "")) == sorted("".join(words))
