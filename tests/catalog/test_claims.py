"""Claims: verdicts follow from numbers, and a claim about nothing is found."""

from __future__ import annotations

from dataclasses import replace

import pytest
from command_runs import Run
from hypothesis import given
from hypothesis import strategies as st
from small_checkout import REPOSITORY, Checkout

from catalog.base.project import Project
from catalog.model.catalog import Catalog
from catalog.model.claims import Claim, Elsewhere, Evidence, Finding, Judged, judge, stale_numbers
from catalog.model.results import EMBEDDED, Result
from catalog.model.trials import Trial, Trials
from catalog.outputs.database import connect
from catalog.outputs.export.claims import claim_rows
from catalog.reading.load import load_catalog


def _trial(settings: dict[str, float | str], **metrics: float) -> Trial:
    return Trial(settings=settings, score=0.5, metrics=metrics)


TRIALS: Trials = {
    ("authors", EMBEDDED, "fade"): [
        _trial({"learning_rate": 0.1, "scale": "low"}, utility=0.2),
        _trial({"learning_rate": 0.5, "scale": "low"}),
        _trial({"learning_rate": 0.3, "scale": "high"}, utility=0.5),
    ],
    ("authors", EMBEDDED, "melt"): [_trial({"learning_rate": 0.1}, utility=0.6)],
}


def _result(method: str, seed: int = 0, attacks: dict[str, float] | None = None, **metrics: float) -> Result:
    return Result(
        method=method,
        task="authors",
        model="tiny",
        seed=seed,
        hyperparameters={},
        metrics=metrics,
        attacks=attacks or {},
        seconds=1.0,
        peak_memory_bytes=1,
        versions={},
        command="unlearn run",
    )


RESULTS = [
    _result("target", utility=0.8, forget=1.0),
    _result("retrained", utility=0.8, forget=0.3),
    _result("retrained", 1, utility=0.1, forget=0.9),  # another seed: noise, and nothing to compare with
    _result("fade", 0, utility=0.0, forget=0.0).model_copy(update={"model": "larger"}),
    _result("target", utility=0.9, forget=1.0).model_copy(update={"model": "larger"}),
    # A standard deviation of 0.01 over three seeds: a mean is known to ±4.303 · 0.01 / √3 = 0.0248. From melt's, which
    # are as far apart but in another order, it differs by 0.02, 0.05 and 0.05: ±4.303 · (√3 / 100) / √3 = 0.0430.
    _result("fade", 0, utility=0.59, forget=0.29, attacks={"relearning": 0.79}),
    _result("fade", 1, utility=0.60, forget=0.30, attacks={"relearning": 0.80}),
    _result("fade", 2, utility=0.61, forget=0.31, attacks={"relearning": 0.81}),
    *(_result("melt", seed, utility=utility) for seed, utility in enumerate((0.57, 0.55, 0.56))),
    *(_result("twin", seed, utility=utility) for seed, utility in enumerate((0.59, 0.60, 0.61))),
    _result("lone", utility=0.599),
]


def _judged(*evidence: dict[str, object]) -> Judged:
    said = {"method": "fade", "claim": "Fades.", "paper": "lindqvist2031fading"}
    claim = Claim.model_validate(said | {"evidence": evidence})
    (judged,) = judge([claim], RESULTS, TRIALS)
    return judged


@pytest.mark.parametrize(
    ("evidence", "value", "bound", "holds"),
    [
        ({"measure": "utility", "is": "above", "of": "target", "times": 0.7}, 0.6, 0.56, True),
        ({"measure": "utility", "is": "above", "of": "target"}, 0.6, 0.8, False),
        ({"measure": "utility", "model": "larger", "is": "below", "of": "target"}, 0.0, 0.9, True),
        ({"measure": "utility", "is": "below", "of": "target", "plus": -0.1}, 0.6, 0.7, True),
        ({"measure": "forget", "is": "near", "of": "retrained", "within": 0.05}, 0.3, 0.3, True),
        ({"measure": "forget", "is": "near", "of": "target"}, 0.3, 1.0, False),
        ({"measure": "relearning", "is": "above", "of": "forget", "plus": 0.2}, 0.8, 0.5, True),
        ({"measure": "utility", "is": "above", "of": "melt", "plus": -0.01}, 0.6, 0.55, True),
        ({"measure": "utility", "at": {"learning_rate": 0.1}, "is": "below", "of": "melt"}, 0.2, 0.6, True),
        ({"measure": "utility", "at": {"learning_rate": 0.1}, "is": "below", "of": "target"}, 0.2, 0.8, True),
        (
            {
                "measure": "utility",
                "at": {"learning_rate": 0.1, "scale": "low"},
                "is": "above",
                "of": "fade",
                "of_at": {"scale": "high"},
            },
            0.2,
            0.5,
            False,
        ),
    ],
)
def test_comparisons_are_of_means_over_seeds_or_of_trials(
    evidence: dict[str, object], value: float, bound: float, holds: bool
) -> None:
    (found,) = _judged(evidence).findings
    assert found.value == pytest.approx(value)
    assert found.bound == pytest.approx(bound)
    assert found.outcome == ("holds" if holds else "contradicted")


@pytest.mark.parametrize(
    ("evidence", "margin", "outcome"),
    [
        # The target is one given model: the seeds of the method vary alone. 0.6 - 0.73 · 0.8 = 0.016.
        ({"is": "above", "of": "target", "times": 0.73}, 0.02484, "not told apart"),
        ({"is": "below", "of": "target", "times": 0.73}, 0.02484, "not told apart"),
        ({"is": "above", "of": "target", "times": 0.71}, 0.02484, "holds"),
        ({"is": "below", "of": "target", "times": 0.71}, 0.02484, "contradicted"),
        # Of near all of the interval must lie within, or none: 0.6 is 0.2 off.
        ({"is": "near", "of": "target", "within": 0.23}, 0.02484, "holds"),
        ({"is": "near", "of": "target", "within": 0.22}, 0.02484, "not told apart"),
        ({"is": "near", "of": "target", "within": 0.18}, 0.02484, "not told apart"),
        ({"is": "near", "of": "target", "within": 0.17}, 0.02484, "contradicted"),
        # Of two methods the differences within seeds count, and what is allowed belongs to the claim: 0.04 on average.
        ({"is": "above", "of": "melt", "plus": -0.01}, 0.04303, "holds"),
        ({"is": "above", "of": "melt"}, 0.04303, "not told apart"),
        ({"is": "above", "of": "melt", "plus": 0.08}, 0.04303, "not told apart"),
        ({"is": "above", "of": "melt", "plus": 0.09}, 0.04303, "contradicted"),
        # 0.5 of melt's are 0.285, 0.275 and 0.28 off 0.59, 0.60 and 0.61: by 0.305, 0.325 and 0.33.
        ({"is": "above", "of": "melt", "times": 0.5}, 4.303 * 0.013229 / 3**0.5, "holds"),
        # Measures of one method vary together: every run differs by 0.3.
        ({"is": "above", "of": "forget", "plus": 0.299}, 0.0, "holds"),
        # Neither of two that are the same is above the other.
        ({"is": "above", "of": "twin"}, 0.0, "not told apart"),
        ({"is": "below", "of": "twin"}, 0.0, "not told apart"),
        # A single run on a side, of a method or of a search: the two numbers decide.
        ({"is": "above", "of": "lone"}, None, "holds"),
        ({"is": "below", "of": "lone"}, None, "contradicted"),
        ({"at": {"learning_rate": 0.1}, "is": "above", "of": "target", "times": 0.249}, None, "holds"),
    ],
)
def test_what_the_seeds_do_not_decide_is_not_told_apart(
    evidence: dict[str, object], margin: float | None, outcome: str
) -> None:
    (found,) = _judged({"measure": "utility"} | evidence).findings
    assert found.margin == (None if margin is None else pytest.approx(margin, abs=1e-5))
    assert found.outcome == outcome


def _on_tasks(*tasks: str) -> Judged:
    """A claim about `authors`, by utility above melt's and forget probability below the retrained model's."""
    told: dict[str, tuple[dict[str, float], dict[str, float], float]] = {
        # Both come out; the second does not; it cannot be made; nothing can be.
        "authors": ({"model_utility": 0.6, "forget_probability": 0.2}, {"model_utility": 0.5}, 0.4),
        "meadows": ({"model_utility": 0.6, "forget_accuracy": 0.5}, {"model_utility": 0.5}, 0.4),
        "orchards": ({"model_utility": 0.6}, {"model_utility": 0.5}, 0.4),
        "ponds": ({}, {"model_utility": 0.5}, 0.4),
    }
    headlines = {"authors": "forget_probability", "orchards": "forget_rouge"}
    headlines |= dict.fromkeys(("meadows", "ponds"), "forget_accuracy")
    results = [
        _result(method, seed, None, **metrics).model_copy(update={"task": task})
        for task in tasks
        for seed in (0, 1, 2)
        for method, metrics in (
            ("fade", told[task][0]),
            ("melt", told[task][1]),
            ("retrained", {headlines[task]: told[task][2]}),
        )
    ]
    evidence = (
        {"measure": "model_utility", "is": "above", "of": "melt"},
        {"measure": "forget_probability", "is": "below", "of": "retrained"},
    )
    said = {"method": "fade", "claim": "Fades.", "paper": "lindqvist2031fading", "evidence": evidence}
    (judged,) = judge([Claim.model_validate(said)], results, {}, {task: headlines[task] for task in tasks})
    return judged


@pytest.mark.parametrize(
    ("tasks", "told"),
    [
        (("authors",), ""),
        (("authors", "ponds"), ""),
        (("authors", "meadows"), "not on meadows"),
        (("authors", "orchards"), "also on orchards (1 of 2 comparisons)"),
        (("authors", "meadows", "orchards"), "not on meadows; also on orchards (1 of 2 comparisons)"),
    ],
)
def test_a_claim_about_one_task_is_tried_on_others(tasks: tuple[str, ...], told: str) -> None:
    judged = _on_tasks(*tasks)
    assert judged.verdict == "holds"
    assert judged.elsewhere_in_words == told


def test_what_holds_elsewhere_alone_is_not_told_as_holding_there_too() -> None:
    true, false, close = _judged(TRUE), _judged(FALSE), _judged(CLOSE)
    there = (Elsewhere("meadows", true.findings, 1), Elsewhere("orchards", close.findings, 1))
    assert replace(false, elsewhere=there).elsewhere_in_words == "holds on meadows; undecided on orchards"
    assert replace(true, elsewhere=there).elsewhere_in_words == "also on meadows; undecided on orchards"


def test_the_headline_of_a_task_stands_for_that_of_another() -> None:
    (there,) = _on_tasks("authors", "meadows").elsewhere
    assert [(found.evidence.measure, found.outcome) for found in there.findings] == [
        ("model_utility", "holds"),
        ("forget_accuracy", "contradicted"),
    ]


@pytest.mark.parametrize(
    ("why", "stale"),
    [
        ("It keeps 0.60 of 0.8, in runs from 0.59 to 0.61.", ()),  # the mean, the target's, and single runs
        ("It keeps 0.600; melt ends at 0.57.", ()),
        ("A trial at 0.5 kept 0.2.", ()),  # a trial's setting, and what it measured
        ("It keeps 0.65, and 0.62 before.", ("0.65", "0.62")),
        ("It keeps 0.604.", ("0.604",)),
        ("Relearning brings back 0.79.", ("0.79",)),  # the claim is not about that
        ("Another retrained model is at 0.9.", ("0.9",)),  # nothing is held against that one
        ("Half of 128 people, in 60 steps, by version 3.10.2.", ()),
        ("", ()),
    ],
)
def test_a_number_that_no_record_holds_any_more_is_stale(why: str, stale: tuple[str, ...]) -> None:
    claim = _judged({"measure": "utility", "is": "above", "of": "melt"}).claim.model_copy(update={"why": why})
    assert stale_numbers(claim, RESULTS, TRIALS, {"authors": "forget"}) == stale


def test_settings_of_several_trials_are_no_measurement() -> None:
    (found,) = _judged({"measure": "utility", "at": {"scale": "low"}, "is": "above", "of": "target"}).findings
    assert (found.value, found.outcome) == (None, "not measured")


COMPARISONS = st.fixed_dictionaries(
    {
        "measure": st.just("utility"),
        "is": st.sampled_from(("above", "below", "near")),
        "of": st.just("melt"),
        "plus": st.floats(-0.5, 0.5),
        "within": st.floats(0, 0.5),
    }
).map(Evidence.model_validate)
SHARES = st.floats(0, 1)


@given(COMPARISONS, SHARES, SHARES, st.floats(0, 0.5), st.floats(0, 0.5))
def test_a_wider_interval_decides_nothing_that_a_narrow_one_does_not(
    evidence: Evidence, value: float, other: float, narrow: float, more: float
) -> None:
    tight, wide = (Finding(evidence, value, other, margin) for margin in (narrow, narrow + more))
    assert wide.outcome in (tight.outcome, "not told apart")
    bare = Finding(evidence, value, other)
    assert bare.outcome in ("holds", "contradicted") or value == bare.bound


@given(SHARES, SHARES, st.floats(0, 1))
def test_where_above_holds_below_is_contradicted(value: float, other: float, margin: float) -> None:
    claims = [Evidence.model_validate({"measure": "m", "of": "melt", "is": which}) for which in ("above", "below")]
    above, below = (Finding(evidence, value, other, margin).outcome for evidence in claims)
    assert above != "holds" or below == "contradicted"
    assert below != "holds" or above == "contradicted"


TRUE = {"measure": "utility", "is": "above", "of": "target", "times": 0.5}
FALSE = {"measure": "utility", "is": "above", "of": "target", "times": 2}
CLOSE = {"measure": "utility", "is": "above", "of": "target", "times": 0.75}
OPEN = {"measure": "utility", "at": {"learning_rate": 0.5}, "is": "above", "of": "target"}


@pytest.mark.parametrize(
    ("evidence", "verdict"),
    [
        ((TRUE, TRUE), "holds"),
        ((TRUE, FALSE), "holds in part"),
        ((TRUE, FALSE, CLOSE), "holds in part"),
        ((FALSE,), "not seen at this scale"),
        ((FALSE, CLOSE), "not seen at this scale"),
        ((CLOSE,), "undecided"),
        ((TRUE, CLOSE), "undecided"),
        ((TRUE, OPEN), "not measured"),
        ((CLOSE, OPEN), "not measured"),
    ],
)
def test_the_verdict_is_that_of_all_comparisons(evidence: tuple[dict[str, object], ...], verdict: str) -> None:
    assert _judged(*evidence).verdict == verdict


def test_a_claim_that_does_not_hold_throughout_says_why_in_a_sentence() -> None:
    catalog, _ = load_catalog(Project(REPOSITORY))
    assert catalog
    silent = [
        one.claim.claim
        for one in catalog.claims
        if one.verdict not in ("holds", "not measured") and not one.claim.why.strip().endswith(".")
    ]
    assert silent == []


def test_rows_of_claims_have_ids_of_their_own_and_a_reason_only_where_it_is_needed() -> None:
    judged = (_judged(TRUE, FALSE), _judged(TRUE, CLOSE), _judged(TRUE))
    reasoned = tuple(replace(one, claim=one.claim.model_copy(update={"why": "It is small."})) for one in judged)
    rows = claim_rows(Catalog((), (), (), {}, claims=reasoned))
    assert len({row.id for row in rows}) == 3
    assert [row.why for row in rows] == ["It is small.", "It is small.", ""]
    assert [(row.held, row.undecided, row.comparisons) for row in rows] == [(1, 0, 2), (1, 1, 2), (1, 0, 1)]


def test_the_database_has_every_claim_with_its_verdict() -> None:
    catalog, _ = load_catalog(Project(REPOSITORY))
    assert catalog
    database = connect(catalog)
    told = database.execute("SELECT id, verdict FROM claim ORDER BY position").fetchall()
    assert told == [(row.id, row.verdict) for row in claim_rows(catalog)]


CLAIMS = """\
- method: fade
  claim: Fades.
  paper: lindqvist2031fading
  evidence:
    - {task: gardens, measure: utility, is: above, of: target, times: 0.5}
"""


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (("method: fade", "method: fad"), "names the method 'fad'"),
        (("task: gardens", "task: garden"), "names the task 'garden'"),
        (("of: target", "of: targt"), "names the comparison 'targt'"),
        (("is: above", "is: over"), "evidence, entry 1.is is 'over'"),
        (("times: 0.5", "times: half"), "evidence, entry 1.times"),
        (("  paper: lindqvist2031fading\n", ""), "this entry has no 'paper'"),
        (("paper: lindqvist2031fading", "paper: lindqvist2031fadin"), "names the paper 'lindqvist2031fadin'"),
    ],
)
def test_a_claim_about_nothing_is_found(checkout: Checkout, run: Run, change: tuple[str, str], found: str) -> None:
    checkout.add("reference_impls/claims.yaml", CLAIMS.replace(*change))
    ran = run("validate")
    assert ran.status == 1
    assert found in ran.out + ran.err
    assert "reference_impls/claims.yaml:" in ran.out + ran.err


TRIED = """\
{"fade": [
  {"settings": {"learning_rate": 0.1, "weight": 1.0}, "score": 0.5, "metrics": {"utility": 0.5}},
  {"settings": {"learning_rate": 0.1, "weight": 2.0}, "score": 0.5, "metrics": {"utility": 0.6}},
  {"settings": {"learning_rate": 0.2, "weight": 2.0}, "score": 0.5, "metrics": {"utility": 0.7}}
]}
"""
SEVERAL = "these settings are those of 2 trials of 'fade'"


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ("at: {learning_rate: 0.1}, is: above, of: target", "5:45"),
        ("at: {learning_rate: 0.2}, is: above, of: fade, of_at: {weight: 2.0}", "5:95"),
        ("at: {learning_rate: 0.2}, is: above, of: target", ""),
        ("at: {learning_rate: 0.1, weight: 2.0}, is: above, of: target", ""),
    ],
)
def test_settings_of_several_trials_are_an_error_that_names_what_to_add(
    checkout: Checkout, run: Run, settings: str, place: str
) -> None:
    checkout.add("reference_impls/tasks/gardens/search.json", TRIED)
    checkout.add("reference_impls/claims.yaml", CLAIMS.replace("is: above, of: target, times: 0.5", settings))
    ran = run("validate")
    told = ran.out + ran.err
    assert (SEVERAL in told) == bool(place)
    assert f"reference_impls/claims.yaml:{place}" in told
    if place.endswith("45"):
        assert "Add what tells one from the others, {weight: 1.0}, {weight: 2.0};" in told
