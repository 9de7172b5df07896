from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import (
    FORGET_LOGITS,
    FORGET_TARGETS,
    RETAIN_LOGITS,
    RETAIN_REFERENCE,
    RETAIN_TARGETS,
    gradient_of,
    softmax,
    token_logits,
)

from reference_impls.methods.distillation.kl_min import KLMinimization, kl_minimization_loss
from reference_impls.methods.gradient_ascent.gradient_ascent import GradientAscent
from reference_impls.toolkit import Batch, LanguageModel, Recipe, Run, UnlearningData


def test_loss_on_the_toy_is_the_hand_computed_one_and_the_kl_runs_from_the_start_model() -> None:
    forget = token_logits(FORGET_LOGITS, FORGET_TARGETS)
    retain, before = token_logits(RETAIN_LOGITS, RETAIN_TARGETS), token_logits(RETAIN_REFERENCE, RETAIN_TARGETS)
    assert kl_minimization_loss(forget, retain, before, 0.0).item() == pytest.approx(-0.395495, abs=1e-6)
    # With the arguments of the KL swapped it would be -0.395495 + 0.111983.
    assert kl_minimization_loss(forget, retain, before, 1.0).item() == pytest.approx(-0.296609, abs=1e-6)


def test_gradient_on_the_retain_row_is_the_difference_of_the_distributions() -> None:
    forget = token_logits(FORGET_LOGITS, FORGET_TARGETS)
    retain, before = token_logits(RETAIN_LOGITS, RETAIN_TARGETS), token_logits(RETAIN_REFERENCE, RETAIN_TARGETS)
    kl_minimization_loss(forget, retain, before, 3.0).backward()
    assert_allclose(gradient_of(retain.logits)[0] / 3, (0.105435, 0.105435, -0.210869), atol=1e-6)
    assert_allclose(gradient_of(retain.logits), 3 * (softmax(RETAIN_LOGITS) - softmax(RETAIN_REFERENCE)), atol=1e-6)


def test_the_first_gradient_of_a_model_is_that_of_gradient_ascent(
    tiny: LanguageModel, fresh: LanguageModel, data: UnlearningData
) -> None:
    batch = Batch(fresh.encode(data.forget), fresh.encode(data.retain), tiny)
    KLMinimization(retain_weight=100.0).loss(fresh, batch).backward()
    kl = {name: weight.grad.clone() for name, weight in fresh.model.named_parameters()}
    fresh.model.zero_grad()
    GradientAscent().loss(fresh, batch).backward()
    for name, weight in fresh.model.named_parameters():
        assert_allclose(kl[name], weight.grad, atol=2e-5, err_msg=name)


def test_loss_of_a_changed_model_is_the_formula_over_answer_tokens_alone(
    tiny: LanguageModel, fresh: LanguageModel, data: UnlearningData
) -> None:
    with torch.no_grad():
        for weight in fresh.model.parameters():
            weight.mul_(1.05)
        batch = Batch(fresh.encode(data.forget), fresh.encode(data.retain), tiny)
        value = KLMinimization(retain_weight=1e4).loss(fresh, batch).item()

    def distributions(model: LanguageModel, prompt: str, answer: str) -> np.ndarray:
        first, second = (model.tokenizer(text)["input_ids"] for text in (prompt, answer))
        with torch.no_grad():
            logits = model.model(input_ids=torch.tensor([first + second])).logits[0]
        return softmax(logits[len(first) - 1 :].numpy())

    divergences = []
    for pair in data.retain:
        p, q = (distributions(model, pair.prompt, pair.answer) for model in (tiny, fresh))
        divergences.append((p * np.log(p / q)).sum(axis=1).mean())
    nll = np.mean([float(-one.mean()) for one in fresh.pair_logprobs(data.forget)])
    assert value == pytest.approx(1e4 * np.mean(divergences) - nll, rel=1e-2)
    assert 1e4 * np.mean(divergences) > 1


def test_the_more_the_divergence_weighs_the_more_is_kept_of_the_rest(
    learned: LanguageModel, data: UnlearningData
) -> None:
    kept = []
    for weight in (0.0, 1.0, 10.0):
        unlearned = KLMinimization(retain_weight=weight).unlearn(
            learned.copy(), data, Run(Recipe(learning_rate=5e-4, steps=30))
        )
        kept.append(float(torch.cat(unlearned.pair_logprobs(data.retain)).mean()))
        assert float(torch.cat(unlearned.pair_logprobs(data.forget)).mean()) < -1
    assert kept[0] + 1 < kept[1] < kept[2]
