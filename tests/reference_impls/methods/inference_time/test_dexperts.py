from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import fingerprint, mean_logprob

from reference_impls.methods.inference_time.dexperts import DExperts
from reference_impls.toolkit import Kept, LanguageModel, Recipe, Run, UnlearningData, offset_logits


def test_with_the_model_for_an_expert_it_is_the_hand_computed_one() -> None:
    base, anti = torch.tensor([2.0, 1.0, 0.0]), torch.tensor([4.0, 1.0, 0.0])
    assert_allclose(offset_logits(base, base, anti, 1.0), [0.0, 1.0, 0.0])
    found = torch.softmax(offset_logits(base, base, anti, 1.0), dim=0)
    assert_allclose(found, [0.2119, 0.5761, 0.2119], atol=1e-4)


def test_the_harder_it_pushes_the_more_is_forgotten_and_the_rest_stays(
    learned: LanguageModel, data: UnlearningData
) -> None:
    model = learned.copy()
    steered = DExperts().unlearn(model, data, Run(Recipe(learning_rate=1e-3, steps=18, batch_size=3)))
    assert fingerprint(model.model) == fingerprint(learned.model)
    strengths = (0.0, 0.5, 1.0, 2.0)
    known = [mean_logprob(replace(steered, strength=one), data.forget) for one in strengths]
    assert known[0] == pytest.approx(mean_logprob(learned, data.forget), abs=1e-5)
    assert known == sorted(known, reverse=True)
    assert known[-1] < known[0] - 1
    assert mean_logprob(steered, data.retain) > mean_logprob(learned, data.retain) - 0.2


def test_other_peoples_experts_are_refused(tiny: LanguageModel) -> None:
    with pytest.raises(KeyError, match="plus"):
        DExperts.restore(tiny, Kept({"share": 0.5, "strength": 1.0}))
