from __future__ import annotations

from dataclasses import replace
from statistics import mean

import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import fingerprint, invented_pairs, mean_logprob

from reference_impls.methods.modular.sisa import SISA, ModelEnsemble
from reference_impls.toolkit import Kept, LanguageModel, Recipe, Run, UnlearningData, place_of

RECIPE = Recipe(learning_rate=3e-3, steps=12, batch_size=2)


@pytest.mark.parametrize(("shards", "slices"), [(1, 1), (1, 3), (5, 3), (2, 4)])
def test_stages_of_all_shards_come_to_the_steps_of_one_training(shards: int, slices: int) -> None:
    method, steps = SISA(shards=shards, slices=slices), 120
    stages = [method.steps(stage, steps) for stage in range(slices)]
    # e' = 2e / (R + 1) epochs each, on r of R slices: e in all.
    epochs = [stage / (steps / shards) * slices / (place + 1) for place, stage in enumerate(stages)]
    assert_allclose(epochs, 2 / (slices + 1), rtol=0.02)
    assert shards * sum(stages) == steps


def test_a_request_at_random_costs_two_thirds_and_a_bit() -> None:
    for slices, share in ((1, 1.0), (2, 5 / 6), (3, 7 / 9), (4, 0.75)):
        method = SISA(shards=1, slices=slices)
        each = [method.steps(stage, 120_000) / 120_000 for stage in range(slices)]
        assert mean(sum(each[first:]) for first in range(slices)) == pytest.approx(share, abs=1e-4)


def test_deleting_is_to_the_bit_never_having_trained_on_it(tiny: LanguageModel) -> None:
    pairs, method = invented_pairs(), SISA(shards=2, slices=2)
    run = Run(RECIPE, seed=5)
    ensemble = method.learn(tiny, pairs, run)
    learned = [[fingerprint(model.model) for model in stages] for stages in ensemble.stages]
    request = next(pair for pair in pairs if place_of(pair, 2, 2)[1] == 1)
    method.delete(ensemble, [request], run)
    now = [[fingerprint(model.model) for model in stages] for stages in ensemble.stages]

    never = method.learn(tiny, [pair for pair in pairs if pair != request], Run(RECIPE, seed=5))
    assert now == [[fingerprint(model.model) for model in stages] for stages in never.stages]
    touched, place = place_of(request, 2, 2)
    changed = [(k, r) for k in range(2) for r in range(2) if now[k][r] != learned[k][r]]
    assert changed == [(touched, place)]  # the slices before it and the other shard are as they were


def test_all_that_can_be_deleted_leaves_the_start(tiny: LanguageModel, data: UnlearningData) -> None:
    ensemble = SISA(shards=2, slices=1).unlearn(tiny, replace(data, retain=()), Run(RECIPE))
    asked = ([pair.prompt for pair in data.forget], [pair.answer for pair in data.forget])
    for one, other in zip(ensemble.answer_logprobs(*asked), tiny.answer_logprobs(*asked), strict=True):
        assert_allclose(one, other, atol=1e-5)


def test_the_deleted_pairs_are_unlearned_and_the_others_kept(tiny: LanguageModel, data: UnlearningData) -> None:
    run = Run(Recipe(learning_rate=3e-3, steps=40, batch_size=8), earlier=tiny.copy)
    method = SISA(shards=1, slices=2)
    ensemble = method.learn(tiny, [*data.forget, *data.retain], run)
    forget, retain = mean_logprob(ensemble, data.forget), mean_logprob(ensemble, data.retain)
    method.delete(ensemble, data.forget, run)
    assert mean_logprob(ensemble, data.forget) < forget - 0.3
    assert mean_logprob(ensemble, data.retain) > retain - 0.1


def test_what_one_shard_knows_the_others_dilute(tiny: LanguageModel) -> None:
    pairs, recipe = invented_pairs(), Recipe(learning_rate=3e-3, steps=40, batch_size=8)
    one, four = (SISA(shards=shards, slices=1).learn(tiny, pairs, Run(recipe)) for shards in (1, 4))
    assert mean_logprob(four, pairs) < mean_logprob(one, pairs) - 0.2


def test_the_models_come_back_with_what_was_kept(tiny: LanguageModel, data: UnlearningData) -> None:
    before = fingerprint(tiny.model)
    ensemble = SISA(shards=2, slices=1).unlearn(tiny, data, Run(replace(RECIPE, steps=4)))
    assert fingerprint(ensemble.model.model) == before
    again = ModelEnsemble.of(tiny, Kept(ensemble.to_json(), ensemble.tensors()))
    asked = ([pair.prompt for pair in data.retain], [pair.answer for pair in data.retain])
    for first, second in zip(ensemble.answer_logprobs(*asked), again.answer_logprobs(*asked), strict=True):
        assert torch.equal(first, second)
    assert ensemble.generate(asked[0], 5) == again.generate(asked[0], 5)
