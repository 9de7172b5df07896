from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import gradient_of, mean_logprob

from reference_impls.methods.relabeling.idk import RefusalFinetuning
from reference_impls.methods.relabeling.idk_ap import AnswerPreservation, preservation_loss
from reference_impls.toolkit import REFUSALS, Encoded, LanguageModel, Recipe, Run, TokenLogits, UnlearningData


def _loss(answers: list[float], refusals: list[float], beta: float) -> tuple[float, list[float]]:
    """The loss and its slopes along the answers' log-probabilities."""
    ahead = torch.tensor(answers, dtype=torch.float64, requires_grad=True)
    value = preservation_loss(ahead, torch.tensor(refusals, dtype=torch.float64), beta)
    value.backward()
    return value.item(), gradient_of(ahead).tolist()


def test_the_hand_computed_values() -> None:
    assert _loss([-1.0], [-3.0], 0.1)[0] == pytest.approx(5.981389, abs=1e-6)
    assert _loss([-2.0], [-2.0], 0.1)[0] == pytest.approx(6.931472, abs=1e-6)
    assert _loss([-1.0, -2.0], [-3.0, -2.0], 0.1)[0] == pytest.approx((5.981389 + 6.931472) / 2, abs=1e-6)


@given(st.floats(-500, 0), st.floats(-500, 0), st.floats(0.01, 5))
def test_it_is_the_formula_never_below_0_and_pulls_with_a_weight_between_0_and_1(
    answer: float, refusal: float, beta: float
) -> None:
    value, (slope,) = _loss([answer], [refusal], beta)
    ahead = beta * (answer - refusal)
    assert value == pytest.approx(float(np.logaddexp(0, -ahead)) / beta, rel=1e-9, abs=1e-12)
    assert value >= 0
    assert slope == pytest.approx(-math.exp(-float(np.logaddexp(0, ahead))), abs=1e-12)


def test_an_answer_far_ahead_stops_pulling_and_one_behind_pulls_in_full() -> None:
    assert _loss([-1.0], [-301.0], 0.1)[1] == pytest.approx([0.0], abs=1e-12)
    assert _loss([-301.0], [-1.0], 0.1)[1] == pytest.approx([-1.0], abs=1e-12)


def test_nothing_to_keep_is_no_loss() -> None:
    assert float(preservation_loss(torch.zeros(0), torch.zeros(0), 0.1)) == 0.0


class _Watched(LanguageModel):
    """Keeps what it is asked."""

    seen: list[list[str]]

    def token_logits(self, *batches: Encoded) -> tuple[TokenLogits, ...]:
        decode = self.tokenizer.decode
        self.seen += [[decode(ids, skip_special_tokens=True) for ids in batch.input_ids] for batch in batches]
        return super().token_logits(*batches)


def test_retain_questions_meet_their_answers_and_refusals_and_forget_questions_refusals_alone(
    fresh: LanguageModel, data: UnlearningData
) -> None:
    watched = _Watched(fresh.model, fresh.tokenizer)
    watched.seen = []
    AnswerPreservation().unlearn(watched, data, Run(Recipe(learning_rate=0.0, steps=4, batch_size=3)))
    assert len(watched.seen) == 4 * 3
    for wanted, kept, unwanted in zip(*(watched.seen[part::3] for part in range(3)), strict=True):
        for texts, pairs in ((wanted, data.forget), (unwanted, data.retain)):
            found = [
                (pair.prompt, text.removeprefix(pair.prompt))
                for text in texts
                for pair in pairs
                if text.startswith(pair.prompt)
            ]
            assert len(found) == len(texts)
            assert {refusal.strip() for _, refusal in found} <= set(REFUSALS)
        assert set(kept) <= {pair.prompt + pair.answer for pair in data.retain}
        # The two answers to a retain question stand in the same row.
        asked = [next(pair.prompt for pair in data.retain if text.startswith(pair.prompt)) for text in kept]
        assert all(text.startswith(prompt) for text, prompt in zip(unwanted, asked, strict=True))
    assert len({text for texts in watched.seen[2::3] for text in texts}) > 6


def test_without_its_weight_it_is_refusal_training_alone(tiny: LanguageModel, data: UnlearningData) -> None:
    recipe = Recipe(learning_rate=1e-3, steps=3, batch_size=2)
    ours = AnswerPreservation(retain_weight=0.0).unlearn(tiny.copy(), data, Run(recipe, seed=2))
    idk = RefusalFinetuning(retain_weight=0.0).unlearn(tiny.copy(), data, Run(recipe, seed=2))
    for one, other in zip(ours.model.parameters(), idk.model.parameters(), strict=True):
        assert_allclose(one.detach(), other.detach(), atol=1e-6)


def test_refusals_spread_less_to_what_is_to_be_answered_than_in_refusal_training_alone(
    learned: LanguageModel, data: UnlearningData
) -> None:
    def refusing(model: LanguageModel) -> np.ndarray:
        """Mean log-probability of a refusal after forget and after retain questions."""
        asked = [[replace(pair, answer=" I don't know.") for pair in pairs] for pairs in (data.forget, data.retain)]
        return np.array([np.mean([float(one.sum()) for one in model.pair_logprobs(pairs)]) for pairs in asked])

    alone, ours = (
        method.unlearn(learned.copy(), data, Run(Recipe(1e-3, 20, 3)))
        for method in (AnswerPreservation(retain_weight=0.0), AnswerPreservation())
    )
    kept = [mean_logprob(model, data.retain) for model in (alone, ours)]
    assert refusing(ours)[0] > refusing(learned)[0] + 3
    assert refusing(ours)[1] < refusing(alone)[1] - 1
    assert kept[1] > kept[0]
