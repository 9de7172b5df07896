from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch
from unlearning_toys import mean_logprob

from reference_impls.methods.localization.salun import SalUn, relabeled
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData, most_salient, nll_gradient


def test_sizes_are_taken_of_the_sum(tiny: LanguageModel, data: UnlearningData) -> None:
    """Of two answers' gradients (1, -1, 2) and (-1, -1, 1) the first entries cancel: (0, -2, 3)."""
    summed = torch.tensor([1.0, -1.0, 2.0]) + torch.tensor([-1.0, -1.0, 1.0])
    assert most_salient([summed.abs()], 2 / 3)[0].tolist() == [False, True, True]
    found = nll_gradient(tiny, data.forget)
    each = [nll_gradient(tiny, [pair]) for pair in data.forget]
    together = 1 / 3 * (each[0] + each[1] + each[2])
    assert (found - together).norm() < 1e-4 * found.norm()
    assert sum(float(part.abs().sum()) for part in found.parts) < sum(
        float(part.abs().sum()) / 3 for one in each for part in one.parts
    )


def test_labels_are_answers_of_others(data: UnlearningData) -> None:
    own = {pair.answer for pair in data.forget}
    given = replace(data, retain=(*data.retain, data.forget[0]))
    for pair in relabeled(given, random.Random(0)).forget:
        assert pair.alternates
        assert pair.answer not in pair.alternates
        assert set(pair.alternates) <= {one.answer for one in given.retain} | own


@pytest.mark.parametrize(("share", "weight_decay"), [(0.5, 0.5), (0.1, 0.0)])
def test_weights_outside_the_mask_stay_to_the_bit(
    share: float, weight_decay: float, memorized: LanguageModel, data: UnlearningData
) -> None:
    recipe = Recipe(learning_rate=1e-3, steps=2, batch_size=2, weight_decay=weight_decay)
    unlearned = SalUn(share=share).unlearn(memorized.copy(), data, Run(recipe))
    pairs = list(zip(memorized.model.parameters(), unlearned.model.parameters(), strict=True))
    moved = sum(int((one != other).sum()) for one, other in pairs)
    count = sum(one.numel() for one, _ in pairs)
    assert 0.5 * share * count < moved <= round(share * count)


def test_it_forgets_in_half_of_the_weights_and_keeps_the_rest(memorized: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=5e-4, steps=15, batch_size=3)
    unlearned = SalUn().unlearn(memorized.copy(), data, Run(recipe))
    assert mean_logprob(unlearned, data.forget) < mean_logprob(memorized, data.forget) - 0.2
    assert mean_logprob(unlearned, data.retain) > mean_logprob(memorized, data.retain) - 0.1
