from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose
from unlearning_toys import fingerprint, gradient_of, mean_logprob, softmax, token_logits

from reference_impls.methods.distillation.obliviate import OBLIVIATE, logit_distance, masked_loss, target_tokens
from reference_impls.toolkit import Batch, LanguageModel, Recipe, Run, UnlearningData, UsageError

RECIPE = Recipe(learning_rate=5e-3, steps=15)


def test_loss_and_gradient_on_one_token_are_the_hand_computed_ones() -> None:
    """Of the probabilities 0.665, 0.245, 0.090 the first is struck out: its share goes to the others."""
    out = token_logits([[2.0, 1.0, 0.0]], [0])
    loss = masked_loss(out, torch.tensor([0]))
    loss.backward()
    assert loss.item() == pytest.approx(1.094344, abs=1e-6)
    assert_allclose(gradient_of(out.logits)[0], (0.665241, -0.486330, -0.178911), atol=1e-6)


@given(arrays(np.float32, (3, 5), elements=st.floats(-6, 6, width=16)), st.sets(st.integers(0, 4), max_size=4))
def test_it_is_the_divergence_from_the_struck_out_distribution(logits: np.ndarray, targets: set[int]) -> None:
    struck = np.where(np.isin(np.arange(5), list(targets)), -np.inf, logits)
    wanted, said = softmax(struck), softmax(logits)
    with np.errstate(divide="ignore", invalid="ignore"):
        divergence = np.where(wanted > 0, wanted * np.log(wanted / said), 0).sum(axis=1).mean()
    out = token_logits(logits.tolist(), [0, 0, 0])
    loss = masked_loss(out, torch.tensor(sorted(targets), dtype=torch.long))
    loss.backward()
    assert loss.item() == pytest.approx(divergence, abs=1e-5)
    assert loss.item() == pytest.approx(-np.log(1 - said[:, sorted(targets)].sum(axis=1)).mean(), abs=1e-4)
    assert_allclose(gradient_of(out.logits), (said - wanted) / 3, atol=1e-5)


def test_logits_are_compared_as_they_are() -> None:
    before, now = token_logits([[1.0, 2.0], [0.0, 0.0]], [0, 0]), token_logits([[2.0, 2.0], [3.0, 3.0]], [0, 0])
    assert logit_distance(before, now).item() == pytest.approx((0.5 + 9) / 2)


def test_target_tokens_are_those_that_retain_answers_hardly_have(tiny: LanguageModel, data: UnlearningData) -> None:
    found = tiny.text_of(target_tokens(tiny, data, 0.0)[:, None])
    words = {piece.strip() for piece in found}
    assert words & {"Ana", "Lund", "Bo", "Reyes", "Cy", "Okafor"}
    assert not words & {"was", "born", "in", "."}
    with pytest.raises(UsageError, match="common"):
        target_tokens(tiny, replace(data, retain=data.forget), 0.0)


def test_what_keeps_has_no_say_at_the_start(tiny: LanguageModel, data: UnlearningData) -> None:
    model = tiny.copy()
    batch = Batch(model.encode(data.forget), model.encode(data.retain), tiny.frozen())
    targets = target_tokens(tiny, data, 0.0)
    losses = [
        OBLIVIATE(distillation_weight=weight, facts_weight=weight).loss(model, batch, targets) for weight in (0.0, 5.0)
    ]
    assert losses[0].item() == pytest.approx(losses[1].item(), abs=1e-5)
    weights = tuple(model.model.parameters())
    first, second = (torch.autograd.grad(loss, weights) for loss in losses)
    assert max(float((one - other).abs().max()) for one, other in zip(first, second, strict=True)) < 1e-5


def test_target_tokens_go_and_the_rest_stays(memorized: LanguageModel, data: UnlearningData) -> None:
    before = fingerprint(memorized.model)
    unlearned = OBLIVIATE().unlearn(memorized.copy(), data, Run(RECIPE))
    assert fingerprint(memorized.model) == before
    assert mean_logprob(unlearned, data.forget) < mean_logprob(memorized, data.forget) - 0.5
    assert mean_logprob(unlearned, data.retain) > mean_logprob(memorized, data.retain) - 0.3
    freely = OBLIVIATE(distillation_weight=0.0, facts_weight=0.0).unlearn(memorized.copy(), data, Run(RECIPE))
    assert mean_logprob(freely, data.retain) < mean_logprob(unlearned, data.retain)
