"""Pages of groups: a hundred papers at a time, a venue's by whole years, and nobody left out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from catalog.model.paper import Edition, Links, Paper, Provenance, Venue
from catalog.outputs.site.groups import PER_PAGE, Group


def group(facet: str, editions: list[tuple[int, str]]) -> Group:
    """A group with one paper for each (year, part)."""
    made = []
    for number, (year, part) in enumerate(editions):
        paper = Paper(
            id=f"doe{year}n{number}",
            file="papers/x.yaml",
            title=f"Paper {number}",
            authors=("Jane Doe",),
            date=f"{year}-01",
            type="method",
            links=Links(),
            provenance=Provenance(source="hand", checked="2031-01-01"),
            venue=Venue.model_construct(id="iclr", year=year),
            edition=Edition(venue="iclr", year=year, part=part, label=f"ICLR {year} {part}".strip()),
        )
        made.append(paper)
    return Group(facet, "iclr", "ICLR", "ICLR", "", tuple(made))


editions = st.lists(
    st.tuples(st.integers(2019, 2026), st.sampled_from(["", "", "workshops", "findings"])), max_size=450
)


@given(st.integers(0, 450))
def test_pages_hold_every_paper_once_in_order(count: int) -> None:
    one = group("type", [(2024, "")] * count)
    assert [paper.id for page in one.pages for paper in page] == [paper.id for paper in one.papers]
    assert all(len(page) <= PER_PAGE for page in one.pages)
    assert len(one.pages) == max(1, -(-count // PER_PAGE))
    addresses = [one.page_path(number) for number in range(1, len(one.pages) + 1)]
    assert addresses[0] == one.path
    assert len(set(addresses)) == len(addresses)


@given(editions)
def test_a_venues_years_stay_whole_newest_first_and_its_workshops_last(some: list[tuple[int, str]]) -> None:
    one = group("venue", some)
    assert sorted(paper.id for page in one.pages for paper in page) == sorted(paper.id for paper in one.papers)
    for number, page in enumerate(one.pages, 1):
        years = {paper.year for paper in page}
        assert len(page) <= PER_PAGE or len(years) == 1
        assert {one.page_by_year[year] for year in years} <= {number}
    assert [year for year, _ in one.years] == sorted({year for year, _ in some}, reverse=True)
    for _, parts in one.years:
        names = [edition.part for edition in parts]
        assert names == sorted(names, key=lambda part: (part == "workshops", part))
        assert all(one.page_of(edition) == one.page_path(one.page_by_year[edition.year]) for edition in parts)
