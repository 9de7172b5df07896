"""One rule says when two records are of one paper: adding and checking agree on it."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_checkout import Checkout

from catalog.intake.adding import Adder
from catalog.intake.duplicates import duplicates
from catalog.intake.sources import Found
from catalog.model.identity import Identity
from catalog.model.paper import Paper
from catalog.parsing.tree import Tree
from catalog.reading.checks import ALL_CHECKS, Corpus
from catalog.reading.entry import Entry
from catalog.reading.load import read_entries

LINKS = st.fixed_dictionaries(
    {},
    optional={
        "arxiv": st.sampled_from(["3101.00001", "3101.00002"]),
        "doi": st.sampled_from(["10.5555/Ab.1", "10.5555/ab.1", "10.5555/x.2"]),
        "acl": st.sampled_from(["2031.acl-long.1", "2031.acl-long.2"]),
        "openreview": st.sampled_from(["abC", "abc"]),
        "url": st.just("https://a.example/b"),
    },
).filter(bool)
TITLES = st.sampled_from(["A Paper on Forgetting", "A paper on forgetting!", "Another Paper", "Third Work"])
AUTHORS = st.lists(st.sampled_from(["Åsa Lindqvist", "Asa Lindqvist", "Jane Doe", "Ann Roe"]), min_size=1, max_size=2)


@st.composite
def papers(draw: st.DrawFn, ident: str) -> Paper:
    return Paper.model_validate(
        {
            "id": ident,
            "file": f"papers/2031/{ident}.yaml",
            "title": draw(TITLES),
            "former_titles": tuple(draw(st.lists(TITLES, max_size=1))),
            "authors": tuple(draw(AUTHORS)),
            "date": "2031-01",
            "type": "method",
            "links": draw(LINKS),
            "provenance": {"source": "arxiv", "checked": "2031-01-01"},
        }
    )


@given(papers("doe2031a"), papers("doe2031b"))
def test_adding_knows_a_paper_exactly_where_the_check_finds_a_duplicate(there: Paper, new: Paper) -> None:
    corpus = Corpus((Entry(there, Tree(there.file)), Entry(new, Tree(new.file))))
    (check,) = (check for check in ALL_CHECKS if check.id == "duplicate-paper")
    found_by_check = bool(list(check.run(corpus)))
    assert bool(Identity.of(new).shared(Identity.of(there))) == found_by_check
    if not new.former_titles:  # a source knows the present title only
        known = duplicates(new.title, new.authors, new.links.model_dump(exclude_none=True), [there])
        assert any(duplicate.certain for duplicate in known) == found_by_check


@given(papers("doe2031a"), papers("doe2031b"))
def test_being_one_paper_goes_both_ways(one: Paper, other: Paper) -> None:
    assert Identity.of(one).shared(Identity.of(other)) == Identity.of(other).shared(Identity.of(one))
    assert Identity.of(one).shared(Identity.of(one))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_what_is_added_anyway_validates_or_is_refused_with_the_reason(checkout: Checkout, data: st.DataObject) -> None:
    titles = [entry.paper.title for entry in read_entries(checkout.project)]
    title = data.draw(st.sampled_from([*titles, f"{titles[0]}s", titles[0].upper(), "Quite Another Paper"]))
    links = data.draw(st.one_of(LINKS, st.just({"arxiv": "3104.01234"}), st.just({"doi": "10.5555/x.2"})))
    authors = tuple(data.draw(st.sampled_from([["Åsa Lindqvist"], ["Jane Doe", "Ann Roe"], ["Grace Okonkwo"]])))
    found = Found("hand", title, authors, "2031-03", links)
    before = set(checkout.root.rglob("*.yaml"))
    outcome = Adder(checkout.project, "2031-06-01", anyway=True).add("it", found)
    written = set(checkout.root.rglob("*.yaml")) - before
    try:
        if outcome.status == "written":
            assert [path.relative_to(checkout.root).as_posix() for path in written] == [outcome.file]
            assert [problem for problem in checkout.problems() if problem.severity == "error"] == []
        else:
            assert not written
            assert outcome.status == "known"
            assert " has the same " in outcome.message
    finally:
        for path in written:
            path.unlink()
