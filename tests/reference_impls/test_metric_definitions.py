"""``metrics.yaml`` tells people what the numbers mean, so it must cover them and be right about their ranges."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml
from unlearning_toys import invented_pairs

from reference_impls.measuring.comparison import compare
from reference_impls.running.attacking import attack_all
from reference_impls.running.registry import PACKAGE, attacks, find_task
from reference_impls.toolkit import LanguageModel, Splits, Wrapped, evaluate

DEFINITIONS: list[dict[str, Any]] = yaml.safe_load((PACKAGE / "metrics" / "metrics.yaml").read_text("utf-8"))


def test_no_metric_is_defined_twice() -> None:
    names = [one["id"] for one in DEFINITIONS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("one", DEFINITIONS, ids=lambda one: one["id"])
def test_a_definition_says_all_that_a_reader_needs(one: dict[str, Any]) -> None:
    assert set(one) - {"against", "detail", "scale", "passed"} == {
        "id",
        "label",
        "definition",
        "range",
        "better",
        "source",
    }
    assert one["better"] in ("higher", "lower", "retrained")
    assert one["range"][0] < one["range"][1]
    assert one["definition"].endswith(".")


def test_all_that_the_evaluation_measures_is_defined(tiny: LanguageModel, learned: LanguageModel) -> None:
    pairs = tuple(
        type(pair)(pair.prompt, pair.answer, paraphrase=pair.answer, perturbed=(" No.", " Never."))
        for pair in invented_pairs()
    )
    splits = Splits(forget=pairs[:2], retain=pairs[2:4], holdout=pairs[4:6], facts=pairs[6:])
    measured = evaluate(tiny, splits, 2, {"truth_ratios": [0.5, 0.6]}).metrics
    measured |= compare(tiny, learned, tiny, splits, 2)
    defined = {one["id"]: one["range"] for one in DEFINITIONS}
    assert set(measured) <= set(defined)
    for name, value in measured.items():
        assert defined[name][0] <= value <= defined[name][1], name


def test_all_that_attacks_measure_is_defined(tiny: LanguageModel) -> None:
    pairs = tuple(replace(pair, rephrased_prompt=f"{pair.prompt} Say.") for pair in invented_pairs())
    splits = Splits(forget=pairs[:4], retain=pairs[4:6], holdout=pairs[6:], facts=pairs[:2])
    defined = {one["id"]: one["range"] for one in DEFINITIONS}
    around = Wrapped()
    around.model = tiny
    for attack in attacks():
        # Something must be around the weights before it can be taken away.
        model = around if attack.id == "unwrapping" else tiny
        measured = attack_all(model, find_task("authors"), splits, seed=0, chosen=[attack], reference=tiny)
        assert measured, attack.id
        for name, value in measured.items():
            assert defined[name][0] <= value <= defined[name][1], name
