"""How current the catalog is: by the days that records tell, and no clock."""

from __future__ import annotations

import pytest
from command_runs import Run
from small_checkout import Checkout

from catalog.insight.attention import report
from catalog.insight.currency import currency
from catalog.insight.stats import statistics


@pytest.mark.parametrize(
    ("fading", "gardens", "stale", "never"),
    [
        ("2031-06-01", "2032-02-01", [], ["lindqvist2031fading"]),
        ("2030-06-01", "2032-02-01", ["lindqvist2031fading"], ["lindqvist2031fading"]),
        ("2031-02-01", "2032-02-01", [], ["lindqvist2031fading"]),
        ("2031-01-31", "2032-02-01", ["lindqvist2031fading"], ["lindqvist2031fading"]),
        ("2030-06-01, compared: 2031-12-01", "2032-02-01", [], []),
        ("2030-06-01, compared: 2030-12-01", "2032-02-01", ["lindqvist2031fading"], []),
        ("2031-06-01, compared: 2033-01-01", "2031-02-01", ["okonkwo2032gardens"], []),
    ],
)
def test_a_year_is_counted_from_the_last_look(
    fading: str, gardens: str, stale: list[str], never: list[str], checkout: Checkout
) -> None:
    checkout.change(checkout.fading, "checked: 2031-06-01", f"checked: {fading}")
    checkout.change(checkout.gardens, "checked: 2032-02-01", f"checked: {gardens}")
    found = currency(checkout.catalog())
    assert [paper.id for paper in found.not_for_a_year] == stale
    assert [paper.id for paper in found.never] == never
    assert [paper.id for paper in found.without_source] == ["okonkwo2032gardens"]
    assert [paper.id for paper in found.newest] == ["okonkwo2032gardens"]


def test_venues_are_expected_of_the_last_two_years(checkout: Checkout) -> None:
    assert [paper.id for paper in currency(checkout.catalog()).expected] == ["okonkwo2032gardens"]
    checkout.change(checkout.fading, "venue: {id: collas, year: 2032}\n", "")
    found = currency(checkout.catalog())
    assert [paper.id for paper in found.expected] == ["lindqvist2031fading", "okonkwo2032gardens"]
    assert (found.by_year[2031].published, found.by_year[2031].expected) == (0, 1)
    checkout.change(checkout.fading, "provenance:", "state: {kind: withdrawn}\nprovenance:")
    checkout.change(checkout.gardens, "type: benchmark", "type: blog")
    assert currency(checkout.catalog()).expected == ()


def test_report_and_statistics_tell_it(checkout: Checkout, run: Run) -> None:
    checkout.change(checkout.fading, "checked: 2031-06-01", "checked: 2030-06-01")
    catalog = checkout.catalog()
    found = {one.id: one.lines for one in report(catalog, [])}
    assert "newest paper: okonkwo2032gardens, 2032-01-15" in found["current"]
    assert found["not-compared"] == ("papers/2031/lindqvist2031fading.yaml: 2030-06-01",)
    assert found["never-compared"] == ("2031: 1 records",)
    assert [line.partition(":")[0] for line in found["venues-expected"]] == ["papers/2032/okonkwo2032gardens.yaml"]
    assert statistics(catalog)["current"] == {
        "newest": "2032-01-15",
        "last": "2032-02-01",
        "not_compared_for_a_year": 1,
        "never_compared": 1,
        "without_source": 1,
        "venues_expected": 1,
    }
    assert "How current the catalog is" in run("report").out
