"""Selections of papers as the paper list writes them into its address."""

from __future__ import annotations

from itertools import combinations
from urllib.parse import urlencode

import pytest

from catalog.model.catalog import Catalog
from catalog.model.selection import FILTERS, Selection, values


@pytest.mark.parametrize("name", FILTERS)
def test_one_value_selects_who_has_it(catalog: Catalog, name: str) -> None:
    for value in {value for paper in catalog.papers for value in values(paper, name)}:
        selection = Selection.parsed(urlencode({name: value}))
        assert [paper.id for paper in catalog.papers if selection.fits(paper)] == [
            paper.id for paper in catalog.papers if value in values(paper, name)
        ]


@pytest.mark.parametrize("name", ["setting", "dataset", "type"])
@pytest.mark.parametrize("match", ["", "any", "all"])
def test_two_values_widen_but_for_settings_and_either_can_be_asked_for(catalog: Catalog, name: str, match: str) -> None:
    every = match == "all" or (not match and name == "setting")
    for one, other in list(combinations(catalog.vocabularies[name].ids, 2))[:40]:
        asked = [(name, one), (name, other), *([(match, name)] if match else [])]
        selection = Selection.parsed(f"?{urlencode(asked)}")
        for paper in catalog.papers:
            has = [value in values(paper, name) for value in (one, other)]
            assert selection.fits(paper) == (all(has) if every else any(has))


@pytest.mark.parametrize("address", ["", "?", "family=", "famly=npo", "q=", "sort=title&show=40"])
def test_what_selects_nothing_or_is_unknown_is_told(address: str) -> None:
    with pytest.raises(ValueError, match=r"^bad-value: "):
        Selection.parsed(address)
