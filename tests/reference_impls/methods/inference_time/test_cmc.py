from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import fingerprint, mean_logprob

from reference_impls.methods.inference_time.cmc import CMC, ControlledModel, controlled
from reference_impls.toolkit import Kept, LanguageModel, Recipe, Run, UnlearningData


def test_the_correction_is_the_hand_computed_one() -> None:
    base, delta = torch.tensor([0.7, 0.2, 0.1]).log(), torch.tensor([-2.0, 0.0, 1.0])
    found = torch.softmax(controlled(base, delta, 1.0), dim=0)
    assert_allclose(found, [0.167210, 0.353006, 0.479785], atol=1e-6)
    assert_allclose(torch.softmax(controlled(base, delta, 0.0), dim=0), [0.7, 0.2, 0.1], atol=1e-6)


@given(st.lists(st.floats(-5, 5), min_size=3, max_size=3), st.floats(-50, 50))
def test_what_is_added_to_all_logits_makes_no_difference(logits: list[float], constant: float) -> None:
    base, delta = torch.tensor(logits, dtype=torch.float64), torch.tensor([1.0, -1.0, 0.5], dtype=torch.float64)
    assert_allclose(controlled(base + constant, delta, 2.0), controlled(base, delta, 2.0), atol=1e-9)


def test_before_the_first_step_it_is_the_model(learned: LanguageModel, data: UnlearningData) -> None:
    started = CMC().unlearn(learned.copy(), data, Run(Recipe(steps=0)))
    asked = [pair.prompt for pair in data.forget], [pair.answer for pair in data.forget]
    for one, other in zip(started.answer_logprobs(*asked), learned.answer_logprobs(*asked), strict=True):
        assert_allclose(one, other, atol=1e-5)


def test_one_training_serves_another_model(
    memorized: LanguageModel, learned: LanguageModel, data: UnlearningData
) -> None:
    template = memorized.copy()
    recipe = Recipe(learning_rate=3e-3, steps=20, batch_size=3)
    controlled_template = CMC(retain_weight=2.0).unlearn(template, data, Run(recipe))
    assert fingerprint(template.model) == fingerprint(memorized.model)
    assert all(weight.grad is None and weight.requires_grad for weight in template.model.parameters())
    # The other has learned for longer; nobody trains anything for it.
    other = ControlledModel(learned, controlled_template.delta, 0.25, 1.0)
    for unlearned, before in ((controlled_template, memorized), (other, learned)):
        lost = mean_logprob(before, data.forget) - mean_logprob(unlearned, data.forget)
        cost = mean_logprob(before, data.retain) - mean_logprob(unlearned, data.retain)
        assert lost > 1
        assert cost < lost / 3
    again = CMC.restore(learned, Kept(other.to_json(), other.tensors()))
    assert mean_logprob(again, data.forget) == pytest.approx(mean_logprob(other, data.forget), abs=1e-6)
    assert again.generate([data.forget[0].prompt], 6) == other.generate([data.forget[0].prompt], 6)
