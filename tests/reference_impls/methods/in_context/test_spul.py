from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from unlearning_toys import RETAIN_LOGITS, RETAIN_REFERENCE, RETAIN_TARGETS, fingerprint, mean_logprob, token_logits

from reference_impls.methods.in_context.spul import SPUL, SoftPromptModel, spul_loss
from reference_impls.toolkit import REFUSALS, Kept, LanguageModel, Recipe, Run, UnlearningData


def test_each_part_of_the_loss_is_the_hand_computed_one() -> None:
    def loss(retain_weight: float, kl_weight: float) -> float:
        refused = token_logits([[0.0, 0.0]], [1])
        retain, before = (token_logits(one, RETAIN_TARGETS) for one in (RETAIN_LOGITS, RETAIN_REFERENCE))
        return spul_loss(refused, retain, before, retain_weight, kl_weight).item()

    assert loss(0, 0) == pytest.approx(math.log(2))
    assert loss(2, 0) - math.log(2) == pytest.approx(2 * 0.551445, abs=1e-5)
    assert loss(0, 3) - math.log(2) == pytest.approx(3 * 0.098886, abs=1e-5)


def test_behind_the_prompt_refusals_are_likelier_and_the_weights_are_the_same(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    model = memorized.copy()
    prompted = SPUL(vectors=8).unlearn(model, data, Run(Recipe(learning_rate=2e-2, steps=20, batch_size=3)))
    assert prompted.vectors.shape == (8, model.width)
    assert fingerprint(model.model) == fingerprint(memorized.model)
    assert all(weight.requires_grad for weight in model.model.parameters())
    refused = [replace(pair, answer=f" {refusal}") for pair, refusal in zip(data.forget, REFUSALS, strict=False)]
    assert mean_logprob(prompted, refused) > mean_logprob(memorized, refused) + 1
    assert mean_logprob(prompted, data.retain) > -0.5
    again = SPUL.restore(model, Kept(prompted.to_json(), prompted.tensors()))
    assert mean_logprob(again, data.forget) == mean_logprob(prompted, data.forget)


def test_without_its_vectors_it_is_the_model(learned: LanguageModel, data: UnlearningData) -> None:
    bare = SoftPromptModel(learned, torch.zeros(0, learned.width))
    assert mean_logprob(bare, data.retain) == pytest.approx(mean_logprob(learned, data.retain), abs=1e-5)


def test_vectors_of_another_model_are_refused(tiny: LanguageModel) -> None:
    with pytest.raises(ValueError, match="of another width"):
        SPUL.restore(tiny, Kept({}, {"vectors": torch.zeros(3, 7)}))
