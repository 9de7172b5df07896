"""Claims: verdicts follow from numbers, and a claim about nothing is found."""

from __future__ import annotations

from dataclasses import replace

import pytest
from command_runs import Run
from small_checkout import REPOSITORY, Checkout

from catalog.base.project import Project
from catalog.model.catalog import Catalog
from catalog.model.claims import Claim, Judged, judge
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
    _result("fade", 0, utility=0.7, forget=0.4, attacks={"relearning": 0.9}),
    _result("fade", 1, utility=0.5, forget=0.2, attacks={"relearning": 0.7}),
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
        ({"measure": "utility", "at": {"learning_rate": 0.1}, "is": "below", "of": "melt"}, 0.2, 0.6, True),
        ({"measure": "utility", "at": {"learning_rate": 0.1}, "is": "below", "of": "target"}, 0.2, 0.8, True),
        (
            {"measure": "utility", "at": {"scale": "low"}, "is": "above", "of": "fade", "of_at": {"scale": "high"}},
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
    assert found.holds is holds


TRUE = {"measure": "utility", "is": "above", "of": "target", "times": 0.5}
FALSE = {"measure": "utility", "is": "above", "of": "target", "times": 2}
OPEN = {"measure": "utility", "at": {"learning_rate": 0.5}, "is": "above", "of": "target"}


@pytest.mark.parametrize(
    ("evidence", "verdict"),
    [
        ((TRUE, TRUE), "holds"),
        ((TRUE, FALSE), "holds in part"),
        ((FALSE,), "not seen at this scale"),
        ((TRUE, OPEN), "not measured"),
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
        if one.verdict in ("holds in part", "not seen at this scale") and not one.claim.why.strip().endswith(".")
    ]
    assert silent == []


def test_rows_of_claims_have_ids_of_their_own_and_a_reason_only_where_it_is_needed() -> None:
    judged = (_judged(TRUE, FALSE), _judged(TRUE, FALSE), _judged(TRUE))
    reasoned = tuple(replace(one, claim=one.claim.model_copy(update={"why": "It is small."})) for one in judged)
    rows = claim_rows(Catalog((), (), (), {}, claims=reasoned))
    assert len({row.id for row in rows}) == 3
    assert [row.why for row in rows] == ["It is small.", "It is small.", ""]
    assert [(row.held, row.comparisons) for row in rows] == [(1, 2), (1, 2), (1, 1)]


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
