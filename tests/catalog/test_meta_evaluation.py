from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_checkout import REPOSITORY

from catalog.insight.meta_evaluation import (
    ENOUGH,
    auc,
    best_threshold,
    judge_metric,
    judge_metrics,
    most_trusted,
    quantization_robustness,
    relearning_robustness,
)
from catalog.model.catalog import Catalog
from catalog.model.metrics import Metric, read_metrics
from catalog.model.pools import PoolModel, Pools, Shaken, read_pools

PROBABILITY = Metric(id="forget_probability", label="Forget probability", range=(0, 1), better="retrained")
DISTANCE = Metric(id="forget_truth_ratio", label="Truth ratio", range=(0, 1), better="retrained")
VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=6)


def member(knew: bool, **metrics: float) -> PoolModel:
    return PoolModel(knew=knew, data="as written" if knew else "left out", steps=1, seed=0, metrics=metrics)


def shaken(metric: str, method: str, before: float, relearned: float, quantized: float, utility: float) -> Shaken:
    first, second, third = ({metric: value, "model_utility": utility} for value in (before, relearned, quantized))
    return Shaken(method=method, before=first, relearned=second, quantized=third)


def pools(metric: str, knew: list[float], never: list[float], *cases: Shaken) -> Pools:
    models = [member(which, **{metric: value}) for which, values in ((True, knew), (False, never)) for value in values]
    return Pools(command="unlearn bench metrics", seconds=1, versions={}, models=tuple(models), shaken=cases)


@pytest.mark.parametrize(
    ("knew", "never", "area"),
    [
        ([0.9, 0.8], [0.1, 0.2], 1.0),
        ([0.1], [0.9], 0.0),
        ([0.5], [0.5], 0.5),
        ([0.9, 0.3], [0.1, 0.5], 3 / 4),
        ([0.9, 0.5], [0.5, 0.1], (1 + 1 + 0.5 + 1) / 4),
    ],
)
def test_faithfulness_is_the_share_of_pairs_in_the_right_order(
    knew: list[float], never: list[float], area: float
) -> None:
    assert auc(knew, never) == pytest.approx(area)


@given(VALUES, VALUES)
def test_faithfulness_of_swapped_pools_adds_up_to_1(knew: list[float], never: list[float]) -> None:
    assert auc(knew, never) + auc(never, knew) == pytest.approx(1.0)


def test_the_threshold_is_the_lowest_that_is_right_most_often() -> None:
    assert best_threshold([0.9, 0.8], [0.1, 0.2]) == 0.8
    assert best_threshold([0.9, 0.4, 0.8], [0.1, 0.5]) == 0.8  # 2/3 + 2/2; at 0.4 it would be 3/3 + 1/2
    assert best_threshold([0.9, 0.4], [0.1, 0.5]) == 0.4  # 2/2 + 1/2, as 1/2 + 2/2 at 0.9


@pytest.mark.parametrize(
    ("retrained", "unlearned", "robustness"),
    [
        ((0.4, 0.6), (0.4, 0.6), 1.0),
        ((0.4, 0.5), (0.4, 0.8), 0.25),  # a quarter of what comes back would have been learned anew
        ((0.4, 0.8), (0.4, 0.5), 1.0),
        ((0.4, 0.4), (0.4, 0.8), 0.0),
        ((0.4, 0.3), (0.4, 0.8), 0.0),
        ((0.4, 0.3), (0.4, 0.4), 1.0),  # nothing came back
    ],
)
def test_relearning_is_robust_where_nothing_comes_back_faster(
    retrained: tuple[float, float], unlearned: tuple[float, float], robustness: float
) -> None:
    assert relearning_robustness(retrained, unlearned) == pytest.approx(robustness)


@pytest.mark.parametrize(
    ("before", "after", "robustness"), [(0.2, 0.2, 1.0), (0.2, 0.4, 0.5), (0.4, 0.2, 1.0), (0.0, 0.1, 0.0)]
)
def test_quantization_is_robust_where_nothing_rises(before: float, after: float, robustness: float) -> None:
    assert quantization_robustness(before, after) == pytest.approx(robustness)


CASES = (
    ("target", 0.9, 0.9, 0.9, 0.8),
    ("retrained", 0.4, 0.5, 0.4, 0.8),
    *((f"good-{number}", 0.4, 0.5, 0.4, 0.8) for number in range(3)),
    *((f"hidden-{number}", 0.3, 0.7, 0.6, 0.8) for number in range(3)),
    ("useless", 0.0, 0.0, 0.0, 0.1),  # less than 80% of the target's utility
    ("still-knows", 0.85, 0.9, 0.9, 0.8),  # above the threshold
)


def test_a_metric_is_judged_by_hand_computed_numbers() -> None:
    cases = [shaken("forget_probability", *case) for case in CASES]
    judged = judge_metric(PROBABILITY, pools("forget_probability", [0.9, 0.8], [0.4, 0.5], *cases))
    assert judged is not None
    assert (judged.faithfulness, judged.counted) == (1.0, 6)
    assert judged.relearning == pytest.approx((1 + 0.25) / 2)
    assert judged.quantization == pytest.approx((1 + 0.5) / 2)
    robustness = 2 / (1 / 0.625 + 1 / 0.75)
    assert judged.robustness == pytest.approx(robustness)
    assert judged.overall == pytest.approx(2 / (1 + 1 / robustness))


def test_a_comparison_with_the_retrained_model_is_judged_by_the_pools_alone() -> None:
    """That model is at its ideal before it relearns, so that nothing could gain more: robust by its scale."""
    cases = [shaken("forget_probability", *case) for case in CASES]
    against = PROBABILITY.model_copy(update={"against": "retrained"})
    judged = judge_metric(against, pools("forget_probability", [0.9, 0.8], [0.4, 0.5], *cases))
    assert judged is not None
    assert (judged.faithfulness, judged.relearning, judged.quantization, judged.overall) == (1.0, None, None, None)


def test_the_committed_comparisons_with_the_retrained_model_say_so() -> None:
    """What one retrained model has at an end of the scale on every task, exactly, is settled by definition."""
    metrics, _ = read_metrics(REPOSITORY / "reference_impls", REPOSITORY)
    settled = {metric.id for metric in metrics if metric.against}
    files = sorted(REPOSITORY.glob("reference_impls/results/*/tiny/retrained-0.json"))
    measured = [json.loads(file.read_text(encoding="utf-8"))["metrics"] for file in files]
    assert len(measured) >= 3
    for name in settled:
        values = {one[name] for one in measured if name in one}
        assert values, name
        assert values <= {0.0, 1.0}, name


@pytest.mark.parametrize("counted", [ENOUGH - 1, ENOUGH])
def test_a_mean_over_a_few_models_is_shown_and_nothing_follows_from_it(counted: int) -> None:
    cases = [*CASES[:2], *((f"good-{number}", 0.4, 0.5, 0.4, 0.8) for number in range(counted))]
    measured = [shaken("forget_probability", *case) for case in cases]
    judged = judge_metric(PROBABILITY, pools("forget_probability", [0.9, 0.8], [0.4, 0.5], *measured))
    assert judged is not None
    assert (judged.relearning, judged.quantization, judged.counted) == (1.0, 1.0, counted)
    assert judged.overall == (1.0 if counted == ENOUGH else None)
    assert most_trusted([judged]) == ((judged,) if counted == ENOUGH else ())


def test_a_metric_that_falls_with_knowledge_is_judged_by_what_it_lacks_to_its_largest_value() -> None:
    mirrored = [
        shaken("forget_truth_ratio", name, 1 - before, 1 - relearned, 1 - quantized, utility)
        for name, before, relearned, quantized, utility in CASES
    ]
    cases = [shaken("forget_probability", *case) for case in CASES]
    falling = judge_metric(DISTANCE, pools("forget_truth_ratio", [0.1, 0.2], [0.6, 0.5], *mirrored))
    rising = judge_metric(PROBABILITY, pools("forget_probability", [0.9, 0.8], [0.4, 0.5], *cases))
    assert falling is not None
    assert rising is not None
    assert falling.overall == pytest.approx(rising.overall)
    assert falling.counted == rising.counted


def test_what_says_nothing_of_forgetting_is_not_judged_and_what_was_not_shaken_comes_last() -> None:
    measured = pools(
        "forget_probability",
        [0.9],
        [0.4],
        *(shaken("forget_probability", *case) for case in CASES),
    )
    more = {"retain_rouge": 0.1, "rephrased": 0.2}
    models = tuple(one.model_copy(update={"metrics": one.metrics | more}) for one in measured.models)
    metrics = (
        Metric(id="retain_rouge", label="Retain"),
        Metric(id="rephrased", label="Rephrased", range=(0, 1), better="retrained"),
        PROBABILITY,
    )
    catalog = Catalog((), (), (), {}, metrics=metrics, pools={"a": measured.model_copy(update={"models": models})})
    judged = judge_metrics(catalog, "a")
    assert [one.metric.id for one in judged] == ["forget_probability", "rephrased"]
    assert (judged[1].overall, judged[1].faithfulness) == (None, 0.5)
    assert most_trusted(judged) == judged[:1]
    assert judge_metrics(catalog, "b") == ()


def test_the_file_reads_as_it_was_written_and_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    folder = tmp_path / "tasks" / "my_task"
    folder.mkdir(parents=True)
    written = pools("forget_probability", [0.9], [0.4], shaken("forget_probability", "retrained", 0.4, 0.5, 0.4, 0.8))
    (folder / "pools.json").write_text(written.to_json())
    assert read_pools(tmp_path, tmp_path) == ({"my-task": written}, [])
    (folder / "pools.json").write_text('{"command": 1}')
    read, (problem,) = read_pools(tmp_path, tmp_path)
    assert read == {}
    assert (problem.code, problem.file) == ("bad-pools", "tasks/my_task/pools.json")
    assert "unlearn bench metrics" in (problem.hint or "")


def test_no_trust_at_all_comes_before_none_that_could_be_told() -> None:
    fooled = [*CASES[:2], *((f"fooled-{number}", 0.0, 0.5, 0.4, 0.8) for number in range(ENOUGH))]
    measured = pools("forget_probability", [0.9], [0.4], *(shaken("forget_probability", *case) for case in fooled))
    models = tuple(one.model_copy(update={"metrics": one.metrics | {"rephrased": 1.0}}) for one in measured.models)
    metrics = (Metric(id="rephrased", label="Rephrased", range=(0, 1), better="retrained"), PROBABILITY)
    catalog = Catalog((), (), (), {}, metrics=metrics, pools={"a": measured.model_copy(update={"models": models})})
    judged = judge_metrics(catalog, "a")
    assert [(one.metric.id, one.overall) for one in judged] == [("forget_probability", 0.0), ("rephrased", None)]


def test_committed_pools_hold_every_method_and_seed_that_was_asked_for() -> None:
    committed, problems = read_pools(REPOSITORY / "reference_impls", REPOSITORY)
    metrics, _ = read_metrics(REPOSITORY / "reference_impls", REPOSITORY)
    assert not problems
    for measured in committed.values():
        assert sum(one.knew for one in measured.models) * 2 == len(measured.models)
        assert {"target", "retrained"} < {one.method for one in measured.shaken}
        known = {metric.id for metric in metrics}
        assert all(set(one.metrics) <= known for one in measured.models)
