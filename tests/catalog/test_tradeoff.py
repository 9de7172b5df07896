from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_checkout import REPOSITORY

from catalog.figures import Attempt, tradeoff_figure
from catalog.insight.tradeoff import area_below, front, tradeoff, tradeoffs
from catalog.model.catalog import Catalog
from catalog.model.implementations import Implementation, read_implementations
from catalog.model.results import EMBEDDED
from catalog.model.trials import Trial, read_trials

SHARE = st.floats(0, 1)
PLACES = st.lists(st.tuples(SHARE, SHARE), max_size=12)


def test_the_front_is_what_no_other_place_beats_in_both() -> None:
    places = [(0.2, 0.9), (0.5, 0.7), (0.5, 0.6), (0.4, 0.6), (0.8, 0.1), (0.8, 0.1)]
    assert front(places) == [(0.2, 0.9), (0.5, 0.7), (0.8, 0.1)]


@pytest.mark.parametrize(
    ("places", "area"),
    [
        ([], 0.0),
        ([(1.0, 1.0)], 1.0),  # the retrained model
        ([(0.0, 1.0)], 0.0),  # the target: it forgets nothing
        ([(1.0, 0.0)], 0.0),  # a model that is destroyed
        ([(0.5, 0.8)], 0.4),
        ([(0.5, 0.8), (0.75, 0.4)], 0.5 * 0.8 + 0.25 * 0.4),
        ([(0.75, 0.4), (0.5, 0.8), (0.3, 0.3)], 0.5 * 0.8 + 0.25 * 0.4),  # what is beaten adds nothing
    ],
)
def test_the_area_is_the_hand_computed_one(places: list[tuple[float, float]], area: float) -> None:
    assert area_below(places) == pytest.approx(area)


@given(PLACES, st.tuples(SHARE, SHARE))
def test_a_further_place_never_makes_the_area_smaller(
    places: list[tuple[float, float]], further: tuple[float, float]
) -> None:
    assert 0 <= area_below(places) <= area_below([*places, further]) + 1e-12 <= 1 + 1e-9


@given(PLACES)
def test_the_area_is_at_least_that_of_each_place(places: list[tuple[float, float]]) -> None:
    assert all(area_below(places) >= across * up - 1e-9 for across, up in places)


# Of methods


@pytest.fixture(scope="module")
def methods() -> dict[str, Implementation]:
    found, problems = read_implementations(REPOSITORY / "reference_impls")
    assert not problems
    return {one.id: one for one in found}


def trial(score: float, closeness: float | None, utility: float | None, **settings: float) -> Trial:
    return Trial(settings=settings, score=score, closeness=closeness, utility=utility, sense=1.0, metrics={"x": 1.0})


def catalog(methods: dict[str, Implementation], **tried: list[Trial]) -> Catalog:
    chosen = tuple(methods[name.replace("_", "-")] for name in tried)
    trials = {("authors", EMBEDDED, name.replace("_", "-")): rows for name, rows in tried.items()}
    return Catalog((), chosen, (), {}, trials=trials)


def test_the_published_settings_are_the_files_defaults_and_the_best_of_them_counts(
    methods: dict[str, Implementation],
) -> None:
    rows = [
        trial(0.4, 0.3, 0.9, learning_rate=1e-4),
        trial(0.6, 0.5, 0.9, learning_rate=2e-4, retain_weight=1.0),
        trial(0.8, 0.7, 0.9, learning_rate=2e-4, retain_weight=5.0),
    ]
    found = tradeoff(catalog(methods, npo=rows), "authors", methods["npo"])
    assert found is not None
    assert found.published is rows[1]
    assert found.best is rows[2]
    assert [(one.best, one.published) for one in found.attempts] == [(False, True), (False, True), (True, False)]
    assert found.attempts[2].label == "learning rate 0.0002, retain weight 5.0"


def test_a_search_that_was_not_measured_this_way_has_no_trade_off(methods: dict[str, Implementation]) -> None:
    rows = [trial(0.4, None, None, learning_rate=1e-4)]
    assert tradeoff(catalog(methods, npo=rows), "authors", methods["npo"]) is None
    assert tradeoff(catalog(methods, npo=rows), "hazards", methods["npo"]) is None


def test_methods_stand_by_their_area(methods: dict[str, Implementation]) -> None:
    found = tradeoffs(
        catalog(
            methods,
            npo=[trial(0.5, 0.5, 0.5, learning_rate=1e-4)],
            idk=[trial(0.4, 0.9, 0.9, learning_rate=1e-4)],
        ),
        "authors",
    )
    assert [one.method.id for one in found] == ["idk", "npo"]
    assert [one.area for one in found] == pytest.approx([0.81, 0.25])


def test_what_is_committed_can_be_read() -> None:
    trials, problems = read_trials(REPOSITORY / "reference_impls", REPOSITORY)
    assert not problems
    assert ("authors", EMBEDDED, "npo") in trials


# Drawn

ATTEMPTS = st.lists(
    st.builds(Attempt, label=st.text(max_size=12), closeness=SHARE, kept=SHARE, best=st.booleans()), max_size=12
)


@given(ATTEMPTS)
def test_any_attempts_are_drawn_as_well_formed_svg_with_a_mark_each(attempts: list[Attempt]) -> None:
    clean = [replace(one, label="".join(c for c in one.label if c.isprintable())) for one in attempts]
    tree = ElementTree.fromstring(tradeoff_figure(clean, True, ident="x"))
    marks = [one for one in tree.iter() if "figure-mark" in one.get("class", "")]
    assert len(marks) == len(clean)


def test_the_chosen_setting_is_filled_and_the_published_one_a_diamond() -> None:
    drawn = tradeoff_figure(
        [Attempt("a", 0.5, 0.5, best=True), Attempt("b", 0.4, 0.4, published=True)], True, ident="x"
    )
    tree = ElementTree.fromstring(drawn)
    shapes = [(one.tag.split("}")[1], one.get("class")) for one in tree.iter() if "figure-mark" in one.get("class", "")]
    assert shapes == [("circle", "figure-mark figure-method"), ("polygon", "figure-mark figure-behind")]
