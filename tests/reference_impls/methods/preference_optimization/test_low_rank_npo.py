from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import gradient_of, log_ratios, mean_logprob, token_logits

from reference_impls.methods.preference_optimization.low_rank_npo import LowRankNPO, true_token_divergence
from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Recipe,
    Run,
    TokenLogits,
    UnlearningData,
    mean_kl,
    npo_loss,
)


def _told(*logprobs: float) -> TokenLogits:
    """Tokens with these log-probabilities, and the rest of each place for one other token."""
    return token_logits([[value, float(np.log1p(-np.exp(value)))] for value in logprobs], [0] * len(logprobs))


def test_the_terms_are_the_hand_computed_ones() -> None:
    before, now = _told(-0.1, -0.2), _told(-0.5, -3.0)
    by_token = npo_loss(now.token_logprobs(), before.token_logprobs(), 0.5)
    assert by_token.item() == pytest.approx((2.392555 + 0.881670) / 2, abs=1e-5)
    whole = npo_loss(now.sequence_logprobs(), before.sequence_logprobs(), 0.5)
    assert whole.item() == pytest.approx(0.735603, abs=1e-5)
    nine, six = _told(float(np.log(0.9))), _told(float(np.log(0.6)))
    assert true_token_divergence(nine, six).item() == pytest.approx(0.364918, abs=1e-5)
    assert true_token_divergence(six, nine).item() < 0 < mean_kl(six, nine).item()


def test_the_divergence_has_the_gradient_of_the_retain_loss_with_weighed_tokens() -> None:
    before, now, plain = _told(-0.1, -2.0), _told(-0.5, -1.0), _told(-0.5, -1.0)
    true_token_divergence(before, now).backward()
    (-torch.tensor([-0.1, -2.0]).exp() * plain.token_logprobs()).mean().backward()
    assert_allclose(gradient_of(now.logits), gradient_of(plain.logits), atol=1e-6)


def _loss(method: LowRankNPO, model: LanguageModel, before: LanguageModel, data: UnlearningData) -> float:
    with torch.no_grad():
        return method.loss(model, Batch(model.encode(data.forget), model.encode(data.retain), before)).item()


@pytest.mark.parametrize("divergence", ["true-token", "whole"])
def test_loss_of_a_model_is_the_formula_over_all_tokens_of_a_batch(
    divergence: str, tiny: LanguageModel, memorized: LanguageModel, data: UnlearningData
) -> None:
    (then, now), (held, kept) = (
        [torch.cat(model.pair_logprobs(pairs)).double().numpy() for model in (memorized, tiny)]
        for pairs in (data.forget, data.retain)
    )
    whole = np.concatenate(
        [
            (np.exp(one) * (one - other)).sum(axis=1)
            for one, other in zip(*(_distributions(model, data) for model in (memorized, tiny)), strict=True)
        ]
    )
    each = whole if divergence == "whole" else np.exp(held) * (held - kept)
    by_answer = [len(one) for one in memorized.pair_logprobs(data.retain)]
    # The toolkit's divergence counts each answer alike; the code's summand counts each token alike.
    parts = np.split(each, np.cumsum(by_answer)[:-1])
    diverged = np.mean([part.mean() for part in parts]) if divergence == "whole" else each.mean()
    expected = 2 / 0.3 * np.logaddexp(0, 0.3 * (now - then)).mean() - 2 * kept.mean() + 0.7 * diverged
    method = LowRankNPO(beta=0.3, retain_weight=2.0, divergence_weight=0.7, divergence=divergence)
    assert _loss(method, tiny, memorized, data) == pytest.approx(float(expected), rel=1e-4)


def _distributions(model: LanguageModel, data: UnlearningData) -> list[np.ndarray]:
    """(T, V) log-probabilities at the tokens of each retain answer."""
    asked = [pair.prompt for pair in data.retain], [pair.answer for pair in data.retain]
    return [one.logprobs.double().numpy() for one in model.distributions(*asked)]


def test_the_reference_is_the_network_without_its_adapters_and_stays_what_it_was(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    known = [torch.cat(memorized.pair_logprobs(data.forget)).numpy() for _ in range(2)]
    losses: list[float] = []

    class Watched(LowRankNPO):
        def loss(self, model: LanguageModel, batch: Batch) -> torch.Tensor:
            assert batch.before.model is model.model
            known[1] = torch.cat(batch.before.pair_logprobs(data.forget)).numpy()
            value = super().loss(model, batch)
            losses.append(value.item())
            return value

    recipe = Recipe(learning_rate=1e-2, steps=12, batch_size=3)
    method = Watched(rank=2, alpha=2.0, divergence_weight=1.0)
    unlearned = method.unlearn(memorized.copy(), data, Run(recipe))
    assert_allclose(known[1], known[0], atol=1e-5)
    start = 2 / 0.5 * np.log(2)
    assert start < losses[0] < start + 0.5  # the retain loss is all that is added at first
    assert (log_ratios(unlearned, memorized, data.forget) < -5).all()
    assert mean_logprob(unlearned, data.retain) > mean_logprob(unlearned, data.forget) + 1
    before = dict(memorized.model.named_parameters())
    for name, weight in unlearned.model.named_parameters():
        change = (weight - before[name]).detach()
        if change.ndim == 2:
            assert int(torch.linalg.matrix_rank(change, tol=1e-4)) <= 2, name
