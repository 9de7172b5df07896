from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from transformers.models.llama.modeling_llama import eager_attention_forward
from unlearning_toys import fingerprint, mean_logprob, softmax, token_logits

from reference_impls.methods.distillation.asu import ASU
from reference_impls.toolkit import (
    Batch,
    LanguageModel,
    Recipe,
    Run,
    TokenLogits,
    UnlearningData,
    mean_kl,
    smoothed,
)


def _attended(temperature: float) -> float:
    """What one head of the embedded architecture makes of two tokens with scores 2 and 0 and values 1 and -1."""
    head = SimpleNamespace(num_key_value_groups=1, training=False)
    query, key, value = (torch.tensor(rows)[None, None] for rows in ([[2.0]], [[1.0], [0.0]], [[1.0], [-1.0]]))
    out, _ = eager_attention_forward(head, query, key, value, None, scaling=1 / temperature)
    return float(out)


@pytest.mark.parametrize(("temperature", "output"), [(1.0, 0.761594), (2.0, 0.462117), (4.0, 0.244919), (1e6, 0.0)])
def test_a_factor_on_the_scores_is_the_temperature(temperature: float, output: float) -> None:
    assert _attended(temperature) == pytest.approx(output, abs=1e-5)
    assert math.tanh(1 / temperature) == pytest.approx(output, abs=1e-5)


def test_the_teacher_comes_first_in_the_divergence() -> None:
    teacher, student = token_logits([[1.0, 0.0, 0.0]], [0]), token_logits([[3.0, 0.0, 0.0]], [0])
    value = mean_kl(teacher, student)
    value.backward()
    assert value.item() == pytest.approx(0.391244, abs=1e-6)
    assert student.logits.grad is not None
    assert_allclose(student.logits.grad[0], softmax([3.0, 0.0, 0.0]) - softmax([1.0, 0.0, 0.0]), atol=1e-6)


def _batch(model: LanguageModel, data: UnlearningData) -> Batch:
    return Batch(model.encode(data.forget), model.encode(data.retain), model)


def _expected(model: LanguageModel, batch: Batch, temperature: float) -> TokenLogits:
    with torch.no_grad(), smoothed(model, temperature):
        return model.token_logits(batch.forget)[0]


@pytest.mark.parametrize("retain_loss", ["likelihood", "divergence"])
def test_loss_of_a_model_is_the_formula(
    retain_loss: str, tiny: LanguageModel, memorized: LanguageModel, data: UnlearningData
) -> None:
    batch = _batch(memorized, data)
    method = ASU(temperature=3.0, forget_weight=0.5, retain_weight=2.0, retain_loss=retain_loss)
    with torch.no_grad():
        value = method.loss(tiny, batch).item()
    teacher = torch.log_softmax(_expected(memorized, batch, 3.0).logits, dim=1).double().numpy()
    with torch.no_grad():
        (student,), (kept,) = tiny.token_logits(batch.forget), tiny.token_logits(batch.retain)
        (before,) = memorized.token_logits(batch.retain)
    now = torch.log_softmax(student.logits, dim=1).double().numpy()
    divergence = _mean((np.exp(teacher) * (teacher - now)).sum(axis=1), student)
    if retain_loss == "likelihood":
        held = -_mean(kept.token_logprobs().numpy(), kept)
    else:
        p, q = (torch.log_softmax(one.logits, dim=1).double().numpy() for one in (before, kept))
        held = _mean((np.exp(p) * (p - q)).sum(axis=1), kept)
    assert value == pytest.approx(0.5 * divergence + 2 * held, rel=1e-4)


def _mean(values: np.ndarray, out: TokenLogits) -> float:
    """Over an answer's tokens, then over answers."""
    sequence = out.sequence.numpy()
    return float(np.mean([values[sequence == row].mean() for row in range(out.sequences)]))


@pytest.mark.parametrize("temperature", [1.0, 2.0, 10.0, 1000.0])
def test_no_temperature_makes_the_loss_negative(
    temperature: float, memorized: LanguageModel, data: UnlearningData
) -> None:
    method = ASU(temperature=temperature, forget_weight=1.0, retain_loss="divergence")
    with torch.no_grad():
        value = method.loss(memorized, _batch(memorized, data)).item()
    assert value == pytest.approx(0.0, abs=1e-5) if temperature == 1 else value > 1e-4


def test_at_temperature_1_there_is_nothing_to_learn(fresh: LanguageModel, data: UnlearningData) -> None:
    batch = Batch(fresh.encode(data.forget), fresh.encode(data.retain), fresh.frozen())
    value = ASU(temperature=1.0, retain_loss="divergence").loss(fresh, batch)
    value.backward()
    assert value.item() == pytest.approx(0.0, abs=1e-5)
    for weight in fresh.model.parameters():
        assert_allclose(weight.grad, torch.zeros_like(weight), atol=1e-5)


def test_smoothing_leaves_weights_and_the_order_of_time_alone(memorized: LanguageModel, data: UnlearningData) -> None:
    batch, weights = memorized.encode(data.forget[:1]), fingerprint(memorized.model)
    changed = batch.input_ids.clone()
    changed[0, -1] = changed[0, 0]
    with torch.no_grad(), smoothed(memorized, 50.0):
        one, other = (memorized.model(input_ids=ids).logits[0, :-1] for ids in (batch.input_ids, changed))
    assert_allclose(one, other, atol=1e-5)
    assert fingerprint(memorized.model) == weights


def test_the_model_comes_to_say_what_the_teacher_says_and_keeps_the_rest(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    batch, method = _batch(memorized, data), ASU(temperature=6.0, forget_weight=1.0)
    teacher = _expected(memorized, batch, 6.0)
    unlearned = method.unlearn(memorized.copy(), data, Run(Recipe(learning_rate=1e-3, steps=25, batch_size=4)))
    with torch.no_grad():
        (before,), (after,) = memorized.token_logits(batch.forget), unlearned.token_logits(batch.forget)
    assert float(mean_kl(teacher, after)) < float(mean_kl(teacher, before)) / 3
    assert mean_logprob(unlearned, data.forget) < mean_logprob(memorized, data.forget) - 0.02
    assert mean_logprob(unlearned, data.retain) > mean_logprob(memorized, data.retain) - 0.1
