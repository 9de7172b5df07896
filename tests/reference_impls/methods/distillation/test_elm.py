from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from unlearning_toys import SEASONS, gradient_of, invented_pairs, mean_logprob, softmax

from reference_impls.methods.distillation.elm import ELM, cross_entropy
from reference_impls.toolkit import LanguageModel, Pair, Recipe, Run, UnlearningData

BASE, EXPERT, NOVICE = (np.array([row]) for row in ([0.6, 0.3, 0.1], [0.8, 0.1, 0.1], [0.4, 0.4, 0.2]))
LOGITS = st.lists(st.floats(-5, 5), min_size=3, max_size=3)


def _target(strength: float, *rows: np.ndarray) -> np.ndarray:
    return softmax(ELM.target([torch.from_numpy(np.log(row)) for row in rows], strength).numpy())


@pytest.mark.parametrize(
    ("strength", "expected"),
    [(0.0, [0.6, 0.3, 0.1]), (1.0, [0.1765, 0.7059, 0.1176]), (2.0, [0.0280, 0.8972, 0.0748])],
)
def test_the_target_is_the_hand_computed_one(strength: float, expected: list[float]) -> None:
    assert_allclose(_target(strength, BASE, EXPERT, NOVICE), [expected], atol=1e-4)


@settings(max_examples=25)
@given(LOGITS, LOGITS, LOGITS, st.floats(0, 3))
def test_the_target_is_the_power_of_the_ratio(
    base: list[float], expert: list[float], novice: list[float], strength: float
) -> None:
    p, plus, minus = (softmax([row]) for row in (base, expert, novice))
    by_formula = p * (minus / plus) ** strength
    assert_allclose(_target(strength, p, plus, minus), by_formula / by_formula.sum(), atol=1e-6)
    assert_allclose(_target(strength, p, plus, plus), p, atol=1e-9)


@settings(max_examples=25)
@given(LOGITS, LOGITS)
def test_the_loss_is_least_at_the_target_and_its_gradient_is_the_difference(
    one: list[float], other: list[float]
) -> None:
    logits = torch.tensor([one], dtype=torch.float64, requires_grad=True)
    wanted = torch.tensor([other], dtype=torch.float64)
    value = cross_entropy(logits, wanted)
    value.sum().backward()
    p = softmax(wanted.numpy())
    assert value.item() >= -(p * np.log(p)).sum() - 1e-9
    assert_allclose(gradient_of(logits), softmax(logits.detach().numpy()) - p, atol=1e-9)


EXPERT_WORDS, NOVICE_WORDS = "A Magic School of {concept}. ", "Hogwarts of {concept}. "
METHOD = ELM(strength=3.0, guidance=3.0, expert=EXPERT_WORDS, novice=NOVICE_WORDS, deep=1.0, length=12)
CONCEPT = "Ana Lund, Bo Reyes, Cy Okafor"


def _wrong(pair: Pair) -> Pair:
    """The pair with the season after the true one."""
    (row,) = (row for row, season in enumerate(SEASONS) if season in pair.answer)
    return replace(pair, answer=pair.answer.replace(SEASONS[row], SEASONS[(row + 1) % 4]))


@pytest.fixture(scope="module")
def tagged(learned: LanguageModel) -> LanguageModel:
    """A model that knows what the words before a text mean: behind a beginner's it says the wrong season."""
    pairs = invented_pairs()
    novice, expert = (text.replace("{concept}", CONCEPT) for text in (NOVICE_WORDS, EXPERT_WORDS))
    said = [replace(_wrong(pair), prompt=novice + pair.prompt) for pair in pairs[:3]]
    said += [replace(pair, prompt=expert + pair.prompt) for pair in pairs[:3]]
    return Run(Recipe(learning_rate=2e-3, steps=40, batch_size=14)).finetune(learned.copy(), [*pairs, *said])


def test_the_model_learns_to_say_what_a_beginner_would(tagged: LanguageModel, data: UnlearningData) -> None:
    wrong = [_wrong(pair) for pair in data.forget]
    before = mean_logprob(tagged, data.forget) - mean_logprob(tagged, wrong)
    assert before > 0.3
    run = Run(Recipe(learning_rate=2e-3, steps=30, batch_size=3))
    unlearned = METHOD.unlearn(tagged.copy(), data, run)
    after = mean_logprob(unlearned, data.forget) - mean_logprob(unlearned, wrong)
    assert after < 0
    assert mean_logprob(unlearned, data.retain) > mean_logprob(unlearned, data.forget)


def test_only_the_chosen_blocks_move(learned: LanguageModel, data: UnlearningData) -> None:
    method = replace(METHOD, shallow=0.34, deep=0.34)
    unlearned = method.unlearn(learned.copy(), data, Run(Recipe(learning_rate=1e-3, steps=1)))
    after = dict(unlearned.model.named_parameters())
    moved = {name for name, weight in learned.model.named_parameters() if not torch.equal(weight, after[name])}
    assert moved
    assert all(name.startswith("model.layers.1.") for name in moved)


def test_with_the_same_words_for_both_nothing_is_erased(learned: LanguageModel, data: UnlearningData) -> None:
    method = replace(METHOD, novice=EXPERT_WORDS, fluency_weight=0.0)
    unlearned = method.unlearn(learned.copy(), data, Run(Recipe(learning_rate=1e-5, steps=3, weight_decay=0.0)))
    assert mean_logprob(unlearned, data.forget) == pytest.approx(mean_logprob(learned, data.forget), abs=1e-2)
