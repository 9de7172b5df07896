from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from unlearning_toys import FORGET_LOGITS, FORGET_TARGETS, softmax

from reference_impls.metrics.membership import (
    gradient_norm_score,
    loss_score,
    min_k_plus_plus_score,
    min_k_score,
    privacy_leakage,
    reference_score,
    zlib_score,
)
from reference_impls.metrics.sets import membership_auc

LOGPROBS = (-0.1, -2.0, -0.5, -3.0, -0.2)


def test_loss_and_reference() -> None:
    assert loss_score((-1.0, -3.0)) == -2.0
    assert reference_score((-1.0, -3.0), (-2.0, -6.0)) == 2.0


def test_zlib_divides_by_the_compressed_bytes() -> None:
    text = "The author was born in Lima."
    assert zlib_score((-18.0, -54.0), text) == pytest.approx(-36 / 36)
    assert zlib_score((-11.0,), "a" * 20) == pytest.approx(-1.0)


@pytest.mark.parametrize(("share", "expected"), [(0.4, -2.5), (0.2, -3.0), (0.05, -3.0), (1.0, -1.16)])
def test_min_k_takes_the_lowest_and_at_least_one(share: float, expected: float) -> None:
    assert min_k_score(LOGPROBS, share) == pytest.approx(expected)


def test_min_k_plus_plus_on_the_toy() -> None:
    rows = softmax(FORGET_LOGITS)
    logprobs = np.log(rows)
    expected = (rows * logprobs).sum(axis=1)
    deviation = np.sqrt((rows * logprobs**2).sum(axis=1) - expected**2)
    assert expected == pytest.approx([-0.665573, -0.975328], abs=1e-6)
    assert deviation**2 == pytest.approx([0.670556, 0.244206], abs=1e-6)
    own = logprobs[[0, 1], FORGET_TARGETS]
    assert min_k_plus_plus_score(own, expected, deviation, 0.5) == pytest.approx(0.520260, abs=1e-6)
    assert min_k_plus_plus_score(own, expected, deviation, 1.0) == pytest.approx(0.689012, abs=1e-6)


def test_where_all_tokens_are_alike_min_k_plus_plus_is_0() -> None:
    even = math.log(1 / 4)
    assert min_k_plus_plus_score([even], [even], [0.0]) == 0.0


@pytest.mark.parametrize(("order", "expected"), [(2.0, 8.5), (1.0, 9.5), (math.inf, 8.0)])
def test_the_gradient_norm_is_the_mean_of_the_parameters_norms(order: float, expected: float) -> None:
    gradients = [torch.tensor([3.0, 4.0]), torch.tensor([0.0, 0.0, 12.0])]
    assert gradient_norm_score(gradients, order) == pytest.approx(-expected)


def test_privacy_leakage_by_hand() -> None:
    def auc(forget: tuple[float, ...], holdout: tuple[float, ...]) -> float:
        return membership_auc(forget, holdout)

    retrained = auc((2.4, 2.6, 3.0), (2.5, 2.9, 2.2))
    assert retrained == pytest.approx(1 / 3)
    assert privacy_leakage(auc((3, 2, 4), (2.5, 3.5, 1.5)), retrained) == pytest.approx(0.0, abs=1e-9)
    assert privacy_leakage(auc((3, 2, 4), (2.5, 3.5, 1.5)), 0.5) == pytest.approx(100 / 3)
    assert privacy_leakage(auc((0.1, 0.2, 0.3), (2.5, 2.9, 2.2)), retrained) == pytest.approx(-100.0)


def test_privacy_leakage_needs_a_retrained_model_that_does_not_know_the_texts() -> None:
    with pytest.raises(ValueError, match="not defined"):
        privacy_leakage(0.5, 1.0)
