"""Committed and pasted results: what they may hold, and where they may stand."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from invented_results import invented_result
from pydantic import ValidationError
from small_checkout import REPOSITORY, Checkout

from catalog.model.metrics import off_scale, read_metrics
from catalog.model.quantities import LARGEST
from catalog.model.results import RESULTS, Result, unseen_in
from catalog.outputs.database import serialize
from catalog.parsing.problems import Problem

PLAIN = json.loads(invented_result(method="fade", task="gardens").to_json())
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "an endless seed": ({"seed": 10**30}, "seed"),
    "a seed just too large": ({"seed": LARGEST + 1}, "seed"),
    "a seed below 0": ({"seed": -1}, "seed"),
    "true for a seed": ({"seed": True}, "seed"),
    "a seed in quotes": ({"seed": "1"}, "seed"),
    "half a seed": ({"seed": 0.5}, "seed"),
    "endless memory": ({"peak_memory_bytes": 10**20}, "peak_memory_bytes"),
    "memory in words": ({"peak_memory_bytes": "8 GB"}, "peak_memory_bytes"),
    "endless passes": ({"forward_passes": 2**63}, "forward_passes"),
    "passes below 0": ({"backward_passes": -1}, "backward_passes"),
    "no number": ({"metrics": {"forget_probability": math.nan}}, "metrics.forget_probability"),
    "an infinite number": ({"metrics": {"forget_quality": math.inf}}, "metrics.forget_quality"),
    "a number in quotes": ({"metrics": {"forget_probability": "0.3"}}, "metrics.forget_probability"),
    "true for a number": ({"attacks": {"rephrased": True}}, "attacks.rephrased"),
    "no number for an attack": ({"attacks": {"rephrased": -math.inf}}, "attacks.rephrased"),
    "no number in a stage": ({"stages": [{}, {"forget_rouge": math.nan}]}, "stages.1.forget_rouge"),
    "endless time": ({"seconds": math.inf}, "seconds"),
    "time below 0": ({"seconds": -0.5}, "seconds"),
    "a share in quotes": ({"forget_share": "1"}, "forget_share"),
    "no share": ({"forget_share": math.nan}, "forget_share"),
    "true for requests": ({"requests": True}, "requests"),
    "no rate": ({"recipe": {"learning_rate": math.nan}}, "recipe.learning_rate"),
    "a rate in quotes": ({"recipe": {"learning_rate": "1e-4"}}, "recipe.learning_rate"),
    "a rate below 0": ({"recipe": {"learning_rate": -1e-4}}, "recipe.learning_rate"),
    "endless steps": ({"recipe": {"steps": 10**30}}, "recipe.steps"),
    "a mapping for a setting": ({"hyperparameters": {"beta": {"a": [1, 2]}}}, "hyperparameters.beta"),
    "a list for a setting": ({"hyperparameters": {"beta": [0.1]}}, "hyperparameters.beta"),
    "no number for a setting": ({"hyperparameters": {"beta": math.nan}}, "hyperparameters.beta"),
    "an endless setting": ({"hyperparameters": {"beta": -(10**30)}}, "hyperparameters.beta"),
    "an escape in the command": ({"command": "unlearn run fade\x1b]0;x\x07"}, "command"),
    "a zero in the command": ({"command": "unlearn run fade\0"}, "command"),
    "a filler in a note": ({"notes": ["seen", "\u3164"]}, "notes.1"),
    "a mark of direction in a version": ({"versions": {"torch": "2\u202e"}}, "versions.torch"),
    "a control in a setting's name": ({"hyperparameters": {"be\x9bta": 1}}, "hyperparameters.be\\x9bta"),
    "what nobody sees in an answer": (
        {"examples": [{"split": "forget", "prompt": "a", "answer": "b\ue000", "generated": "c"}]},
        "examples.0.answer",
    ),
}
FILE = f"{RESULTS}/gardens/tiny/fade-0.json"


@pytest.mark.parametrize("name", WRONG)
def test_what_no_run_measured_is_a_problem(name: str, checkout: Checkout) -> None:
    change, path = WRONG[name]
    checkout.add(FILE, json.dumps(PLAIN | change))
    assert [(one.file, one.code) for one in checkout.problems()] == [(FILE, "bad-result")]
    assert checkout.problems()[0].message.startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"metrics": {"forget_probability": 7.5}}, "metrics.forget_probability: Forget probability is from 0 to 1"),
        ({"metrics": {"forget_quality": -0.1}}, "metrics.forget_quality: Forget quality is from 0 to 1, and not -0.1"),
        ({"attacks": {"rephrased": 1.01}}, "attacks.rephrased: "),
        ({"stages": [{"forget_rouge": 2}], "requests": 1}, "stages.0.forget_rouge: "),
    ],
)
def test_what_no_metric_gives_is_off_its_scale(change: dict[str, Any], said: str, checkout: Checkout) -> None:
    definitions = REPOSITORY / "reference_impls/metrics/metrics.yaml"
    checkout.add("reference_impls/metrics/metrics.yaml", definitions.read_bytes())
    checkout.add(FILE, json.dumps(PLAIN | change))
    (problem,) = checkout.problems()
    assert (problem.file, problem.code) == (FILE, "off-scale")
    assert problem.message.startswith(said)


def test_every_metric_holds_the_ends_of_its_range() -> None:
    metrics, problems = read_metrics(REPOSITORY / "reference_impls", REPOSITORY)
    assert not problems
    for metric in metrics:
        for end in metric.range or ():
            assert end is None or metric.holds(end)
            result = invented_result(metrics={metric.id: end})
            assert not list(off_scale(result, {metric.id: metric}))


numbers = st.floats() | st.integers() | st.integers(-(2**70), 2**70) | st.booleans() | st.text(max_size=2) | st.none()
anything = st.recursive(
    numbers, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner), max_leaves=3
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys((*Result.model_fields,), anything)))
def test_what_is_accepted_can_be_written_again(changes: dict[str, Any]) -> None:
    text = json.dumps(PLAIN | changes)
    try:
        result = Result.model_validate_json(text)
    except ValidationError:
        return
    json.loads(result.to_json(), parse_constant=pytest.fail)
    again = Result.model_validate_json(result.to_json())
    assert again.to_json() == result.to_json()
    assert -LARGEST <= result.seed <= LARGEST
    assert unseen_in(text) or not unseen_in(result.to_json())


@given(
    st.fixed_dictionaries(
        {"seed": st.integers(0, LARGEST), "peak_memory_bytes": st.integers(0, LARGEST)},
        optional={
            "seconds": st.floats(0, allow_infinity=False),
            "metrics": st.dictionaries(st.sampled_from(["a", "b"]), st.floats(allow_nan=False, allow_infinity=False)),
            "hyperparameters": st.dictionaries(
                st.just("x"), st.integers(-LARGEST, LARGEST) | st.booleans() | st.none()
            ),
        },
    )
)
def test_whatever_is_accepted_goes_into_the_database(checkout_with: Checkout, changes: dict[str, Any]) -> None:
    result = invented_result(method="fade", task="gardens", **changes)
    file = checkout_with.add(f"{RESULTS}/{result.file}", result.to_json())
    try:
        assert serialize(checkout_with.catalog())
    finally:
        file.unlink()


@pytest.fixture(scope="module")
def checkout_with(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    from small_checkout import small_checkout

    return small_checkout(tmp_path_factory.mktemp("results"))


def placed(checkout: Checkout, name: str, **fields: Any) -> list[Problem]:
    checkout.add(f"{RESULTS}/{name}", invented_result(**{"method": "fade", "task": "gardens"} | fields).to_json())
    return checkout.problems()


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("gardens/tiny/fade-0 copy.json", {}),
        ("gardens/tiny/fade-0 (1).json", {}),
        ("gardens/tiny/fade-1.json", {}),
        ("gardens/tiny/fade-00.json", {}),
        ("gardens/tiny/FADE-0.json", {}),
        ("gardens/tiny/rmu-0.json", {}),
        ("gardens/other/fade-0.json", {}),
        ("gardens/tiny/old/fade-0.json", {}),
        ("fade-0.json", {}),
        ("gardens/tiny/fade-0.json", {"forget_share": 0.5}),
        ("gardens/tiny/fade-0.json", {"requests": 2}),
    ],
)
def test_a_result_counts_in_its_own_file_only(name: str, fields: dict[str, Any], checkout: Checkout) -> None:
    assert placed(checkout, "gardens/tiny/fade-7.json", seed=7) == []
    found = [(one.file, one.code) for one in placed(checkout, name, **fields)]
    assert found == [(f"{RESULTS}/{name}", "misplaced-result")]


def test_results_in_their_files_are_right(checkout: Checkout) -> None:
    for fields in ({}, {"seed": 3}, {"forget_share": 0.5}, {"requests": 2}, {"model": "smollm2"}, {"method": "target"}):
        result = invented_result(**{"method": "fade", "task": "gardens"} | fields)
        assert placed(checkout, result.file, **fields) == []
