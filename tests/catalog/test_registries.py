"""Ids of registries: one table says how they are written, where they lead and how they are recognized."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from catalog.model.paper import Links
from catalog.model.registries import ACL, ARXIV, DOI, OPENREVIEW, REGISTRIES, Registry, held_alone, identify
from catalog.model.registries import leads_to_paper as is_paper

IDS = {
    ARXIV: st.from_regex(r"\A(?:[0-9]{4}\.[0-9]{5}|cs/[0-9]{7}|math\.AG/[0-9]{7})\Z"),
    ACL: st.from_regex(r"\A(?:20[0-9]{2}\.[a-z]{2,8}-(?:long|1)\.[1-9][0-9]{0,2}|[A-Z][0-9]{2}-[0-9]{4})\Z"),
    OPENREVIEW: st.from_regex(r"\A[A-Za-z0-9_-]{10}\Z"),
    DOI: st.from_regex(r"\A10\.[0-9]{4}/[a-z0-9]{1,8}\.[a-z0-9]{1,8}\Z").filter(lambda doi: not doi.endswith("pdf")),
}
NAMED = st.one_of(*(st.tuples(st.just(registry), ids) for registry, ids in IDS.items()))


@given(NAMED)
def test_an_address_names_the_id_that_it_is_made_of(named: tuple[Registry, str]) -> None:
    registry, ident = named
    address = registry.address(ident)
    assert Links.model_validate({registry.key: ident}).addresses == ((registry.name, address),)
    assert held_alone(address) is registry
    assert is_paper(address)
    for text in (address, address.removeprefix("https://"), f"{registry.key}:{ident}", registry.pdf.format(ident)):
        assert text == "" or identify(text) == (registry.key, ident)


@given(NAMED)
def test_the_hint_for_a_wrong_id_holds_a_right_one(named: tuple[Registry, str]) -> None:
    registry, ident = named
    for wrong in (registry.address(ident), f"see {registry.address(ident)} there"):
        with pytest.raises(ValidationError):
            Links.model_validate({registry.key: wrong})
        right = registry.inside(wrong)
        assert right
        assert right.rstrip("/") == ident
        assert re.fullmatch(registry.pattern, right)
    assert registry.inside("nothing of the kind") is None


@pytest.mark.parametrize("registry", [ARXIV, ACL])
@given(data=st.data())
def test_dois_that_registries_make_lead_to_their_papers(registry: Registry, data: st.DataObject) -> None:
    ident = data.draw(IDS[registry])
    doi = registry.doi_prefix + ident
    assert registry.gave(doi)
    assert registry.gave(doi.upper())
    assert not DOI.gave(doi)
    assert identify(doi) == identify(DOI.address(doi)) == (registry.key, ident)


@pytest.mark.parametrize("registry", REGISTRIES.values(), ids=str)
def test_examples_are_ids(registry: Registry) -> None:
    assert Links.model_validate({registry.key: registry.example}).ids == {registry.key: registry.example}


@pytest.mark.parametrize(
    "address",
    [
        "https://github.com/a/b",
        "https://arxiv.org/a/doe_j_1",
        "https://openreview.net/group?id=ICLR.cc/2024",
        "https://openreview.net/attachment?id=MXLBXjQkmb&name=supplementary_material",
        "https://doi.org.example.org/10.1000/x",
    ],
)
def test_other_pages_hold_more_than_an_id(address: str) -> None:
    assert held_alone(address) is None


def test_only_openreview_tells_case_and_gives_each_submission_an_id() -> None:
    assert [one.key for one in REGISTRIES.values() if one.tells_case] == ["openreview"]
    assert [one.key for one in REGISTRIES.values() if not one.one_each] == ["openreview"]
