from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import pytest
import torch
from unlearning_toys import NAMES, SEASONS, log_ratios

from reference_impls.errors import UsageError
from reference_impls.methods.preference_optimization.alt_po import AltPO, invent_alternates, one_row_per_alternate
from reference_impls.toolkit import Batch, Encoded, LanguageModel, Pair, Recipe, Run, UnlearningData, dpo_loss


def _with_other_seasons(pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    def others(answer: str) -> tuple[str, ...]:
        (season,) = (one for one in SEASONS if one in answer)
        return tuple(answer.replace(season, other) for other in SEASONS if other != season)

    return tuple(replace(pair, alternates=others(pair.answer)) for pair in pairs)


def test_the_mean_over_alternates_is_outside_of_the_log_sigmoid() -> None:
    h = torch.tensor([-0.311900, 1.0], dtype=torch.float64)
    nothing = torch.zeros_like(h)
    assert dpo_loss(h[:1], nothing[:1], 0.1).item() == pytest.approx(14.177275, abs=1e-4)
    assert dpo_loss(h, nothing, 0.1).item() == pytest.approx(13.532604, abs=1e-4)
    assert dpo_loss(h.mean()[None], nothing[:1], 0.1).item() == pytest.approx(13.521853, abs=1e-4)


def test_three_questions_with_five_alternates_are_fifteen_rows_with_the_truth_repeated(data: UnlearningData) -> None:
    pairs = [replace(pair, alternates=tuple(f" other {n}" for n in range(5))) for pair in data.forget]
    rows = one_row_per_alternate(tuple(pairs))
    assert len(rows) == 15
    assert [row.answer for row in rows] == [pair.answer for pair in data.forget for _ in range(5)]
    assert [row.alternates for row in rows] == [(f" other {n}",) for _ in range(3) for n in range(5)]


@dataclass
class _Says:
    """A model that says what it is told to, in order."""

    texts: list[str]
    tokenizer: Any
    asked: list[str]

    def question(self, text: str) -> str:
        return f"[{text}]"

    def answer(self, text: str) -> str:
        return f" {text}"

    def sample(self, prompts: Sequence[str], max_new_tokens: int) -> list[str]:
        self.asked += prompts
        return [self.texts.pop(0) for _ in prompts]


def _invent(tiny: LanguageModel, pair: Pair, count: int, *texts: str) -> tuple[tuple[str, ...], list[str]]:
    model = _Says(list(texts), tiny.tokenizer, [])
    (found,) = invent_alternates(cast(LanguageModel, model), (pair,), count)
    return found.alternates, model.asked


def test_alternates_are_asked_for_with_question_and_answer_and_the_truth_is_asked_for_again(
    tiny: LanguageModel, data: UnlearningData
) -> None:
    pair = data.forget[0]
    truth, other = "Yes, Ana Lund was born in spring.", "Ana Lund was born in winter."
    found, asked = _invent(tiny, pair, 2, truth, f"{other}\nQuestion: Who?", "", "Autumn.")
    assert found == (f" {other}", " Autumn.")
    assert len(asked) == 4  # two, then one for the truth, then one for the empty text
    assert all(pair.prompt in text and pair.answer in text for text in asked)


def test_alternates_that_the_task_ships_are_used_and_nothing_is_asked(
    tiny: LanguageModel, data: UnlearningData
) -> None:
    pair = _with_other_seasons(data.forget)[0]
    assert _invent(tiny, pair, 3) == (pair.alternates, [])
    assert _invent(tiny, pair, 1) == (pair.alternates[:1], [])
    assert _invent(tiny, pair, 9) == (pair.alternates, [])


def test_a_model_that_repeats_the_truth_forever_is_told_of(tiny: LanguageModel, data: UnlearningData) -> None:
    with pytest.raises(UsageError, match="knows no other answer than the true one to 'Question: When was Ana Lund"):
        _invent(tiny, data.forget[0], 1, *[data.forget[0].answer] * 10)


def test_a_model_invents_its_own(tiny: LanguageModel, data: UnlearningData) -> None:
    torch.manual_seed(0)
    for pair in invent_alternates(tiny, data.forget, 2):
        assert len(pair.alternates) == 2
        assert pair.answer not in pair.alternates


def test_loss_of_a_model_is_the_formula_over_whole_answers_plus_the_retain_loss(
    tiny: LanguageModel, fresh: LanguageModel, data: UnlearningData
) -> None:
    alternates = tuple(replace(pair, answer=pair.alternates[0]) for pair in _with_other_seasons(data.forget))

    def encoded(pairs: tuple[Pair, ...]) -> Encoded:
        return replace(tiny.encode(pairs), reference=torch.cat(tiny.pair_logprobs(pairs)).clone())

    batch = Batch(encoded(data.forget), tiny.encode(data.retain), None, encoded(alternates))
    with torch.no_grad():
        for weight in fresh.model.parameters():
            weight.mul_(1.02)
        value = AltPO(beta=0.3, retain_weight=2.0).loss(fresh, batch).item()

    h = log_ratios(fresh, tiny, alternates) - log_ratios(fresh, tiny, data.forget)
    kept = np.mean([float(-one.mean()) for one in fresh.pair_logprobs(data.retain)])
    assert value == pytest.approx(float(2 / 0.3 * np.logaddexp(0, -0.3 * h).mean() + 2 * kept), rel=1e-4)


def test_the_model_gives_other_plausible_answers_in_whole_sentences(fresh: LanguageModel, data: UnlearningData) -> None:
    Run(Recipe(learning_rate=3e-3, steps=60)).finetune(fresh, [*data.forget, *data.retain])
    data = replace(data, forget=_with_other_seasons(data.forget))
    unlearned = AltPO(beta=0.5).unlearn(fresh, data, Run(Recipe(learning_rate=2e-4, steps=40, batch_size=9)))
    sentence = re.compile(rf"({'|'.join(NAMES)}) was born in ({'|'.join(SEASONS)})( of a year of storms)*\.")
    for pair, said in zip(data.forget, unlearned.generate([pair.prompt for pair in data.forget], 30), strict=True):
        assert sentence.fullmatch(said)
        assert said != pair.answer.strip()
    kept = unlearned.generate([pair.prompt for pair in data.retain], 30)
    assert kept == [pair.answer.strip() for pair in data.retain]
