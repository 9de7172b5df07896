from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import answer_probabilities, fingerprint, mean_logprob

from reference_impls.methods.model_editing.wise import WISE, SideMemory, distances, margin_loss
from reference_impls.toolkit import Kept, LanguageModel, Recipe, Run, UnlearningData, memories


def test_distances_are_means_of_lengths_over_the_questions_tokens() -> None:
    change = torch.tensor([[3.0, 0.0], [4.0, 0.0]])
    keys = torch.tensor([[[1.0, 9.0], [2.0, 9.0], [7.0, 0.0]], [[0.0, 1.0], [0.0, 1.0], [0.0, 1.0]]])
    places = torch.tensor([[True, True, False], [True, True, True]])
    assert_allclose(distances(change, keys, places), [7.5, 0.0])  # (5 + 10) / 2; and keys that the change does not see


def test_margins_are_the_hand_computed_ones() -> None:
    edited, kept = torch.tensor([4.0, 10.0]), torch.tensor([1.0, 3.0])
    # [Δ - 2]+ of kept: 0, 1; [5 - Δ]+ of edited: 1, 0; [4 - difference]+ of 3, 1, 9, 7: 1, 3, 0, 0.
    assert float(margin_loss(edited, kept, 2.0, 5.0, 4.0)) == pytest.approx(0.5 + 0.5 + 1.0)


@given(st.floats(0, 5), st.floats(0, 5), st.floats(0, 10))
def test_there_is_no_loss_where_all_margins_are_kept(near: float, gap: float, beyond: float) -> None:
    kept, edited = torch.tensor([near]), torch.tensor([near + gap + beyond])
    assert float(margin_loss(edited, kept, near, near + gap, gap)) == pytest.approx(0.0, abs=1e-5)


METHOD = WISE(near=0.5, far=2.0, margin=1.0, side_memories=1, share=1.0, density=1.0)
RUN = Recipe(learning_rate=1e-2, steps=50, batch_size=8)


@pytest.fixture(scope="module")
def edited(learned: LanguageModel, data: UnlearningData) -> SideMemory:
    return METHOD.unlearn(learned.copy(), data, Run(RUN))


def test_questions_to_forget_are_answered_by_the_copy_and_others_to_the_bit_as_before(
    edited: SideMemory, learned: LanguageModel, data: UnlearningData
) -> None:
    assert fingerprint(edited.bare().model) == fingerprint(learned.model)
    assert all(edited.distance(pair.prompt) > edited.threshold for pair in data.forget)
    before = answer_probabilities(learned, data.forget)
    assert bool((answer_probabilities(edited._beside[0], data.forget) < before - 0.1).all())
    assert mean_logprob(edited, data.forget) < mean_logprob(learned, data.forget) - 0.1
    kept = [pair for pair in data.retain if edited.distance(pair.prompt) <= edited.threshold]
    assert len(kept) >= 3
    assert mean_logprob(edited, kept) == mean_logprob(learned, kept)


def test_the_threshold_is_a_part_of_the_least_distance(edited: SideMemory, data: UnlearningData) -> None:
    least = min(edited.distance(pair.prompt) for pair in data.forget)
    assert edited.threshold == pytest.approx(0.88 * least)


def test_no_weight_goes_further_than_it_may(learned: LanguageModel, data: UnlearningData) -> None:
    bound = WISE(near=0.5, far=2.0, margin=1.0, bound=0.001, share=0.3)
    model = bound.unlearn(learned.copy(), data, Run(Recipe(learning_rate=1e-2, steps=4, batch_size=4)))
    (original,) = memories(learned, [model.layer])
    change = (model.side - original.stored).detach()
    assert float(change.abs().max()) <= 0.001 + 1e-7
    assert 0.2 < float((change != 0).float().mean()) < 0.6  # 0.3 of each of two copies


def test_what_was_kept_answers_alike(edited: SideMemory, learned: LanguageModel, data: UnlearningData) -> None:
    again = WISE.restore(learned.copy(), Kept(edited.to_json(), edited.tensors()))
    assert_allclose(mean_logprob(again, data.forget), mean_logprob(edited, data.forget), rtol=1e-5)
