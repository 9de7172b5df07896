from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import fingerprint, mean_logprob

from reference_impls.methods.second_order.fisher_forgetting import FisherForgetting, perturb
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData


def test_the_noise_has_the_deviation_worked_out_by_hand_and_no_mean() -> None:
    importance = torch.tensor([1e-4, 1.0]).repeat(20_000, 1)
    weight = torch.full_like(importance, 3.0)
    torch.manual_seed(0)
    perturb([weight], [importance], 1e-8**0.25)
    assert_allclose(weight.std(dim=0), (0.1, 0.01), rtol=0.02)
    assert_allclose(weight.mean(dim=0), 3.0, atol=0.003)


@given(st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=6), st.floats(0, 10), st.integers(0, 2**16))
def test_a_draw_is_the_same_times_its_deviation(importance: list[float], noise: float, seed: int) -> None:
    weight = torch.zeros(len(importance), dtype=torch.float64)
    torch.manual_seed(seed)
    perturb([weight], [torch.tensor(importance, dtype=torch.float64)], noise)
    torch.manual_seed(seed)
    drawn = torch.randn(len(importance), dtype=torch.float64).numpy()
    assert_allclose(weight, noise * np.asarray(importance) ** -0.25 * drawn, rtol=1e-9)


def test_without_noise_nothing_changes_and_the_seed_decides_the_rest(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    def after(noise: float, seed: int) -> str:
        unlearned = FisherForgetting(noise=noise).unlearn(memorized.copy(), data, Run(Recipe(), seed=seed))
        return fingerprint(unlearned.model)

    assert after(0.0, 1) == fingerprint(memorized.model)
    assert after(0.001, 1) == after(0.001, 1) != after(0.001, 2)


def test_what_the_retain_set_needs_is_spared_where_noise_of_the_same_size_spares_nothing(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    """The paper's claim, against noise that is the same in all weights and moves them as far altogether."""
    unlearned = FisherForgetting(noise=0.002, damping=0.01).unlearn(memorized.copy(), data, Run(Recipe(), seed=1))
    alike, moved, count = memorized.copy(), 0.0, 0
    with torch.no_grad():
        for weight, before in zip(unlearned.model.parameters(), memorized.model.parameters(), strict=True):
            moved, count = moved + float((weight - before).square().sum()), count + weight.numel()
        torch.manual_seed(1)
        for weight in alike.model.parameters():
            weight += (moved / count) ** 0.5 * torch.randn_like(weight)
    before_it = mean_logprob(memorized, data.retain)
    harm, harm_alike = (before_it - mean_logprob(one, data.retain) for one in (unlearned, alike))
    assert mean_logprob(unlearned, data.forget) < mean_logprob(memorized, data.forget)
    assert harm < harm_alike, (harm, harm_alike)
