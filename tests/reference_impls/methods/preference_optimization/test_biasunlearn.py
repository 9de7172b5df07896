from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from unlearning_toys import SEASONS, fingerprint, mean_logprob

from reference_impls.methods.preference_optimization import biasunlearn
from reference_impls.methods.preference_optimization.biasunlearn import BiasUnlearn, preferred
from reference_impls.toolkit import Batch, LanguageModel, Pair, Recipe, Run, UnlearningData

RECIPE = Recipe(learning_rate=1e-3, steps=12, batch_size=4)


def with_seasons(data: UnlearningData) -> UnlearningData:
    """The other seasons as false answers to each question."""

    def asked(pair: Pair) -> Pair:
        true = next(season for season in SEASONS if season in pair.answer)
        return replace(pair, alternates=tuple(pair.answer.replace(true, one) for one in SEASONS if one != true))

    return replace(data, forget=tuple(asked(pair) for pair in data.forget))


class _Scored(LanguageModel):
    """Answers with the log-probabilities that are in their text."""

    def __init__(self) -> None:
        pass

    def pair_logprobs(self, pairs: list[Pair]) -> list[torch.Tensor]:  # type: ignore[override]
        return [torch.tensor([float(word) for word in pair.answer.split()]) for pair in pairs]


def test_the_score_counts_comparisons_of_mean_tokens_and_ties_as_half() -> None:
    pairs = [Pair("?", "-1 -3", alternates=("-2", "-3 -3 -3")), Pair("?", "-5", alternates=("-1 -1 -1",))]
    assert preferred(_Scored(), pairs) == pytest.approx((0.5 + 1 + 0) / 3)


def losses(
    method: BiasUnlearn, model: LanguageModel, before: LanguageModel, data: UnlearningData, scores: list[float]
) -> list[float]:
    """The losses of steps on one batch before which the model scored so; the last score ends it."""
    values: list[float] = []

    def minimize(run: Run, loss: Any, model: LanguageModel, data: UnlearningData, *rest: Any, **options: Any) -> None:
        alternate = [replace(pair, answer=pair.alternates[0]) for pair in data.forget[:3]]
        sets = model.encode(data.forget[:3]), model.encode(data.retain), before.frozen(), model.encode(alternate)
        while not options["finished"](0):
            values.append(float(loss(model, Batch(*sets))))

    score = patch.object(biasunlearn, "preferred", lambda model, pairs: scores.pop(0))
    with patch.object(Run, "minimize", minimize), score, torch.no_grad():
        method.unlearn(model, data, Run(RECIPE))
    return values


def formula(model: LanguageModel, before: LanguageModel, push: list[Pair], pull: list[Pair]) -> float:
    """The first two terms in numpy, with the default weights."""
    now, then = ([float(one.mean()) for one in which.pair_logprobs(push)] for which in (model, before))
    nll = np.mean([-float(one.mean()) for one in model.pair_logprobs(pull)])
    return float(0.5 * np.mean(20 * np.logaddexp(0, 0.1 * np.subtract(now, then))) + 0.3 * nll)


def test_the_loss_is_the_formula_and_turning_exchanges_the_roles_alone(
    tiny: LanguageModel, memorized: LanguageModel, data: UnlearningData
) -> None:
    asked = with_seasons(data)
    true, false = list(asked.forget), [replace(pair, answer=pair.alternates[0]) for pair in asked.forget]
    expected = [formula(memorized, tiny, *sets) for sets in ((true, false), (false, true))]
    plain = BiasUnlearn(kl_weight=0.0, adversarial=0.0)
    assert losses(plain, memorized, tiny, asked, [1.0, 0.2, 0.7, 0.5]) == pytest.approx(
        [expected[0], expected[1], expected[0]], rel=1e-4
    )
    stays = replace(plain, swap=False)
    assert losses(stays, memorized, tiny, asked, [1.0, 0.2, 0.51]) == pytest.approx([expected[0]] * 2, rel=1e-4)
    start = 0.5 * 20 * np.log(2) + 0.3 * -np.mean([float(one.mean()) for one in memorized.pair_logprobs(false)])
    assert losses(BiasUnlearn(adversarial=0.0), memorized, memorized, asked, [0.9, 0.5]) == pytest.approx(
        [start], rel=1e-4
    )


def test_one_question_in_four_comes_again_with_a_false_answer_to_push(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    seen: list[UnlearningData] = []
    many = replace(with_seasons(data), forget=with_seasons(data).forget * 4)
    with patch.object(Run, "minimize", lambda self, loss, model, data, *rest, **options: seen.append(data)):
        BiasUnlearn(answers=2).unlearn(memorized, many, Run(RECIPE))
    (trained,) = seen
    assert [pair.answer for pair in trained.forget[:12]] == [pair.answer for pair in many.forget]
    assert len(trained.forget) == 15
    assert all(pair.answer == pair.alternates[0] for pair in trained.forget[12:])


def test_a_model_that_prefers_nothing_is_left_alone(tiny: LanguageModel, data: UnlearningData) -> None:
    run = Run(RECIPE)
    still = BiasUnlearn(band=0.5).unlearn(tiny.copy(), with_seasons(data), run)
    assert fingerprint(still.model) == fingerprint(tiny.model)
    assert run.stopped == 0


def test_it_ends_where_truth_and_invention_are_alike(memorized: LanguageModel, data: UnlearningData) -> None:
    asked = with_seasons(data)
    run = Run(replace(RECIPE, learning_rate=5e-4, steps=40))
    after = BiasUnlearn(band=0.2).unlearn(memorized.copy(), asked, run)
    assert run.stopped
    false = [replace(pair, answer=pair.alternates[0]) for pair in asked.forget]
    ahead = [mean_logprob(model, asked.forget) - mean_logprob(model, false) for model in (memorized, after)]
    assert abs(ahead[1]) < ahead[0] / 2
