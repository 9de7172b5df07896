from __future__ import annotations

from typing import Any

import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob

from reference_impls.methods.gradient_ascent.grad_diff import GradDiff
from reference_impls.methods.gradient_ascent.gradient_ascent import GradientAscent
from reference_impls.methods.preference_optimization.npo import NPO
from reference_impls.methods.task_arithmetic.uipe import UIPE
from reference_impls.toolkit import LanguageModel, Method, Pair, Recipe, Run, UnlearningData

RECIPE = Recipe(learning_rate=1e-3, steps=2, batch_size=3)


@pytest.mark.parametrize(
    ("settings", "method"),
    [
        ({"objective": "ascent", "retain_weight": 0.0}, GradientAscent()),
        ({"objective": "ascent", "retain_weight": 2.0}, GradDiff(retain_weight=2.0)),
        ({"objective": "npo", "beta": 0.3, "retain_weight": 2.0}, NPO(beta=0.3, retain_weight=2.0)),
    ],
)
def test_without_extrapolation_it_is_the_method_that_it_is_put_behind(
    tiny: LanguageModel, data: UnlearningData, settings: dict[str, Any], method: Method
) -> None:
    here = UIPE(extrapolation=0.0, **settings).unlearn(tiny.copy(), data, Run(RECIPE, seed=3))
    there: Any = method.unlearn(tiny.copy(), data, Run(RECIPE, seed=3))
    for one, other in zip(here.model.parameters(), there.model.parameters(), strict=True):
        assert_allclose(one.detach(), other.detach(), atol=1e-6)


def test_it_goes_on_by_a_share_of_the_way(
    fresh: LanguageModel, data: UnlearningData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By hand: weights at 1 and 2, unlearned to 1.2 and 1.9, end at 1.3 and 1.85 with half of the way added."""
    weights = dict(fresh.model.named_parameters())
    up, down, still = "model.embed_tokens.weight", "model.norm.weight", "model.layers.0.input_layernorm.weight"
    before = {name: weights[name].detach().clone() for name in (up, down, still)}

    def minimize(run: Run, loss: Any, model: LanguageModel, *_: Any, **__: Any) -> LanguageModel:
        with torch.no_grad():
            weights[up] += 0.2
            weights[down] -= 0.1
        return model

    monkeypatch.setattr(Run, "minimize", minimize)
    UIPE(extrapolation=0.5).unlearn(fresh, data, Run(RECIPE))
    for name, moved in ((up, 0.3), (down, -0.15), (still, 0.0)):
        assert_allclose((weights[name] - before[name]).detach(), torch.full_like(before[name], moved), atol=1e-6)


def test_what_is_asked_otherwise_is_forgotten_with_what_was_named_and_the_further_the_more(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    """The same facts behind other questions, which nobody listed."""
    others = [Pair(pair.prompt.replace("Question: ", "Question: Well, "), pair.answer) for pair in data.forget]
    recipe = Recipe(learning_rate=5e-4, steps=4, batch_size=3)
    known = [
        mean_logprob(UIPE(extrapolation=alpha, retain_weight=0.0).unlearn(memorized.copy(), data, Run(recipe)), others)
        for alpha in (0.0, 0.5, 1.0)
    ]
    assert mean_logprob(memorized, others) - 0.2 > known[0] > known[1] + 0.2 > known[2] + 0.4
