from __future__ import annotations

import numpy as np
import pytest
import torch
from unlearning_toys import mean_logprob, softmax

from reference_impls.methods.localization.flu import FLU
from reference_impls.toolkit import Batch, LanguageModel, Recipe, Run, UnlearningData


def test_the_loss_is_the_formula_over_both_sets(tiny: LanguageModel, data: UnlearningData) -> None:
    batch = Batch(tiny.encode(data.forget), tiny.encode(data.retain), None)
    with torch.no_grad():
        forget, retain = tiny.token_logits(batch.forget, batch.retain)
        value = FLU(forget_weight=0.5).loss(tiny, batch).item()
    terms = []
    for out, forgets in ((forget, True), (retain, False)):
        true = softmax(out.logits.numpy())[np.arange(len(out.targets)), out.targets.numpy()]
        values = -np.log(1 - true) * (np.log(true) >= -5) if forgets else -np.log(true)
        terms.append(np.mean([values[out.sequence.numpy() == row].mean() for row in range(out.sequences)]))
    assert value == pytest.approx(0.5 * terms[0] + terms[1], abs=1e-5)


@pytest.mark.parametrize(
    ("depth", "window", "blocks"), [(0.26, 6, [0, 1]), (0.0, 1, [0]), (1.0, 2, [2, 3]), (1.0, 99, [0, 1, 2, 3])]
)
def test_only_the_mlps_of_the_window_train(depth: float, window: int, blocks: list[int], tiny: LanguageModel) -> None:
    named = {id(weight): name for name, weight in tiny.model.named_parameters()}
    trained = {named[id(weight)] for weight in FLU(depth=depth, window=window).trainable(tiny)}
    sides = ("gate_proj", "up_proj", "down_proj")
    assert trained == {f"model.layers.{block}.mlp.{side}.weight" for block in blocks for side in sides}


@pytest.fixture(scope="module")
def unlearned(memorized: LanguageModel, data: UnlearningData) -> LanguageModel:
    recipe = Recipe(learning_rate=3e-3, steps=12, batch_size=4, weight_decay=0.1)
    return FLU().unlearn(memorized.copy(), data, Run(recipe))


def test_all_other_weights_stay_to_the_bit(memorized: LanguageModel, unlearned: LanguageModel) -> None:
    before = dict(memorized.model.named_parameters())
    changed = {name for name, weight in unlearned.model.named_parameters() if not torch.equal(weight, before[name])}
    assert len(changed) == 6
    assert all(name.startswith(("model.layers.0.mlp", "model.layers.1.mlp")) for name in changed)


def test_answers_are_forgotten_and_others_kept(
    memorized: LanguageModel, unlearned: LanguageModel, data: UnlearningData
) -> None:
    forgotten, kept = (
        mean_logprob(memorized, pairs) - mean_logprob(unlearned, pairs) for pairs in (data.forget, data.retain)
    )
    assert forgotten > 1
    assert forgotten > 4 * kept
