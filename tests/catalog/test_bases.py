"""What ``builds_on`` names is one thing, for checks and for pages, in whatever order records are read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from catalog.model.bases import Bases
from catalog.model.implementations import Implementation, Kind
from catalog.model.paper import Paper, newest_first

NAMES = ("Fade", "Weed", "fade!", "Mist")


def running(ident: str, paper: str, kind: Kind = "method") -> Implementation:
    return Implementation(ident, kind, ident, ident, "", "", paper, "", "loss", "", "", False, (), "", f"{ident}.py", 1)


RUNNING = (running("fade", "doe2031a"), running("drizzle", "doe2031b"), running("garden", "doe2031b", "task"))


@st.composite
def papers(draw: st.DrawFn) -> list[Paper]:
    """Some records, not checked: links may lead nowhere."""
    count = draw(st.integers(1, 4))
    return [
        Paper.model_validate(
            {
                "id": f"doe2031{'abcd'[number]}",
                "file": f"papers/2031/{number}.yaml",
                "title": f"Paper {number}",
                "authors": ("Jane Doe",),
                "date": draw(st.sampled_from(["2031-01", "2031-02", "2030-12"])),
                "type": "method",
                "links": {},
                "method": {"name": draw(st.sampled_from(NAMES))},
                "implementations": tuple(
                    {"id": draw(st.sampled_from(["fade", "drizzle", "garden", "gone"])), "relation": relation}
                    for relation in draw(st.lists(st.sampled_from(["introduces", "uses"]), max_size=3))
                ),
                "provenance": {"source": "hand", "checked": "2031-01-01"},
            }
        )
        for number in range(count)
    ]


IDS = ("fade", "weed", "mist", "drizzle", "garden", "doe2031a", "doe2031b", "lora")


@given(st.data(), papers())
def test_the_order_of_files_does_not_matter(data: st.DataObject, given_papers: list[Paper]) -> None:
    bases = Bases(given_papers, RUNNING)
    shuffled = Bases(data.draw(st.permutations(given_papers)), RUNNING[::-1])
    for ident in IDS:
        assert bases.paper(ident) == shuffled.paper(ident)
        assert bases.method(ident) == shuffled.method(ident)
        assert bases.rivals(ident) == shuffled.rivals(ident)


@given(papers())
def test_an_id_names_what_runs_then_a_record_then_the_oldest_of_that_name(given_papers: list[Paper]) -> None:
    bases = Bases(given_papers, RUNNING)
    by_id = {paper.id: paper for paper in given_papers}
    assert bases.method("fade") == RUNNING[0]
    assert bases.paper("doe2031a") == by_id["doe2031a"]
    for name, named in bases.by_name.items():
        assert bases.paper(name) == named[0]
        assert list(named[::-1]) == newest_first(named)
        assert name in bases.ids
    for ident in IDS:
        method = bases.method(ident)
        assert method is None or method.kind == "method"
        if method and method.id != ident:
            source = bases.paper(ident)
            assert source
            assert (method.id, "introduces") in {(link.id, link.relation) for link in source.implementations}
    assert bases.paper("lora") is None
    assert bases.method("lora") is None
    assert bases.rivals("fade") == (), "what runs under a name is what it means"
