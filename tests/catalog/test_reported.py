"""Numbers that papers report: what a record may hold, and where they are shown."""

from __future__ import annotations

import csv
import io
import json

import jsonschema
import pytest
from command_runs import Run
from small_checkout import REPOSITORY, Checkout

from catalog.base.project import Project
from catalog.model.catalog import Catalog
from catalog.model.vocabulary import BenchmarkTerm, MetricTerm, load_vocabularies
from catalog.outputs.wording import reported
from catalog.reading.json_schema import record_schema
from catalog.reading.load import load_catalog

RIGHT = {
    "benchmark": "muse-news",
    "metric": "privleak",
    "model": "Llama-2-7B",
    "value": "-12.50",
    "source": "Table A3",
}


def holds(checkout: Checkout, **changed: str) -> None:
    checkout.change(checkout.fading, "datasets: [tofu]", "datasets: [tofu, muse]")
    entry = ", ".join(f"{key}: {value}" for key, value in (RIGHT | changed).items())
    checkout.change(checkout.fading, "implementations:", f"reported:\n  - {{{entry}}}\nimplementations:")


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    loaded, _ = load_catalog(Project(REPOSITORY))
    assert loaded
    return loaded


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("value", '"-12.5"', "bad-number"),
        ("value", "much", "bad-number"),
        ("value", "1e-9", "bad-number"),
        ("value", "yes", "bad-number"),
        ("value", ".nan", "bad-number"),
        ("value", ".inf", "bad-number"),
        ("value", "-100.5", "off-scale"),
        ("source", "2", "needs-quotes"),
        ("source", "Table", "bad-source"),
        ("source", "Table two", "bad-source"),
        ("source", "page 7", "bad-source"),
        ("source", "the abstract", "bad-source"),
        ("model", '""', "too-short"),
        ("values", "1", "unknown-key"),
    ],
)
def test_what_is_wrong_is_said(key: str, value: str, code: str, checkout: Checkout) -> None:
    holds(checkout, **{key: value})
    places = [(problem.file, problem.line) for problem in checkout.problems() if problem.code == code]
    assert places == [("papers/2031/lindqvist2031fading.yaml", 18)]


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("Table 2", "0"),
        ("Table A3", "-12.50"),
        ("Table 4b", "1.9e-9"),
        ("Figure 5", "73"),
        ("Section 5.1", "1.0e+2"),
        ("Appendix I.3", "0.45"),
    ],
)
def test_what_papers_print_is_held(source: str, value: str, checkout: Checkout) -> None:
    holds(checkout, source=source, value=value)
    assert checkout.problems() == []
    (one,) = checkout.catalog().by_id["lindqvist2031fading"].reported
    assert (one.value, one.source) == (float(value), source)


def test_it_is_exported(checkout: Checkout, run: Run) -> None:
    holds(checkout, note="Mean of five runs.")
    assert run("fmt").status == 0
    assert "value: -12.50, source: Table A3, note: Mean of five runs.}\n" in checkout.fading.read_text(encoding="utf-8")
    paper = next(one for one in json.loads(run("export", "json").out) if one["id"] == "lindqvist2031fading")
    assert paper["reported"] == [{**RIGHT, "value": -12.5, "note": "Mean of five runs."}]
    rows = list(csv.DictReader(io.StringIO(run("export", "csv").out.removeprefix("\ufeff"))))
    assert {row["id"]: row["reported"] for row in rows} == {
        "lindqvist2031fading": "muse-news privleak -12.5 (Llama-2-7B, Table A3)",
        "okonkwo2032gardens": "",
    }
    (line,) = reported(checkout.catalog(), checkout.catalog().by_id["lindqvist2031fading"])
    assert (line.benchmark, line.metric, line.better, line.value) == (
        "MUSE News",
        "PrivLeak",
        "nearer to zero",
        "-12.5",
    )


def test_the_schema_knows_it() -> None:
    schema = record_schema(load_vocabularies())
    entry = {"$defs": schema["$defs"], "$ref": "#/$defs/Reported"}
    good = {**RIGHT, "value": -12.5}
    assert list(jsonschema.Draft202012Validator(entry).iter_errors(good)) == []
    for changed in ({"benchmark": "muse"}, {"metric": "leak"}, {"value": "12"}, {"page": 3}):
        assert list(jsonschema.Draft202012Validator(entry).iter_errors(good | changed)), changed


def test_terms_belong_together() -> None:
    """Every metric is of known benchmarks, and those are of known data sets."""
    vocabularies = load_vocabularies()
    for term in vocabularies["benchmark"].terms:
        assert isinstance(term, BenchmarkTerm)
        assert term.dataset in vocabularies["dataset"]
    for term in vocabularies["metric"].terms:
        assert isinstance(term, MetricTerm)
        assert set(term.benchmarks) <= set(vocabularies["benchmark"])


def test_records_report_of_methods_that_run(catalog: Catalog) -> None:
    """The landmark methods whose numbers a page shows; each stands beside what was measured here."""
    holding = {paper.id for paper in catalog.papers if paper.reported}
    landmarks = {"li2024wmdp", "fan2024simplicity", "ji2024reversing", "wang2024rkld", "huutien2024effects"}
    assert landmarks <= holding
    assert holding <= {method.paper for method in catalog.methods}
