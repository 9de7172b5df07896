from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import fingerprint, hooks, mean_logprob

from reference_impls.methods.inference_time.eco import ECO, corrupted, noise, searched
from reference_impls.toolkit import LanguageModel, Recipe, Run, UnlearningData


def test_noise_is_in_the_first_dimensions_of_all_but_a_prompts_last_token() -> None:
    places = torch.tensor([[True, True, True, False], [False, True, True, False]])  # padded right, and left
    found = corrupted(torch.zeros(2, 4, 5), places, 2.0, 3, seed=7)
    assert_allclose(found[0, :2, :3], 2 * noise(2, 3, 7), atol=1e-6)
    assert_allclose(found[1, 1, :3], 2 * noise(1, 3, 7)[0], atol=1e-6)
    assert int((found != 0).sum()) == 3 * 3
    assert torch.equal(corrupted(found, places, 0.0, 3, seed=7), found)


@given(st.integers(1, 20), st.integers(0, 5), st.integers(1, 3))
def test_a_place_has_its_noise_whatever_comes_after_it(length: int, more: int, dims: int) -> None:
    assert torch.equal(noise(length + more, dims, 3)[:length], noise(length, dims, 3))
    assert not torch.equal(noise(length, dims, 3), noise(length, dims, 4))


def test_the_search_takes_the_hand_computed_steps() -> None:
    looked: list[float] = []

    def loss(sigma: float) -> float:
        looked.append(round(sigma, 6))
        return abs(2 * sigma - 3)

    assert searched(loss, 1.0, 0.5, 0.2, 2) == pytest.approx(1.5)
    # At 1 the slope over [0.5, 1.5] is -2; at 1.4 over [0.9, 1.9] it is (0.8 - 1.2) / 1 = -0.4, so it goes to 1.48.
    assert looked == [1.5, 0.5, 1.9, 0.9, 1.48]


def test_the_search_never_ends_below_its_start_nor_worse_than_it_has_seen() -> None:
    assert searched(lambda sigma: 5 * sigma, 0.1, 0.05, 1.0, 3) == pytest.approx(0.05)  # what it looked at is the best
    assert searched(lambda sigma: 1.0, 0.1, 0.05, 1.0, 0) == pytest.approx(0.1)


def test_questions_on_what_is_forgotten_are_read_through_noise_and_others_as_they_are(
    learned: LanguageModel, data: UnlearningData
) -> None:
    model = learned.copy()
    gated = ECO().unlearn(model, data, Run(Recipe()))
    assert fingerprint(model.model) == fingerprint(learned.model)
    assert mean_logprob(gated, data.retain) == mean_logprob(learned, data.retain)
    assert mean_logprob(gated, data.forget) < mean_logprob(learned, data.forget) - 0.3
    assert [gated.speaker(pair.prompt) is model for pair in data.forget + data.retain] == [False] * 3 + [True] * 5
    rephrased = "Tell me when Ana Lund came into the world."
    assert gated.speaker(rephrased) is not model
    asked = [pair.prompt for pair in data.forget]
    assert gated.generate(asked, 6) == gated.generate(asked, 6)
    assert hooks(model.model) == hooks(learned.model)
    assert gated.sigma >= 0.0001


def test_where_the_classifier_has_to_be_certain_nothing_is_stopped(
    learned: LanguageModel, data: UnlearningData
) -> None:
    gated = ECO(threshold=1.0, steps=0).unlearn(learned.copy(), data, Run(Recipe()))
    assert mean_logprob(gated, data.forget) == mean_logprob(learned, data.forget)
