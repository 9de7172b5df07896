from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob

from reference_impls.methods.localization.loku import LoKU, row_importance, weighted_low_rank
from reference_impls.toolkit import Batch, LanguageModel, Recipe, Run, UnlearningData


def _product(weight: Any, importance: Any, rank: int) -> np.ndarray:
    left, right = weighted_low_rank(torch.tensor(weight), torch.tensor(importance), rank)
    return np.asarray(left @ right)


def test_rows_are_weighed_by_what_the_forget_set_needs_more_of() -> None:
    forgotten, kept = torch.tensor([[1.0, 1.0], [8.0, 8.0]]), torch.ones(2, 2)
    assert_allclose(row_importance(forgotten, kept), (2**0.5, 4), rtol=1e-4)
    assert_allclose(row_importance(forgotten, torch.zeros(2, 2))[0], (2 / 1e-5) ** 0.5, rtol=1e-4)


@pytest.mark.parametrize(
    ("importance", "part"), [((2**0.5, 4.0), [[0.0, 0.0], [0.0, 1.0]]), ((1.0, 1.0), [[2.0, 0.0], [0.0, 0.0]])]
)
def test_the_part_of_rank_1_is_the_one_worked_out_by_hand(
    importance: tuple[float, ...], part: list[list[float]]
) -> None:
    assert_allclose(_product([[2.0, 0.0], [0.0, 1.0]], importance, 1), part, atol=1e-6)


@given(st.integers(0, 2**16), st.integers(1, 6), st.floats(0.01, 100))
def test_no_other_part_of_that_rank_is_nearer_in_the_rows_that_matter(seed: int, rank: int, factor: float) -> None:
    """Against the truncated decomposition in numpy, in which the rest of the singular values is the least distance."""
    drawn = np.random.default_rng(seed)
    weight, importance = drawn.normal(size=(5, 7)).astype(np.float32), drawn.uniform(0.1, 3, 5).astype(np.float32)
    weighted = importance[:, None] * weight
    part = _product(weight, importance, rank)
    least = np.sqrt((np.linalg.svd(weighted, compute_uv=False)[rank:] ** 2).sum())
    assert np.linalg.norm(weighted - importance[:, None] * part) == pytest.approx(least, abs=1e-4)
    assert np.linalg.matrix_rank(part, tol=1e-3) <= rank
    assert_allclose(_product(weight, np.float32(factor) * importance, rank), part, atol=1e-3)


@given(st.integers(0, 2**16))
def test_rows_without_importance_stay_whole(seed: int) -> None:
    drawn = np.random.default_rng(seed)
    weight = drawn.normal(size=(4, 3)).astype(np.float32)
    part = _product(weight, np.array([1, 0, 2, 0], dtype=np.float32), 3)
    assert_allclose(part[[1, 3]], 0)
    assert_allclose(part[[0, 2]], weight[[0, 2]], atol=1e-4)
    assert np.isfinite(_product(weight, np.zeros(4, dtype=np.float32), 2)).all()


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")
def test_the_model_is_the_same_before_the_first_step_and_changes_by_few_directions(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    losses: list[float] = []

    class Watched(LoKU):
        def loss(self, model: LanguageModel, batch: Batch) -> torch.Tensor:
            if not losses:
                losses.append(mean_logprob(model, data.forget))
                up, down = (
                    [weight for name, weight in model.model.named_parameters() if part in name]
                    for part in (".lora_B.", ".lora_A.")
                )
                assert all(bool(weight.any()) for weight in up + down)
            return super().loss(model, batch)

    before = dict(memorized.model.named_parameters())
    recipe = Recipe(learning_rate=3e-3, steps=10, batch_size=3)
    unlearned = Watched(rank=2).unlearn(memorized.copy(), data, Run(recipe))
    assert losses[0] == pytest.approx(mean_logprob(memorized, data.forget), abs=1e-4)
    for name, weight in unlearned.model.named_parameters():
        change = (weight - before[name]).detach()
        assert ".layers." in name or not change.any()
        assert not change.any() or torch.linalg.matrix_rank(change, rtol=1e-3) <= 4


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")
def test_it_forgets_sooner_than_in_adapters_that_start_from_nothing(
    learned: LanguageModel, data: UnlearningData, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe(learning_rate=3e-3, steps=10, batch_size=3)
    unlearned = LoKU().unlearn(learned.copy(), data, Run(recipe))
    monkeypatch.setattr("reference_impls.methods.localization.loku.adapted_layers", lambda network: [])
    plain = LoKU().unlearn(learned.copy(), data, Run(recipe))
    assert mean_logprob(unlearned, data.forget) < mean_logprob(plain, data.forget) - 0.1
    assert mean_logprob(unlearned, data.retain) > mean_logprob(unlearned, data.forget) + 1
