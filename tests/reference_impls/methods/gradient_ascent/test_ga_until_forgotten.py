from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from unlearning_toys import fingerprint

from reference_impls.errors import UsageError
from reference_impls.methods.gradient_ascent.ga_until_forgotten import (
    GradientAscentUntilForgotten,
    extraction_likelihood,
    overlap,
)
from reference_impls.methods.gradient_ascent.gradient_ascent import GradientAscent
from reference_impls.toolkit import LanguageModel, Pair, Recipe, Run, UnlearningData, memorization_accuracy, new_pairs


@pytest.mark.parametrize(
    ("generated", "true", "n", "share"),
    [
        ("2 3 9", "2 3 4", 2, 0.5),
        ("3 9", "3 4", 2, 0.0),
        ("a b a b", "a b", 2, 2 / 3),  # duplicates of what is generated count
        ("a b", "a b a b", 2, 1.0),
        ("a", "a b", 2, 0.0),
        ("", "a b", 1, 0.0),
    ],
)
def test_overlap_is_the_share_of_generated_runs_of_words(generated: str, true: str, n: int, share: float) -> None:
    assert overlap(generated.split(), true.split(), n) == pytest.approx(share)


class _Scripted:
    """A model that continues given texts in a given way."""

    def __init__(self, says: dict[str, str]) -> None:
        self.says = says

    def generate(self, prompts: Sequence[str], max_new_tokens: int) -> list[str]:
        return [self.says[prompt] for prompt in prompts]

    @staticmethod
    def tokenizer(texts: Sequence[str]) -> Any:
        return {"input_ids": [text.split() for text in texts]}


def test_extraction_likelihood_is_the_mean_over_every_place_to_start_from() -> None:
    model: Any = _Scripted({"1": "2 3 9", "1 2": "3 9"})
    assert extraction_likelihood(model, [Pair("1", " 2 3 4")], 2) == pytest.approx(0.25)


def test_what_is_said_beyond_the_length_of_the_answer_does_not_count() -> None:
    model: Any = _Scripted({"1": "2 3 7 8 2 3"})
    assert extraction_likelihood(model, [Pair("1", " 2 3")], 2) == 1.0


def test_answers_too_short_are_left_out_and_nothing_but_such_is_an_error() -> None:
    model: Any = _Scripted({"a": "b c"})
    assert extraction_likelihood(model, [Pair("a", " b c"), Pair("a", " b")], 2) == 1.0
    with pytest.raises(UsageError, match="No answer has 3 words"):
        extraction_likelihood(model, [Pair("a", " b c")], 3)


def test_a_text_known_by_heart_has_both_measures_at_1(
    tiny: LanguageModel, learned: LanguageModel, data: UnlearningData
) -> None:
    assert extraction_likelihood(learned, data.forget, 2) == 1.0
    assert memorization_accuracy(learned, data.forget) == 1.0
    assert extraction_likelihood(tiny, data.forget, 2) < 0.1
    assert memorization_accuracy(tiny, data.forget) < 0.3


def test_memorization_accuracy_is_the_share_of_tokens_that_are_most_likely(learned: LanguageModel) -> None:
    pair = Pair("Question: When was Ana Lund born?\nAnswer:", " Ana Lund was born in winter.")  # it is spring
    (out,) = learned.token_logits(learned.encode([pair]))
    hits = (out.logits.argmax(dim=1) == out.targets).float()
    assert 0.5 < float(hits.mean()) < 1
    assert memorization_accuracy(learned, [pair]) == pytest.approx(float(hits.mean()))


def test_ascent_stops_below_the_thresholds_and_leaves_more_than_ascent_that_does_not_stop(
    learned: LanguageModel, data: UnlearningData
) -> None:
    recipe = Recipe(learning_rate=5e-4, steps=60, batch_size=2)
    steps = []
    run = Run(recipe, progress=lambda stage, done, total: steps.append(done))
    stopped = GradientAscentUntilForgotten(n=2).unlearn(learned.copy(), data, run)
    ran_on = GradientAscent().unlearn(learned.copy(), data, Run(recipe))
    unseen = new_pairs(data.retain, len(data.forget), Run(recipe).rng)
    assert 0 < len(steps) < 60
    assert len(steps) % 2 == 0  # looked at after whole passes
    assert memorization_accuracy(stopped, data.forget) <= memorization_accuracy(learned, unseen)
    assert extraction_likelihood(stopped, data.forget, 2) <= extraction_likelihood(learned, unseen, 2)
    kept = [float(torch.cat(model.pair_logprobs(data.retain)).mean()) for model in (stopped, ran_on)]
    assert kept[0] > kept[1] + 1


def test_what_was_never_known_is_forgotten_without_a_step(
    learned: LanguageModel, fresh: LanguageModel, data: UnlearningData
) -> None:
    unknown = UnlearningData((Pair("Where?", " zz qq xx jj kk"),), data.retain)
    unlearned = learned.copy()
    GradientAscentUntilForgotten(n=2).unlearn(unlearned, unknown, Run(Recipe(learning_rate=1e-2, steps=5)))
    assert fingerprint(unlearned.model) == fingerprint(learned.model)
