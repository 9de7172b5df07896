from __future__ import annotations

from typing import cast

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import FORGET_LOGITS, FORGET_TARGETS, RETAIN_LOGITS, RETAIN_TARGETS, gradient_of, token_logits

from reference_impls.methods.gradient_ascent.grad_diff import GradDiff
from reference_impls.methods.gradient_ascent.gradient_ascent import GradientAscent
from reference_impls.toolkit import Batch, Encoded, LanguageModel, Recipe, Run, TokenLogits, UnlearningData, mean_nll


class _Toy:
    """Gives the toy's logits in place of a model's."""

    def __init__(self, *outputs: TokenLogits) -> None:
        self.outputs = outputs

    def token_logits(self, *batches: Encoded) -> tuple[TokenLogits, ...]:
        assert len(batches) == len(self.outputs)
        return self.outputs


def _loss(method: GradDiff, forget: TokenLogits, retain: TokenLogits) -> torch.Tensor:
    ids = torch.zeros(1, 1, dtype=torch.long)
    nothing = Encoded(ids, ids, ids, rows=torch.zeros(1))
    return method.loss(cast(LanguageModel, _Toy(forget, retain)), Batch(nothing, nothing, None))


def test_loss_on_the_toy_is_the_hand_computed_difference() -> None:
    forget, retain = token_logits(FORGET_LOGITS, FORGET_TARGETS), token_logits(RETAIN_LOGITS, RETAIN_TARGETS)
    assert _loss(GradDiff(), forget, retain).item() == pytest.approx(0.155950, abs=1e-6)


@pytest.mark.parametrize(("gamma", "alpha"), [(0.0, 1.0), (1.0, 0.0), (2.0, 3.0)])
def test_weights_scale_their_own_term(gamma: float, alpha: float) -> None:
    forget, retain = token_logits(FORGET_LOGITS, FORGET_TARGETS), token_logits(RETAIN_LOGITS, RETAIN_TARGETS)
    value = _loss(GradDiff(forget_weight=gamma, retain_weight=alpha), forget, retain).item()
    assert value == pytest.approx(-gamma * 0.395495 + alpha * 0.551445, abs=1e-5)


def test_one_batch_in_both_roles_has_loss_and_gradient_zero(fresh: LanguageModel, data: UnlearningData) -> None:
    batch = fresh.encode(data.forget)
    value = GradDiff().loss(fresh, Batch(batch, batch, None))
    value.backward()
    largest = max(float(p.grad.abs().max()) for p in fresh.model.parameters() if p.grad is not None)
    assert value.item() == pytest.approx(0.0, abs=1e-6)
    assert largest < 1e-6


def test_loss_of_a_model_is_that_of_its_two_sets(tiny: LanguageModel, data: UnlearningData) -> None:
    with torch.no_grad():
        value = GradDiff().loss(tiny, Batch(tiny.encode(data.forget), tiny.encode(data.retain), None)).item()
    nll = [np.mean([float(-x.mean()) for x in tiny.pair_logprobs(part)]) for part in (data.forget, data.retain)]
    assert value == pytest.approx(nll[1] - nll[0], abs=1e-5)


def test_gradient_of_the_retain_term_is_that_of_descent() -> None:
    forget, retain = token_logits(FORGET_LOGITS, FORGET_TARGETS), token_logits(RETAIN_LOGITS, RETAIN_TARGETS)
    alone = token_logits(RETAIN_LOGITS, RETAIN_TARGETS)
    _loss(GradDiff(), forget, retain).backward()
    mean_nll(alone).backward()
    assert_allclose(gradient_of(retain.logits), gradient_of(alone.logits))


def test_what_ascent_alone_loses_of_the_retain_set_is_kept_while_the_forget_set_goes(
    learned: LanguageModel, data: UnlearningData
) -> None:
    recipe = Recipe(learning_rate=5e-4, steps=30)
    unlearned, ascended = (one.unlearn(learned.copy(), data, Run(recipe)) for one in (GradDiff(), GradientAscent()))
    forgotten, kept = (float(torch.cat(unlearned.pair_logprobs(one)).mean()) for one in (data.forget, data.retain))
    assert forgotten < float(torch.cat(learned.pair_logprobs(data.forget)).mean()) - 3
    assert kept > float(torch.cat(ascended.pair_logprobs(data.retain)).mean()) + 3
