from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import (
    FORGET_LOGITS,
    FORGET_REFERENCE,
    FORGET_TARGETS,
    RETAIN_LOGITS,
    RETAIN_TARGETS,
    gradient_of,
    log_ratios,
    token_logits,
)

from reference_impls.methods.preference_optimization.dpo import DPO
from reference_impls.toolkit import (
    REFUSALS,
    Batch,
    Encoded,
    LanguageModel,
    Pair,
    Recipe,
    Run,
    TokenLogits,
    UnlearningData,
    dpo_loss,
    log_ratio,
    npo_loss,
)

H = -0.311900


def _toy() -> tuple[TokenLogits, TokenLogits, torch.Tensor, torch.Tensor]:
    """The toy's retain token as the chosen answer, its forget sequence as the rejected one, and their references."""
    uniform = token_logits([[0.0, 0.0, 0.0]], RETAIN_TARGETS).token_logprobs().detach()
    before = token_logits(FORGET_REFERENCE, FORGET_TARGETS).token_logprobs().detach()
    return token_logits(RETAIN_LOGITS, RETAIN_TARGETS), token_logits(FORGET_LOGITS, FORGET_TARGETS), uniform, before


@pytest.mark.parametrize(("beta", "loss"), [(0.1, 0.708864), (1.0, 0.861208)])
def test_loss_on_the_toy_is_the_hand_computed_one(beta: float, loss: float) -> None:
    chosen, rejected, uniform, before = _toy()
    one, other = log_ratio(chosen, uniform), log_ratio(rejected, before)
    assert float((one - other).detach()) == pytest.approx(H, abs=1e-6)
    assert dpo_loss(one, other, beta).item() == pytest.approx(2 / beta * loss, abs=1e-4)


def test_gradient_on_the_toy_raises_the_chosen_and_lowers_the_rejected_answer_alike() -> None:
    chosen, rejected, uniform, before = _toy()
    value = dpo_loss(log_ratio(chosen, uniform), log_ratio(rejected, before), 0.1)
    value.backward()
    assert value.item() == pytest.approx(14.177275, abs=1e-5)
    assert_allclose(gradient_of(chosen.logits)[0], (0.215247, 0.215247, -0.430493), atol=1e-6)
    assert_allclose(gradient_of(rejected.logits)[0], (0.216336, -0.108168, -0.108168), atol=1e-6)


@given(st.floats(-300, 300), st.floats(-300, 300), st.floats(0.01, 5))
def test_loss_and_gradients_agree_with_the_formula(chosen: float, rejected: float, beta: float) -> None:
    one, other = (torch.tensor([x], dtype=torch.float64, requires_grad=True) for x in (chosen, rejected))
    value = dpo_loss(one, other, beta)
    value.backward()
    h = chosen - rejected
    assert value.item() == pytest.approx(2 / beta * float(np.logaddexp(0, -beta * h)), rel=1e-9, abs=1e-12)
    weight = 1 / (1 + math.exp(min(beta * h, 700)))
    assert float(gradient_of(one)) == pytest.approx(-2 * weight, abs=1e-9) == -float(gradient_of(other))


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=5), st.floats(0.01, 5))
def test_without_the_chosen_answer_it_is_npo(log_ratios: list[float], beta: float) -> None:
    rejected = torch.tensor(log_ratios, dtype=torch.float64)
    nothing = torch.zeros_like(rejected)
    assert dpo_loss(nothing, rejected, beta).item() == pytest.approx(npo_loss(rejected, nothing, beta).item())


def test_the_first_gradient_of_a_model_is_that_of_learning_the_refusal_and_unlearning_the_answer(
    fresh: LanguageModel, data: UnlearningData
) -> None:
    batch = _batch(fresh, fresh, data)
    DPO(retain_weight=0.0).loss(fresh, batch).backward()
    dpo = {name: weight.grad.clone() for name, weight in fresh.model.named_parameters()}
    fresh.model.zero_grad()
    assert batch.alternate is not None
    refusal, answer = fresh.token_logits(batch.alternate, batch.forget)
    (answer.sequence_logprobs() - refusal.sequence_logprobs()).mean().backward()
    for name, weight in fresh.model.named_parameters():
        assert_allclose(dpo[name], weight.grad, atol=1e-4, err_msg=name)


def test_loss_of_a_model_is_the_formula_over_whole_answers_plus_the_retain_loss(
    tiny: LanguageModel, fresh: LanguageModel, data: UnlearningData
) -> None:
    batch = _batch(tiny, fresh, data)
    with torch.no_grad():
        for weight in fresh.model.parameters():
            weight.mul_(1.02)
        value = DPO(beta=0.3, retain_weight=2.0).loss(fresh, batch).item()

    h = log_ratios(fresh, tiny, _refused(data)) - log_ratios(fresh, tiny, data.forget)
    kept = np.mean([float(-one.mean()) for one in fresh.pair_logprobs(data.retain)])
    assert value == pytest.approx(float(2 / 0.3 * np.logaddexp(0, -0.3 * h).mean() + 2 * kept), rel=1e-4)


def test_every_question_keeps_its_own_few_refusals(fresh: LanguageModel, data: UnlearningData) -> None:
    seen: dict[int, set[str]] = {}

    class Watched(DPO):
        def loss(self, model: LanguageModel, batch: Batch) -> torch.Tensor:
            assert batch.alternate is not None
            for row, labels in zip(batch.alternate.rows.tolist(), batch.alternate.labels, strict=True):
                text = model.tokenizer.decode(labels[labels >= 0], skip_special_tokens=True)
                seen.setdefault(row, set()).add(text.strip())
            return super().loss(model, batch)

    Watched(refusals=2).unlearn(fresh, data, Run(Recipe(learning_rate=0, steps=12, batch_size=3)))
    assert [len(refusals) for refusals in seen.values()] == [2, 2, 2]
    assert set().union(*seen.values()) <= set(REFUSALS)


def test_a_refusal_that_starts_out_unlikely_settles_the_pair_by_rising_and_the_answer_stays(
    fresh: LanguageModel, data: UnlearningData
) -> None:
    Run(Recipe(learning_rate=3e-3, steps=40)).finetune(fresh, [*data.forget, *data.retain])
    start = fresh.copy()

    def unlearned(beta: float) -> LanguageModel:
        return DPO(beta=beta).unlearn(start.copy(), data, Run(Recipe(learning_rate=1e-3, steps=30)))

    def moved(model: LanguageModel, pairs: tuple[Pair, ...]) -> list[float]:
        return [
            float(now.sum() - before.sum())
            for now, before in zip(model.pair_logprobs(pairs), start.pair_logprobs(pairs), strict=True)
        ]

    soon, late = unlearned(1.0), unlearned(0.01)
    risen, fallen = sum(moved(soon, _refused(data))), sum(moved(soon, data.forget))
    assert risen > 5 * abs(fallen)
    assert sum(moved(late, data.forget)) < 5 * fallen


def _refused(data: UnlearningData) -> tuple[Pair, ...]:
    return tuple(replace(pair, answer=f" {text}") for pair, text in zip(data.forget, REFUSALS, strict=False))


def _batch(before: LanguageModel, model: LanguageModel, data: UnlearningData) -> Batch:
    def encoded(pairs: tuple[Pair, ...]) -> Encoded:
        return replace(model.encode(pairs), reference=torch.cat(before.pair_logprobs(pairs)).clone())

    return Batch(encoded(data.forget), model.encode(data.retain), None, encoded(_refused(data)))
