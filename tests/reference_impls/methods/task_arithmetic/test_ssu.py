from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose
from unlearning_toys import fingerprint, mean_logprob

from reference_impls.methods.task_arithmetic.ssu import SSU, salient
from reference_impls.methods.task_arithmetic.task_vector import TaskVector
from reference_impls.toolkit import Gradient, LanguageModel, Recipe, Run, UnlearningData

RECIPE = Recipe(learning_rate=1e-3, steps=6)
EVERY_WEIGHT = -1e9


def gradient(*parts: list[float]) -> Gradient:
    tensors = tuple(torch.tensor(part) for part in parts)
    return Gradient(tensors, tensors)


def moved(before: LanguageModel, after: LanguageModel) -> float:
    """The share of weights that are not what they were."""
    pairs = list(zip(before.model.parameters(), after.model.parameters(), strict=True))
    total = sum(one.numel() for one, _ in pairs)
    return float(sum(int((one != other).sum()) for one, other in pairs) / total)


@pytest.mark.parametrize(("deviations", "chosen"), [(0.0, [0, 1, 1, 0]), (1.0, [0, 1, 0, 0]), (-9.0, [1, 1, 1, 1])])
def test_the_threshold_counts_deviations_from_the_mean_over_all_weights(deviations: float, chosen: list[int]) -> None:
    """Sizes 1, 4, 2, 0.5 have the mean 1.875 and the standard deviation 1.548."""
    first, second = salient(gradient([1.0, -4.0], [2.0, 0.5]), deviations)
    assert [*first.tolist(), *second.tolist()] == [bool(one) for one in chosen]


@given(arrays(np.float32, 6, elements=st.floats(-8, 8, width=16)), st.floats(-1, 2))
def test_salient_weights_do_not_depend_on_scale_sign_or_how_tensors_are_cut(values: np.ndarray, s: float) -> None:
    whole = salient(gradient(values.tolist()), s)[0]
    cut = salient(gradient(values[:2].tolist(), values[2:].tolist()), s)
    turned = salient(gradient((-4 * values).tolist()), s)[0]
    sizes = np.abs(values.astype(np.float64))
    margin = np.abs(sizes - (sizes.mean() + s * sizes.std(ddof=1))) > 1e-4
    assert_allclose(torch.cat(cut)[margin], whole[margin])
    assert_allclose(turned[margin], whole[margin])
    assert_allclose(whole[margin], (sizes >= sizes.mean() + s * sizes.std(ddof=1))[margin])


def test_without_random_answers_and_threshold_it_is_the_negated_task_vector(
    learned: LanguageModel, data: UnlearningData
) -> None:
    """All three pairs are in every batch, so that both train on the same."""
    plain = SSU(random_weight=0.0, deviations=EVERY_WEIGHT).unlearn(learned.copy(), data, Run(RECIPE))
    vector = TaskVector().unlearn(learned.copy(), data, Run(RECIPE))
    for one, other in zip(plain.model.parameters(), vector.model.parameters(), strict=True):
        assert_allclose(one.detach(), other.detach(), atol=2e-4)
    still = SSU(scale=0.0).unlearn(learned.copy(), data, Run(RECIPE))
    assert fingerprint(still.model) == fingerprint(learned.model)


def test_weights_that_never_pass_stay_to_the_bit(learned: LanguageModel, data: UnlearningData) -> None:
    once = Recipe(learning_rate=1e-3, steps=1, weight_decay=0.5)
    shares = [
        moved(learned, SSU(deviations=s).unlearn(learned.copy(), data, Run(once))) for s in (0.0, 1.0, EVERY_WEIGHT)
    ]
    assert 0 < shares[1] < shares[0] < 0.5
    assert shares[2] > 0.9


def test_random_answers_make_it_forget_more(learned: LanguageModel, data: UnlearningData) -> None:
    mixed = SSU().unlearn(learned.copy(), data, Run(RECIPE))
    plain = SSU(random_weight=0.0).unlearn(learned.copy(), data, Run(RECIPE))
    after = [mean_logprob(model, data.forget) for model in (mixed, plain, learned)]
    assert after == sorted(after)
    assert after[0] < after[2] - 0.1
