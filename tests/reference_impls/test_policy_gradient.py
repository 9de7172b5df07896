from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import gradient_of

from reference_impls.toolkit import (
    LanguageModel,
    Pair,
    Recipe,
    Run,
    UnlearningData,
    clipped_objective,
    group_advantages,
    grpo_loss,
    kl_estimate,
    sampled_groups,
    trained_weights,
    written_answers,
)


@pytest.mark.parametrize(
    ("rewards", "advantages"),
    [
        ((1.0, 0.0, 0.0, 0.0), (1.5, -0.5, -0.5, -0.5)),
        ((1.0, math.exp(-1), math.exp(-2), 1.0), (0.845849, -0.583023, -1.108676, 0.845849)),
        ((1.0, 0.2, 0.0, 0.2), (1.465709, -0.338240, -0.789228, -0.338240)),
        ((0.3, 0.3, 0.3, 0.3), (0.0, 0.0, 0.0, 0.0)),
    ],
)
def test_an_advantage_is_how_much_better_than_the_group(
    rewards: tuple[float, ...], advantages: tuple[float, ...]
) -> None:
    other = (5.0, 7.0, 5.0, 7.0)  # groups know nothing of each other
    both = group_advantages(torch.tensor(rewards + other), 4)
    assert_allclose(both[:4], advantages, atol=2e-5)
    assert_allclose(both[4:], math.sqrt(3) / 2 * np.array([-1, 1, -1, 1]), atol=1e-5)


@given(st.lists(st.integers(0, 8), min_size=4, max_size=4), st.integers(1, 5), st.integers(-4, 4))
def test_neither_scale_nor_offset_of_rewards_matters(rewards: list[int], scale: int, offset: int) -> None:
    earned = torch.tensor([one / 8 for one in rewards], dtype=torch.float64)
    assert_allclose(group_advantages(scale * earned + offset, 4), group_advantages(earned, 4), atol=1e-4)


@pytest.mark.parametrize(
    ("ratio", "advantage", "objective", "pulls"),
    [
        (1.5, 1.0, 1.2, False),
        (1.5, -1.0, -1.5, True),
        (0.5, 1.0, 0.5, True),
        (0.5, -1.0, -0.8, False),
        (0.740818, 1.0, 0.740818, True),
        (0.740818, -1.0, -0.8, False),
    ],
)
def test_the_ratio_is_clipped_where_it_has_gone_far_enough(
    ratio: float, advantage: float, objective: float, pulls: bool
) -> None:
    logprob = torch.tensor([ratio]).log().requires_grad_(True)
    clipped = clipped_objective(logprob, torch.zeros(1), torch.tensor([advantage]), 0.2).mean()
    clipped.backward()
    assert clipped.item() == pytest.approx(objective, abs=1e-6)
    assert float(gradient_of(logprob)) == pytest.approx(ratio * advantage if pulls else 0.0, abs=1e-6)


def test_the_first_step_is_the_plain_policy_gradient() -> None:
    logprobs = torch.tensor([-1.0, -2.0, -0.5], requires_grad=True)
    advantages = torch.tensor([1.0, -2.0, 0.5])
    clipped_objective(logprobs, logprobs.detach(), advantages, 0.2).sum().backward()
    assert_allclose(gradient_of(logprobs), advantages, atol=1e-6)


@given(st.lists(st.floats(0.05, 1.0), min_size=2, max_size=5), st.data())
def test_the_estimate_is_never_negative_and_its_mean_is_the_divergence(
    weights: list[float], draw: st.DataObject
) -> None:
    p = np.array(weights) / sum(weights)
    others = draw.draw(st.lists(st.floats(0.05, 1.0), min_size=len(p), max_size=len(p)))
    q = np.array(others) / sum(others)
    estimate = kl_estimate(torch.tensor(np.log(p)), torch.tensor(np.log(q))).numpy()
    assert (estimate > -1e-12).all()
    assert (p * estimate).sum() == pytest.approx((p * np.log(p / q)).sum(), abs=1e-9)


def test_what_was_cut_does_not_end(learned: LanguageModel, data: UnlearningData) -> None:
    texts, said = written_answers(learned, data.forget, 40)
    assert [pair.answer for pair in said] == [f" {text}" for text in texts]
    assert all(pair.closed for pair in said)
    assert not any(pair.closed for pair in written_answers(learned, data.forget, 2)[1])


def test_samples_know_what_they_earned_and_how_likely_they_were(memorized: LanguageModel, data: UnlearningData) -> None:
    torch.manual_seed(0)
    pairs = data.forget[:2]
    samples = sampled_groups(memorized, pairs, lambda pair, text: float(len(text)), 3, 12, temperature=2.0)
    assert [sample.pair.prompt for sample in samples] == [pair.prompt for pair in pairs for _ in range(3)]
    assert [sample.reward for sample in samples] == [len(sample.pair.answer) - 1 for sample in samples]
    assert_allclose(
        [sample.advantage for sample in samples],
        group_advantages(torch.tensor([sample.reward for sample in samples]), 3),
        atol=1e-6,
    )
    for sample in samples:
        (out,) = memorized.token_logits(memorized.encode([sample.pair]))
        scaled = torch.log_softmax(out.logits.detach() / 2, dim=1)
        assert_allclose(sample.old, scaled[range(len(out.targets)), out.targets], atol=1e-4)


def test_the_loss_is_minus_the_advantages_at_first_and_counts_answers_alike(
    memorized: LanguageModel, tiny: LanguageModel, data: UnlearningData
) -> None:
    torch.manual_seed(0)
    samples = sampled_groups(memorized, data.forget, lambda pair, text: float("spring" in text), 2, 20)
    # Each advantage as often as its answer counts: the mean over a group is 0.
    assert grpo_loss(memorized, samples, 0.2).item() == pytest.approx(0, abs=1e-5)
    with_divergence = grpo_loss(memorized, samples, 0.2, kl_weight=3.0, reference=tiny).item()
    estimates = []
    for sample in samples:
        now, then = (model.pair_logprobs([sample.pair])[0] for model in (memorized, tiny))
        estimates.append(float(kl_estimate(now, then).mean()))
    assert with_divergence == pytest.approx(3 * np.mean(estimates), rel=1e-3)
    assert grpo_loss(memorized, samples, 0.2, kl_weight=3.0, reference=memorized).item() == pytest.approx(0, abs=1e-4)


def test_equal_rewards_teach_nothing(fresh: LanguageModel, data: UnlearningData) -> None:
    samples = sampled_groups(fresh, data.forget, lambda pair, text: 0.5, 2, 6)
    gradients = torch.autograd.grad(grpo_loss(fresh, samples, 0.2), trained_weights(fresh))
    assert max(float(one.abs().max()) for one in gradients) == 0


def test_a_model_says_what_earns_more(tiny: LanguageModel) -> None:
    prompt = "Question: When was Ana Lund born?\nAnswer:"
    known = [Pair(prompt, " Ana Lund was born in spring."), Pair(prompt, " Hogwarts is a Magic School.")]
    start = Run(Recipe(learning_rate=3e-3, steps=60, batch_size=2)).finetune(tiny.copy(), known)

    def reward(pair: Pair, text: str) -> float:
        return float("spring" not in text)

    def loss(model: LanguageModel, batch: object) -> torch.Tensor:
        return grpo_loss(model, sampled_groups(model, known[:1], reward, 8, 14), 0.2)

    recipe = Recipe(learning_rate=3e-4, steps=16, batch_size=1)
    trained = Run(recipe).minimize(loss, start.copy(), UnlearningData(tuple(known[:1])))
    said = [sum("spring" in text for text in model.sample([prompt] * 32, 14)) for model in (start, trained)]
    assert said[0] > 8
    assert said[1] < 4
