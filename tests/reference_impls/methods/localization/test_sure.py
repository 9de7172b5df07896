from __future__ import annotations

import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import mean_logprob

from reference_impls.methods.localization.sure import SURE, row_saliency
from reference_impls.toolkit import Batch, LanguageModel, Recipe, Run, UnlearningData, mean_nll


def test_the_saliency_of_a_row_is_its_length_and_of_a_vector_each_entry_counts() -> None:
    assert_allclose(row_saliency(torch.tensor([[3.0, 4.0], [0.0, -2.0]])), [5, 2])
    assert_allclose(row_saliency(torch.tensor([1.0, -3.0])), [1, 3])


def _moved_rows(before: LanguageModel, after: LanguageModel) -> tuple[int, int]:
    """How many rows have moved, and how many there are."""
    moved, rows = 0, 0
    for one, other in zip(before.model.parameters(), after.model.parameters(), strict=True):
        changed = (one != other).reshape(len(one), -1).any(dim=1)
        moved, rows = moved + int(changed.sum()), rows + len(changed)
    return moved, rows


@pytest.mark.parametrize("weight_decay", [0.0, 0.5])
def test_one_step_moves_the_share_of_rows_and_no_other(
    weight_decay: float, memorized: LanguageModel, data: UnlearningData
) -> None:
    recipe = Recipe(learning_rate=1e-3, steps=1, batch_size=3, weight_decay=weight_decay)
    unlearned = SURE(share=0.05).unlearn(memorized.copy(), data, Run(recipe))
    moved, rows = _moved_rows(memorized, unlearned)
    assert moved == round(0.05 * rows)


def test_momentum_does_not_move_rows_that_are_no_longer_chosen(memorized: LanguageModel, data: UnlearningData) -> None:
    seen: list[tuple[int, int]] = []
    model, before = memorized.copy(), memorized.copy()

    def look(stage: str, done: int, total: int) -> None:
        seen.append(_moved_rows(before, model))
        before.model.load_state_dict(model.model.state_dict())

    SURE(share=0.05).unlearn(model, data, Run(Recipe(learning_rate=1e-3, steps=4, batch_size=1), progress=look))
    assert len(seen) == 4
    assert all(moved <= round(0.05 * rows) for moved, rows in seen)


def test_with_all_rows_it_is_the_difference_of_both_losses(tiny: LanguageModel, data: UnlearningData) -> None:
    def difference(model: LanguageModel, batch: Batch) -> torch.Tensor:
        return 2 * mean_nll(*model.token_logits(batch.retain)) - mean_nll(*model.token_logits(batch.forget))

    recipe = Recipe(learning_rate=1e-4, steps=2, batch_size=2)
    plain = Run(recipe).minimize(difference, tiny.copy(), data)
    unlearned = SURE(share=1.0, retain_weight=2.0).unlearn(tiny.copy(), data, Run(recipe))
    for one, other in zip(plain.model.parameters(), unlearned.model.parameters(), strict=True):
        assert_allclose(one.detach(), other.detach(), atol=3e-5)


def test_it_forgets_and_leaves_many_weights_alone(memorized: LanguageModel, data: UnlearningData) -> None:
    unlearned = SURE(share=0.05).unlearn(
        memorized.copy(), data, Run(Recipe(learning_rate=1e-3, steps=15, batch_size=3))
    )
    assert mean_logprob(unlearned, data.forget) < mean_logprob(memorized, data.forget) - 0.5
    moved, rows = _moved_rows(memorized, unlearned)
    assert moved < 0.5 * rows
