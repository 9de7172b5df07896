from __future__ import annotations

from typing import Any

import pytest
import torch
from unlearning_toys import mean_logprob

from reference_impls.methods.relabeling.stat import STAT, with_pseudo_tokens
from reference_impls.toolkit import IGNORE, Batch, Encoded, LanguageModel, Recipe, Run, UnlearningData


def test_answers_are_exchanged_in_what_is_read_and_what_is_asked_for_and_prompts_are_not() -> None:
    # Two prompts of 2 and 1 tokens with answers of 2 and 3; 9 is special and ends them, 0 is padding.
    batch = Encoded(
        input_ids=torch.tensor([[1, 2, 5, 9, 0], [3, 6, 7, 9, 0]]),
        attention_mask=torch.tensor([[1, 1, 1, 1, 0], [1, 1, 1, 1, 0]]),
        labels=torch.tensor([[IGNORE, IGNORE, 5, 9, IGNORE], [IGNORE, 6, 7, 9, IGNORE]]),
        rows=torch.tensor([1, 0]),
    )
    drawn = torch.tensor([[10, 11, 12], [20, 21, 22]])
    told = with_pseudo_tokens(batch, drawn, torch.tensor([0, 9]))
    assert told.input_ids.tolist() == [[1, 2, 20, 9, 0], [3, 10, 11, 9, 0]]
    assert told.labels.tolist() == [[IGNORE, IGNORE, 20, 9, IGNORE], [IGNORE, 10, 11, 9, IGNORE]]
    assert batch.labels[0, 2] == 5  # what was given is as it was


class _Watched(Run):
    """Calls the loss on whole data sets as often as it has steps, and keeps what it was."""

    def minimize(self, loss: Any, model: LanguageModel, data: UnlearningData, *_: Any, **more: Any) -> LanguageModel:
        batch = Batch(model.encode(data.forget), model.encode(data.retain), None)
        self.values = [loss(model, batch).item() for _ in range(self.recipe.steps)]
        return model


@pytest.mark.parametrize("retain_batches", [1, 2])
def test_the_two_sets_take_turns(retain_batches: int, tiny: LanguageModel, data: UnlearningData) -> None:
    run = _Watched(Recipe(steps=6), seed=3)
    STAT(retain_batches=retain_batches).unlearn(tiny, data, run)
    kept = -sum(float(one.mean()) for one in tiny.pair_logprobs(data.retain)) / len(data.retain)
    forgets = [number % (retain_batches + 1) == 0 for number in range(6)]
    assert [abs(value - kept) > 1e-4 for value in run.values] == forgets
    pseudo = [value for value, is_forget in zip(run.values, forgets, strict=True) if is_forget]
    assert pseudo == pytest.approx([pseudo[0]] * len(pseudo))  # drawn once for all
    again = _Watched(Recipe(steps=1), seed=4)
    STAT().unlearn(tiny, data, again)
    assert again.values[0] != pytest.approx(pseudo[0], abs=1e-4)


def test_answers_are_led_away_from_at_their_first_token_and_the_others_stay(
    memorized: LanguageModel, data: UnlearningData
) -> None:
    run = Run(Recipe(learning_rate=2e-3, steps=30, batch_size=8))
    unlearned = STAT().unlearn(memorized.copy(), data, run)
    before, after = memorized.pair_logprobs(data.forget), unlearned.pair_logprobs(data.forget)
    fallen = [then - now for then, now in zip(before, after, strict=True)]
    assert all(one[0] > 2 for one in fallen)
    assert torch.cat([one[1:] for one in fallen]).mean() < 0.3 * torch.stack([one[0] for one in fallen]).mean()
    assert mean_logprob(unlearned, data.retain) > mean_logprob(memorized, data.retain) - 0.1
    said = unlearned.generate([pair.prompt for pair in data.forget], 12)
    assert all(pair.answer.strip() not in text for pair, text in zip(data.forget, said, strict=True))
