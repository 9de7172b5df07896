from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import pytest
import torch
from unlearning_toys import SEASONS, log_ratios, mean_logprob

from reference_impls.errors import UsageError
from reference_impls.methods.preference_optimization.parapo import TRIES, ParaPO, with_paraphrases
from reference_impls.toolkit import LanguageModel, Pair, Recipe, Run, UnlearningData, dpo_loss


def test_the_loss_is_the_hand_computed_one_in_this_scale() -> None:
    better, worse = torch.tensor([1.0, 0.0]), torch.tensor([-5.0, 0.0])
    assert dpo_loss(better[:1], worse[:1], 0.1).item() == pytest.approx(20 * 0.437488, abs=1e-4)
    assert dpo_loss(better[1:], worse[1:], 0.1).item() == pytest.approx(20 * 0.693147, abs=1e-4)


def _in_other_words(pair: Pair) -> Pair:
    (season,) = (one for one in SEASONS if one in pair.answer)
    return replace(pair, paraphrase=f" The birth of {pair.subject} fell into {season}.")


@pytest.fixture
def told(data: UnlearningData) -> UnlearningData:
    """The data with paraphrases."""
    return replace(data, forget=tuple(map(_in_other_words, data.forget)))


class _Writer(LanguageModel):
    """Says what it is told to, question by question."""

    def __init__(self, *said: str) -> None:
        self.texts, self.prompts = list(said), list[str]()

    @property
    def tokenizer(self) -> Any:
        return lambda text: {"input_ids": text.split()}

    def question(self, text: str) -> str:
        return text

    def sample(
        self, prompts: Sequence[str], max_new_tokens: int, temperature: float = 1.0, top_p: float = 1.0
    ) -> list[str]:
        self.prompts += prompts
        return self.texts


def test_paraphrases_of_the_task_are_taken_and_nobody_is_asked(told: UnlearningData) -> None:
    rows = with_paraphrases(cast(LanguageModel, None), told.forget)
    assert [row.alternates for row in rows] == [(pair.paraphrase,) for pair in told.forget]
    assert [row.answer for row in rows] == [pair.answer for pair in told.forget]


def test_what_has_none_is_asked_for_and_left_out_where_the_text_is_repeated(told: UnlearningData) -> None:
    first, second, third = told.forget
    same, none = replace(first, paraphrase=first.answer), replace(second, paraphrase=None)
    writer = _Writer("", first.answer, " In winter came Ana. ", none.answer, "Well, " + none.answer, "")
    rows = with_paraphrases(writer, (same, none, third))
    assert [row.alternates for row in rows] == [(" In winter came Ana.",), (third.paraphrase,)]
    assert [same.answer.strip() in prompt for prompt in writer.prompts] == [True] * TRIES + [False] * TRIES
    with pytest.raises(UsageError, match="paraphrases"):
        with_paraphrases(_Writer(*[none.answer] * TRIES), (none,))


def test_the_wording_goes_and_what_it_says_stays(memorized: LanguageModel, told: UnlearningData) -> None:
    others = [replace(pair, answer=pair.paraphrase or "") for pair in told.forget]
    wrong = [
        replace(pair, answer=pair.answer.replace(season, SEASONS[(place + 2) % 4]))
        for pair in others
        for place, season in enumerate(SEASONS)
        if season in pair.answer
    ]
    run = Run(Recipe(learning_rate=1e-3, steps=20, batch_size=3))
    unlearned = ParaPO().unlearn(memorized.copy(), told, run)
    assert (log_ratios(unlearned, memorized, told.forget) < -10).all()
    assert (log_ratios(unlearned, memorized, others) > 10).all()
    assert mean_logprob(unlearned, others) > mean_logprob(unlearned, wrong)
    assert run.notes == []
