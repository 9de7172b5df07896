from __future__ import annotations

import random
from dataclasses import replace

import pytest
from unlearning_toys import mean_logprob

from reference_impls.methods.relabeling.meow import MEOW, largest, memo_scores
from reference_impls.toolkit import (
    LanguageModel,
    Pair,
    Recipe,
    Run,
    UnlearningData,
    UsageError,
    false_answers,
    rouge_1_precision,
)


@pytest.mark.parametrize(
    ("reference", "generated", "share"),
    [
        ("born in spring", "in spring", 1.0),
        ("born in spring", "in winter", 0.5),
        ("spring in", "in spring spring spring", 0.5),
        ("spring", "", 0.0),
        ("", "spring", 0.0),
    ],
)
def test_the_share_of_the_continuations_words_is_the_hand_computed_one(
    reference: str, generated: str, share: float
) -> None:
    assert rouge_1_precision(reference, generated) == pytest.approx(share)


def test_the_largest_scores_are_kept_in_their_order() -> None:
    assert largest("abcd", (0.2, 0.5, 0.1, 0.4), 3) == ("b", "d", "a")
    assert largest("ab", (0.1, 0.1), 5) == ("a", "b")


def test_what_is_known_by_heart_scores_high_and_what_nobody_says_low(
    learned: LanguageModel, data: UnlearningData
) -> None:
    known = data.forget[0]
    strange = replace(known, answer=" Hogwarts is a Magic School.")
    first, second = memo_scores(learned, [known, strange])
    assert first > 0.8
    assert second < 0.2
    assert memo_scores(learned, [known]) == [first]


def test_an_answer_of_one_word_has_no_cut_and_scores_nothing(tiny: LanguageModel) -> None:
    assert memo_scores(tiny, [Pair("Question: A or B?\nAnswer:", " A"), Pair("Who?", " In spring.")])[0] == 0.0


def test_false_answers_are_the_tasks_or_other_pairs_and_never_the_true_one(data: UnlearningData) -> None:
    pair = data.forget[0]
    told = false_answers(replace(pair, alternates=(" One.", " Two.", " Three.")), data.forget, 2, random.Random(0))
    assert told == (" One.", " Two.")
    flipped = false_answers(pair, data.forget, 4, random.Random(0))
    assert flipped
    assert len(set(flipped)) == len(flipped)
    assert pair.answer not in flipped
    with pytest.raises(UsageError):
        false_answers(pair, [pair], 4, random.Random(0))


def test_the_lie_that_comes_easiest_is_trained_on(learned: LanguageModel, data: UnlearningData) -> None:
    near, far = data.forget[0].answer.replace("spring", "summer"), " Hogwarts is a Magic School."
    forget = tuple(replace(pair, alternates=(far, near)) for pair in data.forget[:1])
    prepared = MEOW(kept=1).prepare(learned, UnlearningData(forget), Run(Recipe()))
    assert prepared.forget[0].alternates == (near,)


def test_lies_take_the_place_of_the_truth_without_a_retain_set(learned: LanguageModel, data: UnlearningData) -> None:
    run = Run(Recipe(learning_rate=1e-3, steps=20, batch_size=3))
    method = MEOW(kept=1)
    lies = [replace(pair, answer=pair.alternates[0]) for pair in method.prepare(learned, data, Run(run.recipe)).forget]
    unlearned = method.unlearn(learned.copy(), UnlearningData(data.forget), run)
    assert mean_logprob(unlearned, data.forget) < mean_logprob(learned, data.forget) - 0.5
    assert mean_logprob(unlearned, lies) > mean_logprob(learned, lies) + 0.5
