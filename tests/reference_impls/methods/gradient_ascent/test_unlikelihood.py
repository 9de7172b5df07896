from __future__ import annotations

import numpy as np
import pytest
import torch
from unlearning_toys import answer_probabilities, mean_logprob

from reference_impls.methods.gradient_ascent.grad_diff import GradDiff
from reference_impls.methods.gradient_ascent.unlikelihood import Unlikelihood
from reference_impls.toolkit import Batch, LanguageModel, Recipe, Run, UnlearningData


def test_loss_of_a_model_is_the_formula(memorized: LanguageModel, data: UnlearningData) -> None:
    batch = Batch(memorized.encode(data.forget), memorized.encode(data.retain), None)
    with torch.no_grad():
        value = Unlikelihood(retain_weight=3.0).loss(memorized, batch).item()
    gone = np.mean([-np.log1p(-np.exp(one.double().numpy())).mean() for one in memorized.pair_logprobs(data.forget)])
    kept = np.mean([-float(one.mean()) for one in memorized.pair_logprobs(data.retain)])
    assert value == pytest.approx(gone + 3 * kept, rel=1e-4)


def test_it_comes_to_rest_where_ascent_runs_away(memorized: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=1e-3, steps=30, batch_size=4)
    resting = Unlikelihood().unlearn(memorized.copy(), data, Run(recipe))
    running = GradDiff().unlearn(memorized.copy(), data, Run(recipe))
    known = mean_logprob(memorized, data.forget)
    assert mean_logprob(running, data.forget) < mean_logprob(resting, data.forget) < known - 1
    kept, harmed = (answer_probabilities(one, data.retain).mean() for one in (resting, running))
    assert kept > harmed
