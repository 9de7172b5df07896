from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import SEASONS, gradient_of, mean_logprob, token_logits

from reference_impls.methods.gradient_ascent.atwu import ATWU
from reference_impls.methods.gradient_ascent.wga import wga_loss
from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Recipe,
    Run,
    TokenLogits,
    UnlearningData,
    mean_nll,
)

NLL = (0.1, 0.5, 2.0)


def _tokens(nll: tuple[float, ...], sequence: list[int] | None = None) -> TokenLogits:
    rows = [[-loss, float(np.log1p(-np.exp(-loss)))] for loss in nll]
    return token_logits(rows, [0] * len(rows), sequence)


def _score(weights: torch.Tensor, out: TokenLogits, method: ATWU) -> torch.Tensor:
    nothing = torch.nn.Linear(2, 1)
    torch.nn.init.constant_(nothing.weight, 3.0)
    torch.nn.init.constant_(nothing.bias, 1.0)
    saturation = torch.exp(method.power * out.token_logprobs().detach())
    return method.score_loss(out, saturation, weights, nothing)


def test_the_scores_loss_is_the_hand_computed_one() -> None:
    out, weights = _tokens(NLL), torch.tensor([0.9, 0.2, 0.6])
    assert _score(weights, out, ATWU(decay=0.0)).item() == pytest.approx(0.612993, abs=1e-6)
    assert _score(weights, out, ATWU()).item() == pytest.approx(0.612993 + 0.01 * 19, abs=1e-6)
    alone = ATWU(entropy_weight=0.0, budget_weight=0.0, decay=0.0)
    assert _score(weights, out, alone).item() == pytest.approx(-0.020950, abs=1e-6)


@given(st.lists(st.floats(0.02, 0.98), min_size=3, max_size=3), st.floats(0, 1))
def test_the_scores_gradient_is_the_formulas_and_the_models_is_none(weights: list[float], budget: float) -> None:
    out = _tokens(NLL, [0, 0, 1])
    given_weights = torch.tensor(weights, dtype=torch.float64, requires_grad=True)
    _score(given_weights, out, ATWU(budget=budget)).backward()
    g, nll = np.array(weights), np.array(NLL)
    share = np.array([(g[:2] > 0.5).mean()] * 2 + [float(g[2] > 0.5)])
    expected = -np.exp(-5 * nll) * nll / 3 + np.log((1 - g) / g) / 3 + (share - budget) / [2, 2, 1]
    assert_allclose(gradient_of(given_weights), expected, atol=1e-5)
    assert out.logits.grad is None


def test_the_first_step_is_half_of_weighted_ascent(memorized: LanguageModel, data: UnlearningData) -> None:
    start = memorized.copy()
    recipe = Recipe(learning_rate=1e-4, steps=1, batch_size=3)

    def loss(model: LanguageModel, batch: Batch) -> torch.Tensor:
        forget, retain = model.token_logits(model.encode(data.forget), model.encode(data.retain[:3]))
        return wga_loss(forget, 5.0) / 2 + mean_nll(retain)

    halved = replace(data, retain=data.retain[:3])
    expected = Run(recipe).minimize(loss, start, halved)
    found = ATWU().unlearn(memorized.copy(), halved, Run(recipe))
    for one, other in zip(found.model.parameters(), expected.model.parameters(), strict=True):
        assert_allclose(one.detach(), other.detach(), atol=2e-5)


def test_weights_come_to_be_those_of_what_is_only_in_the_forget_set(
    memorized: LanguageModel, data: UnlearningData, monkeypatch: pytest.MonkeyPatch
) -> None:
    season = " ".join(SEASONS[:3])
    ids = [
        set(memorized.tokenizer(f" {one}", add_special_tokens=False)["input_ids"]) for one in (season, "of a year in")
    ]
    special = torch.tensor(sorted(ids[0] - ids[1]))
    apart, taken = [], ATWU.score_loss

    def looking(
        self: ATWU, out: TokenLogits, saturation: torch.Tensor, weights: torch.Tensor, score: torch.nn.Module
    ) -> torch.Tensor:
        secret = torch.isin(out.targets, special)
        apart.append(float((weights[secret].mean() - weights[~secret].mean()).detach()))
        return taken(self, out, saturation, weights, score)

    monkeypatch.setattr(ATWU, "score_loss", looking)
    recipe = Recipe(learning_rate=5e-4, steps=40, batch_size=3)
    unlearned = ATWU(every=1, wait=5).unlearn(memorized.copy(), data, Run(recipe))
    assert apart[0] == pytest.approx(0, abs=1e-6)
    assert max(apart) > 0.04 > -min(apart)
    assert mean_logprob(unlearned, data.forget) < mean_logprob(memorized, data.forget) - 0.2
    assert mean_logprob(unlearned, data.retain) > mean_logprob(memorized, data.retain) - 0.2
