"""What methods rest on, and what is missed most."""

from __future__ import annotations

import pytest
from small_checkout import FADING, Checkout

from catalog.insight.attention import report
from catalog.insight.lineage import lineage, resolve, wanted
from catalog.insight.stats import statistics
from catalog.model.catalog import Catalog


def add(checkout: Checkout, word: str, base: str, *, name: str = "", family: str = "gradient-ascent") -> None:
    """One more paper with a method that builds on something."""
    text = FADING.replace("Fading Out", word.title()).replace("3104.01234", f"3104.{abs(hash(word)) % 10**5:05}")
    text = text.replace("name: Fade", f"name: {name}\n  builds_on: [{base}]" if name else f"builds_on: [{base}]")
    text = text.replace("introduces", "related").replace("Lets", f"{word} lets").replace("Turns", f"{word} turns")
    checkout.add(f"papers/2031/lindqvist2031{word}.yaml", text.replace("[gradient-ascent]", f"[{family}]"))


def test_bases(checkout: Checkout) -> None:
    add(checkout, "mist", "weed", name="Mist")
    catalog = checkout.catalog()
    fade, by_record, weed, lora, unknown = (
        resolve(catalog, ident) for ident in ("fade", "lindqvist2031fading", "weed", "lora", "attention")
    )
    assert fade == by_record
    assert fade.implementation
    assert fade.paper == catalog.by_id["lindqvist2031fading"]
    assert (weed.id, weed.label, weed.implementation) == ("okonkwo2032gardens", "Weed", None)
    assert lora.term
    assert not lora.makes_forget
    assert (unknown.id, unknown.label) == ("attention", "attention")


def test_wanted_counts_papers_behind_what_does_not_run(checkout: Checkout) -> None:
    add(checkout, "mist", "weed", name="Mist")
    add(checkout, "haze", "okonkwo2032gardens, lora, fade", name="Haze")
    add(checkout, "dusk", "kl-min")
    found = wanted(checkout.catalog())
    assert [(one.base.label, [paper.id for paper in one.papers]) for one in found] == [
        ("Weed", ["lindqvist2031haze", "lindqvist2031mist"]),
        ("KL minimization", ["lindqvist2031dusk"]),
    ]
    stats = statistics(checkout.catalog())
    assert stats["wanted"][0] == {"id": "okonkwo2032gardens", "label": "Weed", "papers": 2}
    assert stats["coverage_by_family"]["gradient-ascent"]["related"] == 3
    assert stats["coverage_by_year"]["2032"]["introduces"] == 1


def test_names_are_not_unique(checkout: Checkout) -> None:
    add(checkout, "mist", "lora", name="Weed")
    catalog = checkout.catalog()
    assert resolve(catalog, "weed").id == "lindqvist2031mist", "the oldest has the name"
    assert resolve(catalog, "okonkwo2032gardens").id == "okonkwo2032gardens"
    (same,) = (one for one in report(catalog, []) if one.id == "same-name")
    assert same.lines == ("Weed: lindqvist2031mist, okonkwo2032gardens",)


def test_of_two_as_much_missed_the_one_whose_family_lacks_more_goes_first(checkout: Checkout) -> None:
    add(checkout, "first", "lora", name="Ascent", family="gradient-ascent")
    add(checkout, "second", "lora", name="Relabel", family="relabeling")
    add(checkout, "third", "ascent, relabel", name="Third")
    found = [one.base.label for one in wanted(checkout.catalog())]
    assert found == ["Relabel", "Ascent"], "one method of gradient ascent runs, none of relabeling"


def test_the_report_names_authors_with_and_without_a_middle_name(checkout: Checkout) -> None:
    checkout.change(checkout.gardens, "Grace Okonkwo", "Grace A. Okonkwo")
    (forms,) = (one for one in report(checkout.catalog(), []) if one.id == "forms")
    assert forms.lines == ("Grace Okonkwo / Grace A. Okonkwo",)


def test_the_report_says_what_is_thin(checkout: Checkout) -> None:
    checkout.change(checkout.fading, "venue: {id: collas, year: 2032}\n", "")
    checkout.change(checkout.gardens, "date: 2032-01-15", "date: 2034-01-15")
    checkout.change(checkout.gardens, "source: web", "source: hand")
    checkout.gardens.rename(checkout.add("papers/2034/okonkwo2034gardens.yaml", ""))
    checkout.change(checkout.root / "reference_impls/tasks/gardens/__init__.py", "2032", "2034")
    found = {one.id: one.lines for one in report(checkout.catalog(), checkout.problems())}
    assert found["old-preprints"] == (
        "papers/2031/lindqvist2031fading.yaml: Fading Out: Gentle Forgetting for Small Models",
    )
    assert found["by-hand"] == ("papers/2034/okonkwo2034gardens.yaml: Gardens: A Benchmark of Invented Gardeners",)
    assert "no-summary" not in found


@pytest.mark.parametrize(
    ("kind", "linked", "named"),
    [
        ("benchmark", "{id: fade, relation: uses}", True),
        ("attack", "{id: fade, relation: evaluates}", True),
        ("evaluation", "{id: fade, relation: related}", False),
        ("attack", "{id: gardens, relation: evaluates}", False),
        ("survey", "{id: fade, relation: related}", True),
    ],
)
def test_the_report_asks_on_what_attacks_and_benchmarks_were_tried(
    kind: str, linked: str, named: bool, checkout: Checkout
) -> None:
    checkout.change(checkout.gardens, "type: benchmark", f"type: {kind}")
    links = "  - {id: gardens, relation: introduces}\n"
    checkout.change(checkout.gardens, f"{links}  - {{id: fade, relation: uses}}", f"  - {linked}")
    task = checkout.root / "reference_impls/tasks/gardens/__init__.py"
    checkout.change(task, "okonkwo2032gardens", "lindqvist2031fading")
    checkout.change(checkout.fading, "relation: introduces}\n", f"relation: introduces}}\n{links}")
    found = {one.id: one.lines for one in report(checkout.catalog(), [])}
    assert ("no-method-tried" not in found) is named


def test_the_graph_goes_both_ways_oldest_first(checkout: Checkout) -> None:
    add(checkout, "mist", "fade, lora", name="Mist")
    add(checkout, "haze", "mist", name="Haze")
    found = lineage(checkout.catalog())
    assert found.above["lindqvist2031mist"] == ("fade", "lora")
    assert found.below["fade"] == ("lindqvist2031mist", "okonkwo2032gardens")
    assert found.below["lindqvist2031mist"] == ("lindqvist2031haze",)
    assert found.trunk() == ("fade", "lindqvist2031mist"), "neither a technique nor what nothing builds on"
    assert found.layers(found.nodes) == {
        "fade": 0,
        "lora": 0,
        "lindqvist2031mist": 1,
        "okonkwo2032gardens": 1,
        "lindqvist2031haze": 2,
    }


def test_around_some_methods_stand_their_bases_and_nothing_else(checkout: Checkout) -> None:
    add(checkout, "mist", "weed", name="Mist")
    add(checkout, "haze", "lindqvist2031mist, lora", name="Haze")
    add(checkout, "dusk", "lindqvist2031haze", name="Dusk")
    graph = lineage(checkout.catalog())
    assert set(graph.around(["lindqvist2031haze"])) == {"lindqvist2031mist", "lindqvist2031haze"}
    assert set(graph.around(["lindqvist2031dusk", "lindqvist2031mist"])) == {
        *("okonkwo2032gardens", "lindqvist2031mist"),
        *("lindqvist2031haze", "lindqvist2031dusk"),
    }
    assert graph.around(["fade", "nothing-such"]) == ()


def test_a_circle_has_layers_too(checkout: Checkout) -> None:
    add(checkout, "mist", "haze", name="Mist")
    add(checkout, "haze", "mist", name="Haze")
    found = lineage(checkout.catalog())
    assert sorted(found.layers(("lindqvist2031mist", "lindqvist2031haze")).values()) == [0, 1]


def test_no_line_of_the_graph_leads_back_in_time(catalog: Catalog) -> None:
    graph = lineage(catalog)
    ids = graph.trunk()
    columns, headings = graph.by_year(ids)
    assert set(columns) == set(ids)
    assert all(columns[base] < columns[one] for one in ids for base in graph.above[one] if base in columns)
    starts = [first for _, first in headings]
    assert starts == sorted(set(starts))
    years = [text for text, _ in headings if text.isdigit()]
    assert years == sorted(years)
    for (year, first), end in zip(headings, [*starts[1:], len(columns)], strict=True):
        dated = [graph.nodes[one].paper for one in ids if first <= columns[one] < end]
        assert all(str(paper.year) == year if paper else not year.isdigit() for paper in dated)


def test_a_date_before_that_of_its_base_gives_way(checkout: Checkout) -> None:
    add(checkout, "mist", "weed", name="Mist")  # of 2031, and Weed is of 2032
    graph = lineage(checkout.catalog())
    columns, headings = graph.by_year(graph.nodes)
    assert columns["lindqvist2031mist"] > columns["okonkwo2032gardens"]
    assert [text for text, _ in headings if text.isdigit()] == ["2031", "2032"]
