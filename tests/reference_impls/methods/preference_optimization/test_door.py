from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob

from reference_impls.methods.preference_optimization.door import DOOR
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
    with_refusals,
)


class _Told(LanguageModel):
    """Answers of one token each, with the log-probabilities given."""

    def __init__(self, *logprobs: float) -> None:
        self.logprobs = logprobs

    def token_logits(self, *batches: Encoded) -> tuple[TokenLogits, ...]:
        one = torch.tensor([0])
        return tuple(
            TokenLogits(torch.tensor([[value, float(np.log1p(-np.exp(value)))]], dtype=torch.float64), one, one, 1)
            for value in self.logprobs
        )


def test_loss_is_the_hand_computed_one() -> None:
    nothing = Encoded.empty(torch.device("cpu"))
    forget = replace(nothing, reference=torch.tensor([-10.0], dtype=torch.float64))
    batch = Batch(forget, nothing, None, nothing)
    model = _Told(-3.0, -12.0, -8.0)  # the refusal, the answer to forget, the retain answer
    assert DOOR(retain_weight=0.0).loss(model, batch).item() == pytest.approx(1.253047 + 3, abs=1e-6)
    assert 0.2 * DOOR(retain_weight=4.0).loss(model, batch).item() == pytest.approx(7.250609, abs=1e-6)


def _batch(model: LanguageModel, data: UnlearningData) -> Batch:
    """Each pair to forget with its first refusal."""
    refused = [replace(pair, answer=pair.alternates[0]) for pair in with_refusals(data, random.Random(0), 1).forget]
    forget = replace(model.encode(data.forget), reference=torch.cat(model.pair_logprobs(data.forget)).clone())
    return Batch(forget, model.encode(data.retain), None, model.encode(refused))


def test_the_first_step_is_refusal_training_plus_ascent_on_sums(fresh: LanguageModel, data: UnlearningData) -> None:
    batch = _batch(fresh, data)
    DOOR(retain_weight=0.0).loss(fresh, batch).backward()
    door = {name: weight.grad.clone() for name, weight in fresh.model.named_parameters()}
    fresh.model.zero_grad()
    refusal, forget = fresh.token_logits(batch.preferred, batch.forget)
    (forget.sequence_logprobs().mean() - refusal.sequence_logprobs().mean()).backward()
    for name, weight in fresh.model.named_parameters():
        assert_allclose(door[name], weight.grad, atol=1e-5, rtol=1e-4, err_msg=name)


def test_loss_of_a_model_is_the_formula_with_sums_over_answers(
    tiny: LanguageModel, memorized: LanguageModel, data: UnlearningData
) -> None:
    batch = _batch(tiny, data)
    with torch.no_grad():
        value = DOOR(beta=0.3, retain_weight=2.0).loss(memorized, batch).item()
        sums = [out.sequence_logprobs() for out in memorized.token_logits(batch.preferred, batch.retain)]
    refused, kept = (-float(one.mean()) for one in sums)
    before, now = ([float(one.sum()) for one in model.pair_logprobs(data.forget)] for model in (tiny, memorized))
    unlearned = np.mean(2 / 0.3 * np.logaddexp(0, 0.3 * np.subtract(now, before)))
    assert value == pytest.approx(float(unlearned) + refused + 2 * kept, rel=1e-4)


def _led(data: UnlearningData) -> list[Pair]:
    """Refusals behind the first words of each answer to forget."""
    refused = []
    for pair in data.forget:
        told = pair.prompt + pair.answer[: pair.answer.index(" was")]
        refused += [replace(pair, prompt=told, answer=f" {refusal}") for refusal in REFUSALS[::5]]
    return refused


def test_led_into_an_answer_it_refuses_if_it_learned_to_from_there(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    recipe = Recipe(learning_rate=1e-3, steps=20, batch_size=6)
    bare, led = (DOOR(prefixes=count, refusals=1).unlearn(memorized.copy(), data, Run(recipe)) for count in (0, 1))
    assert mean_logprob(led, _led(data)) > mean_logprob(bare, _led(data)) + 0.5
    assert mean_logprob(led, data.forget) < mean_logprob(memorized, data.forget) - 1
    assert mean_logprob(led, data.retain) > mean_logprob(led, data.forget) + 1
