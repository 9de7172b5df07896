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


def arxiv_ids(
    new: st.SearchStrategy[tuple[int, int]], old: st.SearchStrategy[tuple[int, int]]
) -> st.SearchStrategy[str]:
    """Ids given in some (year, month): with as many digits as arXiv gave then, in both spellings of old ones."""
    numbers = st.integers(0, 999)
    archives = st.sampled_from(("cs", "math.AG", "hep-th"))
    return st.one_of(
        st.builds(lambda at, n: f"{at[0]:02}{at[1]:02}.{n:0{4 if at[0] < 15 else 5}}", new, numbers),
        st.builds(lambda at, n, archive: f"{archive}/{at[0]:02}{at[1]:02}{n:03}", old, numbers, archives),
    )


MONTHS = st.integers(1, 12)
NO_MONTHS = st.just(0) | st.integers(13, 99)
ARXIV_IDS = arxiv_ids(
    st.tuples(st.integers(8, 99), MONTHS) | st.tuples(st.just(7), st.integers(4, 12)),
    st.tuples(st.integers(0, 6) | st.integers(91, 99), MONTHS) | st.tuples(st.just(7), st.integers(1, 3)),
)
IDS = {
    ARXIV: ARXIV_IDS,
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


IMPOSSIBLE = st.one_of(
    arxiv_ids(st.tuples(st.integers(0, 99), NO_MONTHS), st.tuples(st.integers(0, 99), NO_MONTHS)),
    arxiv_ids(st.tuples(st.integers(0, 6), MONTHS), st.tuples(st.integers(8, 90), MONTHS)),
    arxiv_ids(st.tuples(st.just(7), st.integers(1, 3)), st.tuples(st.just(7), st.integers(4, 12))),
    # The other number of digits.
    st.builds("{:02}{:02}.0{:04}".format, st.integers(8, 14), MONTHS, st.integers(0, 9999)),
    st.builds("{:02}{:02}.{:04}".format, st.integers(15, 99), MONTHS, st.integers(0, 9999)),
)


@given(IMPOSSIBLE)
def test_an_arxiv_id_that_arxiv_cannot_have_given_is_named_and_refused_with_why(ident: str) -> None:
    for text in (ident, f"arXiv:{ident}v2", ARXIV.address(ident), ARXIV.doi_prefix + ident):
        assert identify(text) == ("arxiv", ident), "people hear of it"
        assert ARXIV.inside(text) is None, "it is no right id to be written instead"
    assert ARXIV.fault(ident)
    with pytest.raises(ValidationError):
        Links.model_validate({"arxiv": ident})


@given(st.from_regex(r"\A(?:[0-9]{4}\.[0-9]{4,5}|[a-z]{2}(?:\.[A-Z]{2})?/[0-9]{7})\Z"))
def test_what_is_written_like_an_arxiv_id_is_one_or_has_a_fault(ident: str) -> None:
    assert bool(ARXIV.fault(ident)) == (re.fullmatch(ARXIV.pattern, ident) is None)


@pytest.mark.parametrize(
    ("ident", "fault"),
    [
        ("2413.01234", "there is no month 13"),
        ("2400.01234", "there is no month 00"),
        ("cs/0413001", "there is no month 13"),
        ("1412.12345", "until 2014 4 digits follow the dot"),
        ("1501.1234", "since 2015 5 digits follow the dot"),
        ("0703.1234", "ids with a dot are given since April 2007"),
        ("cs/0704001", "ids with a slash are of 1991 to March 2007"),
        *(
            (ident, "")
            for ident in ("1412.1234", "1501.12345", "0704.1234", "cs/0703001", "hep-th/9108001", "cs.LG/0001001")
        ),
        *((text, "") for text in ("", "hello", "2404.058", "https://arxiv.org/abs/2404.05868")),
    ],
)
def test_why_an_arxiv_id_cannot_be_one(ident: str, fault: str) -> None:
    assert ARXIV.fault(ident) == fault


@given(st.sampled_from(("cs", "hep-th", "math")), st.sampled_from(("LG", "AG")), st.integers(0, 999))
def test_the_subject_class_of_an_old_id_does_not_count(archive: str, subject: str, number: int) -> None:
    ident = f"0412{number:03}"
    assert ARXIV.comparable(f"{archive}.{subject}/{ident}") == ARXIV.comparable(f"{archive}/{ident}")
    assert ARXIV.comparable(f"{archive}.{subject}/{ident}") != ARXIV.comparable(f"{archive}/0411{number:03}")


def test_only_openreview_tells_case_and_gives_each_submission_an_id() -> None:
    assert [one.key for one in REGISTRIES.values() if one.tells_case] == ["openreview"]
    assert [one.key for one in REGISTRIES.values() if not one.one_each] == ["openreview"]
