from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from unlearning_toys import fingerprint, gradient_of, mean_logprob

from reference_impls.methods.representation.align_then_unlearn import (
    RIDGE,
    AlignThenUnlearn,
    Encoder,
    Predictor,
    above,
    concepts,
    windows_ahead,
)
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData


@pytest.mark.parametrize(("threshold", "value"), [(0.5, 0.207107), (0.8, 0.0)])
def test_the_loss_is_the_hand_computed_one(threshold: float, value: float) -> None:
    foreseen = torch.tensor([[[1.0, 1.0], [1.0, 0.0]]])
    read = torch.tensor([[True, False]])
    assert above(foreseen, torch.tensor([[2.0, 0.0]]), read, threshold).item() == pytest.approx(value, abs=1e-6)


def test_only_places_above_the_threshold_pull() -> None:
    foreseen = torch.tensor([[[1.0, 1.0], [1.0, 3.0]]], requires_grad=True)
    above(foreseen, torch.tensor([[1.0, 0.0]]), torch.ones(1, 2, dtype=torch.bool), 0.5).backward()
    # d cos / d(1, 1) = (e - cos u) / |x| = ((1, 0) - (1/2, 1/2)) / sqrt 2, and half of it in a mean of two.
    assert_allclose(gradient_of(foreseen), [[[0.176777, -0.176777], [0.0, 0.0]]], atol=1e-6)


def test_windows_lie_behind_a_token_and_end_with_the_text() -> None:
    encoded = torch.tensor([[[1.0], [2.0], [4.0], [8.0]]])
    means, full = windows_ahead(encoded, torch.tensor([[1, 1, 1, 0]]), 2)
    assert full.tolist() == [[True, False, False, False]]
    assert means[0, :2, 0].tolist() == [3.0, 6.0]
    _, none = windows_ahead(encoded, torch.tensor([[1, 1, 1, 1]]), 9)
    assert not none.any()


def test_states_of_retain_texts_are_white(tiny: LanguageModel, data: UnlearningData) -> None:
    encoder = Encoder(tiny, data.retain)
    batch = tiny.encode(data.retain)
    given, white = (one[batch.attention_mask.bool()].numpy() for one in (_states(encoder, tiny, batch), encoder(batch)))
    assert_allclose(white.mean(axis=0), 0, atol=1e-4)
    variances = np.linalg.eigvalsh(np.cov(given.T, bias=True).astype(np.float64)).clip(0)
    wanted = variances / (variances + RIDGE * variances.mean())
    assert_allclose(np.linalg.eigvalsh(np.cov(white.T, bias=True)), wanted, atol=2e-3)


def _states(encoder: Encoder, model: LanguageModel, batch: object) -> torch.Tensor:
    with torch.no_grad():
        (states,) = model.outputs(batch, [encoder.block])  # type: ignore[arg-type]
    return states


def test_a_subject_has_one_concept(tiny: LanguageModel, data: UnlearningData) -> None:
    found = concepts(Encoder(tiny, data.retain), data.forget + data.forget[:1])
    assert_allclose(found[0], found[3])
    alone = concepts(Encoder(tiny, data.retain), data.forget)
    assert_allclose(found[0], 2 * alone[0], rtol=1e-4, atol=1e-4)
    assert not torch.allclose(alone[0], alone[1])


def test_the_predictor_does_not_see_what_follows() -> None:
    torch.manual_seed(0)
    predictor, states = Predictor(6), torch.randn(1, 5, 6)
    changed = states.clone()
    changed[:, 3:] += 1
    one, other = (predictor(given).detach() for given in (states, changed))
    assert_allclose(one[:, :3], other[:, :3], atol=1e-5)
    assert not torch.allclose(one[:, 3:], other[:, 3:], atol=1e-3)


def test_while_the_predictor_learns_the_model_stands_still(memorized: LanguageModel, data: UnlearningData) -> None:
    method = AlignThenUnlearn(threshold=0.9, stages=1, align_steps=3)
    unlearned = method.unlearn(memorized.copy(), data, Run(Recipe(learning_rate=1.0, steps=1, batch_size=3)))
    assert fingerprint(unlearned.model) == fingerprint(memorized.model)


def test_what_is_said_of_the_subjects_is_forgotten_first(memorized: LanguageModel, data: UnlearningData) -> None:
    method = AlignThenUnlearn(threshold=0.0, stages=2, align_steps=40, realign_steps=10)
    unlearned = method.unlearn(memorized.copy(), data, Run(Recipe(learning_rate=0.3, steps=20, batch_size=3)))
    lost, cost = (mean_logprob(memorized, one) - mean_logprob(unlearned, one) for one in (data.forget, data.retain))
    assert lost > 0.3
    assert cost < lost
